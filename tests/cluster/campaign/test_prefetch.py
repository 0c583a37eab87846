"""What an order reads of the store is brought while the one before it is done."""

import threading
from pathlib import Path

import pytest

from cluster.campaign.orders import Work
from cluster.campaign.prefetch import Ahead, fetched, raws_of
from cluster.requests import ReductionRequest, Times
from cluster.store import open_store
from cluster.store.published import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(tmp_path / "store")


def put(store: ObjectStore, folder: Path, content: bytes) -> str:
    path = folder / "content"
    path.write_bytes(content)
    return f"raw:{store.put_raw(path).sha256}"


def work_of(store: ObjectStore, *inputs: str, dark: str | None = None) -> Work:
    return Work("A", "k" * 64, ReductionRequest(inputs=inputs, dark=dark), "state", store.url, 1)


def test_every_file_of_the_store_that_a_request_names() -> None:
    names = [f"raw:{digit * 64}" for digit in "0123"]
    request = ReductionRequest(
        inputs=(names[0],), dark=names[1], flat="flat.fits", bias=names[1], times=Times(table=names[2])
    )
    assert raws_of(request) == ("0" * 64, "1" * 64, "2" * 64)
    assert raws_of(ReductionRequest(inputs=("a.ser",))) == ()


def test_the_next_one_is_there_when_its_turn_comes(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, dark = (put(store, tmp_path, content) for content in (b"first", b"second", b"dark"))
    works = [work_of(store, first), work_of(store, second, dark=dark)]
    asked: list[tuple[str, str]] = []
    fetch = ObjectStore.fetch_raw

    def noted(of: ObjectStore, sha256: str, into: Path | str) -> Path:
        asked.append((sha256, threading.current_thread().name))
        return fetch(of, sha256, into)

    monkeypatch.setattr(ObjectStore, "fetch_raw", noted)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with Ahead(scratch) as ahead:
        for work, following, content in zip(works, [works[1].text, None], (b"first", b"second"), strict=True):
            brought = ahead.turn(following)
            room = tmp_path / work.request.inputs[0][4:12]
            request = fetched(work.request, store, room, brought)
            assert Path(request.inputs[0]).read_bytes() == content
            assert request.dark is None or Path(request.dark).read_bytes() == b"dark"
    assert list(scratch.iterdir()) == []
    by_thread = {sha256: name.startswith("umbra-ahead") for sha256, name in asked}
    assert by_thread == {first[4:]: False, second[4:]: True, dark[4:]: True}
    assert len(asked) == 3


def test_what_cannot_be_brought_is_told_by_who_needs_it(store: ObjectStore, tmp_path: Path) -> None:
    from reduction.errors import DataError

    gone = work_of(store, "raw:" + "f" * 64)
    with Ahead(tmp_path) as ahead:
        ahead.turn(gone.text)
        brought = ahead.turn("no order at all")
        with pytest.raises(DataError, match="has no file with the SHA-256"):
            fetched(gone.request, store, tmp_path / "room", brought)
        assert ahead.turn(None).take("0" * 64, tmp_path / "x") is False


def test_what_nobody_takes_goes_with_it(store: ObjectStore, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    name = put(store, tmp_path, b"content")
    with Ahead(scratch) as ahead:
        ahead.turn(work_of(store, name).text)
    assert list(scratch.iterdir()) == []
