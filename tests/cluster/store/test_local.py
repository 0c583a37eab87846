"""A store on a disk."""

from pathlib import Path

import pytest

from cluster.store import open_store
from reduction.errors import RequestError
from tests.contracts import stores
from tests.contracts.stores import StoreContract

store = stores.store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "the store")


class TestLocalStore(StoreContract):
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
