import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from reduction.errors import RequestError, ResourceError
from reduction.outputs import FILES, check_out, write_outputs
from reduction.outputs import folder as folder_module
from reduction.outputs.folder import PARTIAL
from reduction.outputs.summary import summarise, summary_text
from reduction.outputs.verdict import judge
from reduction.result import ReductionResult


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes the summary alone, and a few bytes for every other file: these tests are of the folder."""

    def write(result: ReductionResult, folder: Path) -> None:
        for name in FILES:
            (folder / name).write_text(name)
        summary = summarise(result, judge(result), FILES)
        (folder / "summary.json").write_text(summary_text(summary), encoding="utf-8")

    monkeypatch.setattr(folder_module, "_write_files", write)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_writes_everything_and_nothing_else(small: ReductionResult, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "a"
    assert write_outputs(small, out, overwrite=False) == out
    assert names(out) == sorted(FILES)
    assert names(tmp_path / "runs") == ["a"]
    assert json.loads((out / "summary.json").read_text())["files"] == list(FILES)
    assert all((out / name).stat().st_size > 500 for name in FILES)
    assert out.stat().st_mode & 0o777 == 0o777 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_equal_results_give_equal_bytes(small: ReductionResult, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_outputs(small, tmp_path / name, overwrite=False)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


@pytest.mark.usefixtures("quick")
def test_an_empty_folder_is_taken(small: ReductionResult, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write_outputs(small, tmp_path / "a", overwrite=False)
    assert names(tmp_path / "a") == sorted(FILES)


@pytest.mark.usefixtures("quick")
def test_a_link_to_a_folder_is_followed(small: ReductionResult, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "disk")
    write_outputs(small, tmp_path / "a", overwrite=False)
    assert (tmp_path / "a").is_symlink()
    assert names(tmp_path / "disk") == sorted(FILES)


@pytest.mark.usefixtures("quick")
def test_an_older_output_needs_overwrite(small: ReductionResult, tmp_path: Path) -> None:
    out = tmp_path / "a"
    write_outputs(small, out, overwrite=False)
    with pytest.raises(RequestError, match="exists and is not empty; add --overwrite"):
        check_out(out, overwrite=False)
    newer = replace(small, source=replace(small.source, name="newer.ser"))
    write_outputs(newer, out, overwrite=True)
    assert json.loads((out / "summary.json").read_text())["input"]["name"] == "newer.ser"
    assert names(tmp_path / "a") == sorted(FILES)
    assert names(tmp_path) == ["a", "segments"]


@pytest.mark.usefixtures("quick")
def test_where_folders_cannot_be_exchanged(
    small: ReductionResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "_exchange", lambda *_: False)
    out = tmp_path / "a"
    write_outputs(small, out, overwrite=False)
    write_outputs(replace(small, source=replace(small.source, name="newer.ser")), out, overwrite=True)
    assert json.loads((out / "summary.json").read_text())["input"]["name"] == "newer.ser"
    assert names(tmp_path) == ["a", "segments"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("exchange", [True, False])
def test_interrupted_at_any_rename_the_old_or_the_new_is_there(
    small: ReductionResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    out = tmp_path / "a"
    write_outputs(small, out, overwrite=False)
    if not exchange:
        monkeypatch.setattr(folder_module, "_exchange", lambda *_: False)
    rename = Path.rename
    newer = replace(small, source=replace(small.source, name="newer.ser"))
    for stop_at in range(1, 4):
        calls = 0

        def counted(self: Path, target: Path, stop_at: int = stop_at) -> Path:
            nonlocal calls
            calls += 1
            if calls == stop_at:
                raise KeyboardInterrupt
            return rename(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", counted)
            if exchange:
                write_outputs(newer, out, overwrite=True)
            else:
                with pytest.raises(KeyboardInterrupt):
                    write_outputs(newer, out, overwrite=True)
        assert names(out) == sorted(FILES)
        name = json.loads((out / "summary.json").read_text())["input"]["name"]
        assert name == ("newer.ser" if exchange or stop_at == 3 else small.source.name)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("what", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("older", [True, False])
def test_a_failure_leaves_what_was_there(
    small: ReductionResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: BaseException, older: bool
) -> None:
    out = tmp_path / "a"
    if older:
        write_outputs(small, out, overwrite=False)
        before = {name: (out / name).read_bytes() for name in FILES}

    def fail(*_: object) -> None:
        raise what

    monkeypatch.setattr(folder_module, "_flush", fail)
    expected = KeyboardInterrupt if isinstance(what, KeyboardInterrupt) else ResourceError
    with pytest.raises(expected):
        write_outputs(small, out, overwrite=True)
    assert names(tmp_path) == (["a", "segments"] if older else ["segments"])
    if older:
        assert {name: (out / name).read_bytes() for name in FILES} == before


@pytest.mark.usefixtures("quick")
def test_a_full_disk_is_a_resource_error(
    small: ReductionResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "stars.parquet")

    monkeypatch.setattr(folder_module, "_flush", full)
    with pytest.raises(ResourceError, match=r"No space left on device \(stars.parquet\); make room"):
        write_outputs(small, tmp_path / "a", overwrite=False)


@pytest.mark.usefixtures("quick")
def test_stale_folders_are_ignored(small: ReductionResult, tmp_path: Path) -> None:
    stale = tmp_path / f".a.{PARTIAL}-00c0ffee"
    stale.mkdir()
    (stale / "lightcurve.csv").write_text("half")
    write_outputs(small, tmp_path / "a", overwrite=False)
    assert (stale / "lightcurve.csv").read_text() == "half"


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(RequestError, match="is a file"):
            check_out(tmp_path / "a", overwrite)
    with pytest.raises(RequestError, match="is not a folder"):
        check_out(tmp_path / "a" / "b", overwrite=True)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"thesis.tex": "x"}, "it has no summary.json"),
        ({"summary.json": "{"}, "summary.json is not Umbra's"),
        ({"summary.json": "[]"}, "summary.json is not Umbra's"),
        ({"summary.json": '{"schema": 3}'}, "summary.json is not Umbra's"),
        ({"summary.json": '{"schema": "umbra-summary-1", "files": 5}'}, "holds summary.json, not written by"),
        (
            {"summary.json": '{"schema": "umbra-summary-1", "files": ["summary.json"]}', "notes.txt": "mine"},
            "holds notes.txt, not written by Umbra",
        ),
    ],
)
def test_what_umbra_did_not_write_is_never_overwritten(
    small: ReductionResult, tmp_path: Path, files: dict[str, str], words: str
) -> None:
    out = tmp_path / "a"
    out.mkdir()
    for name, text in files.items():
        (out / name).write_text(text)
    with pytest.raises(RequestError, match=words):
        write_outputs(small, out, overwrite=True)
    assert {p.name: p.read_text() for p in out.iterdir()} == files


def test_the_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    for out in (Path(), Path(".."), tmp_path):
        with pytest.raises(RequestError, match=r"holds the current folder|mount point"):
            check_out(out, overwrite=True)
    check_out(Path("new"), overwrite=False)


def test_a_mount_point_is_refused() -> None:
    with pytest.raises(RequestError, match="mount point"):
        check_out(Path("/"), overwrite=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_parent_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ResourceError, match="cannot be written"):
            check_out(tmp_path / "a", overwrite=False)
    finally:
        tmp_path.chmod(0o700)
