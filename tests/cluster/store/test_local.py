"""A store on a disk."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.store import open_store
from cluster.store.local import LocalObjects
from reduction.errors import RequestError
from tests.contracts import stores
from tests.contracts.stores import LastingStoreContract, content, folder_of

store = stores.store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "the store")


class TestLocalStore(LastingStoreContract):
    pass


def test_the_same_folder_by_three_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    places = ["a store", str(tmp_path / "a store"), (tmp_path / "a store").as_uri()]
    assert {open_store(place).url for place in places} == {(tmp_path / "a store").as_uri()}


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RequestError, match="holds something, and is no store"):
        open_store(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


class TestPowerCut:
    """What a disk may forget: everything that was not waited for."""

    @pytest.fixture
    def order(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What is waited for and what gets a name, in their order."""
        order: list[str] = []
        lock = threading.Lock()
        fsync, link, replace = os.fsync, os.link, os.replace

        def told(path: Path | str) -> str:
            return str(path).removeprefix(f"{tmp_path}/store").lstrip("/")

        def waited(descriptor: int) -> None:
            fsync(descriptor)
            with lock:
                order.append(f"wait {told(Path(f'/proc/self/fd/{descriptor}').readlink())}")

        def linked(source: Path, target: Path) -> None:
            order.append(f"name {told(target)} from {told(source)}")
            link(source, target)

        def replaced(source: Path, target: Path) -> None:
            order.append(f"name {told(target)} from {told(source)}")
            replace(source, target)

        monkeypatch.setattr("ingest.durable.os.fsync", waited)
        monkeypatch.setattr(os, "link", linked)
        monkeypatch.setattr(os, "replace", replaced)
        return order

    @pytest.mark.parametrize("again", [False, True])
    def test_all_of_a_result_before_its_commit(self, order: list[str], tmp_path: Path, again: bool) -> None:
        store = open_store(tmp_path / "store")
        if again:
            store.publish("results", "before", folder_of(tmp_path / "made", {"x": b"1"}))
        order.clear()
        made = folder_of(tmp_path / "made", {"a.csv": b"1", "plots/deep/b.png": b"2"})
        place = f"results/k/{store.publish('results', 'k', made).folder}"
        (named,) = [number for number, step in enumerate(order) if step.startswith("name ")]
        name, source = order[named].removeprefix("name ").split(" from ")
        assert name == "results/k/commit.json"
        files = {f"wait {place}/a.csv", f"wait {place}/plots/deep/b.png", f"wait {source}"}
        folders = {f"wait {one}" for one in (f"{place}/plots/deep", f"{place}/plots", place, "results/k")}
        assert set(order[:named]) >= files | folders | {"wait results"}
        assert ("wait " in order[:named]) == (not again)  # the store's own folder, where `results` is new
        assert order[named + 1 :] == ["wait results/k"]

    def test_a_file_before_its_name(self, order: list[str], tmp_path: Path) -> None:
        store = open_store(tmp_path / "store")
        order.clear()
        for write in (
            lambda: store.put_log("job", 1, "text"),
            lambda: store.put_raw(folder_of(tmp_path, {"raw": b"1"}) / "raw"),
        ):
            write()
            (named,) = [number for number, step in enumerate(order) if step.startswith("name ")]
            name, source = order[named].removeprefix("name ").split(" from ")
            parents = [str(one).removeprefix(".") for one in Path(name).parents]
            assert set(order[:named]) >= {f"wait {one}" for one in [source, *parents]}
            assert order[named + 1 :] == [f"wait {parents[0]}"]
            order.clear()

    def test_the_mark_of_a_new_store(self, order: list[str], tmp_path: Path) -> None:
        open_store(tmp_path / "store" / "in" / "new folders")
        assert order[-1] == "wait in/new folders"
        above = {f"wait {str(one).lstrip('/')}" for one in (tmp_path, tmp_path.parent)}
        assert {"wait ", "wait in", *above} - {f"wait {str(tmp_path.parent).lstrip('/')}"} <= set(order)
        assert not {f"wait {str(tmp_path.parent).lstrip('/')}"} & set(order)


def test_collected_while_it_is_uploaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder goes between two files, or right before the commit: it is uploaded again."""
    store = open_store(tmp_path / "store")
    files = {"a": b"1", "b": b"2", "c/d": b"3"}
    made = folder_of(tmp_path / "made", files)
    stage = LocalObjects.stage
    for at in range(3):
        left = [at]

        def collecting(
            self: LocalObjects, name: str, parts: Iterator[bytes], size: int, left: list[int] = left
        ) -> None:
            stage(self, name, parts, size)
            left[0] -= 1
            if left[0] == -1:
                store.collect(0.0)

        with monkeypatch.context() as patch:
            patch.setattr(LocalObjects, "stage", collecting)
            store.publish("results", f"k{at}", made)
        store.fetch("results", f"k{at}", tmp_path / f"back-{at}")
        assert content(tmp_path / f"back-{at}") == files
        assert (tmp_path / f"store/results/k{at}/commit-1.json").exists()
    assert {finding.state for finding in store.verify(deep=True)} == {"ok"}
