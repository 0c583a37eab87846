"""Scratch folders that go again."""

import os
from pathlib import Path

import pytest

from ingest.scratch import LOCK, scratch_folder


def aged(folder: Path) -> Path:
    os.utime(folder / LOCK, (1_000_000_000, 1_000_000_000))
    return folder


def left_over(parent: Path, name: str) -> Path:
    folder = parent / name
    (folder / "deep").mkdir(parents=True)
    (folder / LOCK).touch()
    return aged(folder)


def test_it_is_there_within_the_body_alone(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        (folder / "deep").mkdir()
        assert folder.parent == tmp_path
    assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError), scratch_folder(tmp_path):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_what_nobody_holds_is_removed_by_the_next(tmp_path: Path) -> None:
    left = left_over(tmp_path, ".umbra-old")
    with scratch_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert not left.exists()


def test_what_is_held_or_new_or_not_ours_stays(tmp_path: Path) -> None:
    other = tmp_path / "umbra-mine"
    other.mkdir()
    plain = tmp_path / ".umbra-plain"
    plain.mkdir()
    young = left_over(tmp_path, ".umbra-young")
    os.utime(young / LOCK)
    elsewhere = left_over(tmp_path, "elsewhere")
    linked = tmp_path / ".umbra-linked"
    linked.mkdir()
    (linked / LOCK).symlink_to(elsewhere / LOCK)
    with scratch_folder(tmp_path) as first:
        aged(first)
        with scratch_folder(tmp_path) as second:
            assert {first, second, other, plain, young, linked, elsewhere} == set(tmp_path.iterdir())


def test_without_a_place_it_is_a_temporary_folder_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.parent == tmp_path
