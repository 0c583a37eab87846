"""`umbra unpack`, and archives given to `umbra inspect` and `umbra ingest`."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.archives.cli import unpack
from ingest.cli import ingest, inspect
from ingest.stack import open_stack
from tests.ingest.archives.making import KINDS, tree, zip_bytes
from tests.ingest.fits_writer import fits_bytes
from tests.ingest.ser_writer import ser_header

PICTURES = np.random.default_rng(1).integers(20, 60, (12, 30, 40), np.uint8)
SER = ser_header(width=40, height=30, frames=12) + PICTURES.tobytes()
FILES = {"n/rec.ser": SER, "n/dark.ser": SER, "n/notes.txt": b"wind", "../evil.txt": b""}


def run(verb: Any, *arguments: object) -> int:
    code: int = verb([str(a) for a in arguments])
    return code


def packed(folder: Path, files: dict[str, bytes] = FILES, name: str = "a.zip") -> Path:
    path = folder / name
    path.write_bytes(zip_bytes(files))
    return path


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_unpack_tells_what_is_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(unpack, packed(tmp_path), tmp_path / "out") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert tree(tmp_path / "out") == {name: data for name, data in FILES.items() if name[0] == "n"}
    lines = [line.split()[:2] for line in out.splitlines()[1:5]]
    assert lines == [
        ["dark", "n/dark.ser:"],
        ["light", "n/rec.ser:"],
        ["notes", "n/notes.txt"],
        ["refused", "../evil.txt:"],
    ]
    assert leftovers(tmp_path) == []


def test_unpack_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(unpack, packed(tmp_path), tmp_path / "out", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["umbra_unpack"] == 1
    assert {item["name"]: item["role"] for item in document["recordings"]} == {
        "n/dark.ser": "dark",
        "n/rec.ser": "light",
    }
    assert document["refused"] == [{"name": "../evil.txt", "why": "a path that leads out of the folder"}]


@pytest.mark.parametrize(
    ("archive", "folder", "code", "message"),
    [
        ("gone.zip", "out", 2, "no such file"),
        ("a.zip", "full", 2, "exists"),
        ("a.ser", "out", 3, "no archive that is known here"),
        ("sick.zip", "out", 3, "no end"),
    ],
)
def test_unpack_refuses(
    archive: str, folder: str, code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed(tmp_path)
    (tmp_path / "a.ser").write_bytes(SER)
    (tmp_path / "sick.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("kept")
    assert run(unpack, tmp_path / archive, tmp_path / folder) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert (tmp_path / "full" / "x").read_text() == "kept"
    assert not (tmp_path / "out").exists()
    assert leftovers(tmp_path) == []


def test_inspect_and_ingest_open_what_is_inside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    archive = packed(tmp_path)
    assert run(inspect, archive, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["input"]["name"], found["input"]["frames"]) == ("rec.ser", 12)
    assert found["header"]["metadata"]["archive"] == "a.zip"
    said = {note["caveat"] for note in found["notes"]}
    assert said >= {"archive-contents-sorted", "archive-members-refused", "calibration-frames-left-out"}
    assert list(scratch.iterdir()) == []

    assert run(ingest, archive, tmp_path / "s" / "a.zarr") == 0
    stack = open_stack(tmp_path / "s" / "a.zarr")
    np.testing.assert_array_equal(stack.read(0, 12), PICTURES)
    assert stack.info.metadata["member"] == "n/rec.ser"
    assert leftovers(tmp_path / "s") == []


def test_an_interrupted_ingest_of_an_archive_goes_on(tmp_path: Path) -> None:
    """The same archive gives the same recording: a second run finds the stack finished."""
    archive = packed(tmp_path)
    assert run(ingest, archive, tmp_path / "a.zarr") == 0
    assert run(ingest, archive, tmp_path / "a.zarr") == 2
    assert run(ingest, archive, tmp_path / "a.zarr", "--overwrite") == 0


def test_member_chooses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"a.ser": SER, "b.fits": fits_bytes(PICTURES)}
    archive = packed(tmp_path, files)
    assert run(inspect, archive) == 2
    assert "--member" in capsys.readouterr().err
    assert run(inspect, archive, "--member", "b.fits") == 0
    assert capsys.readouterr().out.startswith("b.fits: fits")
    assert run(inspect, tmp_path / "a.zip", "--member", "c") == 2
    (tmp_path / "a.ser").write_bytes(SER)
    assert run(inspect, tmp_path / "a.ser", "--member", "a") == 2
    assert run(inspect, archive, tmp_path / "a.ser") == 2
    assert "is an archive" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_inspect_reads_from_every_kind(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / f"night.{kind}"
    archive.write_bytes(KINDS[kind]({"n/rec.ser": SER}))
    assert run(inspect, archive) == 0
    assert "12 of 40 x 30 px" in capsys.readouterr().out


def test_a_cut_gzip_is_salvaged_to_the_last_whole_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = gzip.compress(SER)
    (tmp_path / "rec.ser.gz").write_bytes(data[: len(data) // 2])
    assert run(inspect, tmp_path / "rec.ser.gz", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert 3 <= found["input"]["frames"] < 12
    assert {"archive-incomplete", "file-truncated"} <= {note["caveat"] for note in found["notes"]}
