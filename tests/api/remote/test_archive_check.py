"""A ZIP of event data is compared file by file."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from api.remote.archive_check import check_archive
from reduction.errors import DataError
from tests.fuzzing import COUNT, endure, mutations

FILES = {"a/night.ser": b"frames" * 1000, "a/report.txt": b"seen", "README.txt": b"read me"}


def written(path: Path, files: dict[str, bytes], sums: str | None = None) -> Path:
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in FILES.items())
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"event/{name}", data)
        if sums != "":
            archive.writestr("event/SHA256SUMS", sums or lines)
    return path


def test_all_is_as_it_was_sent(tmp_path: Path) -> None:
    assert check_archive(written(tmp_path / "a.zip", FILES)) == 3


@pytest.mark.parametrize(
    ("files", "sums"),
    [
        ({**FILES, "a/report.txt": b"sEEn"}, None),
        ({"README.txt": b"read me"}, None),
        (FILES, ""),
        (FILES, "nonsense\n"),
    ],
)
def test_what_is_not(tmp_path: Path, files: dict[str, bytes], sums: str | None) -> None:
    with pytest.raises(DataError, match="fetch"):
        check_archive(written(tmp_path / "a.zip", files, sums))


def test_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="no event data"):
        check_archive(tmp_path / "a.zip")


def test_mutated_inputs(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.zip", {name: data[:200] for name, data in FILES.items()}).read_bytes()
    inputs = mutations([whole], COUNT, len(whole))

    def read(path: Path) -> None:
        check_archive(path)

    outcomes = endure(tmp_path / "a.zip", inputs, read, "archive_check")
    assert outcomes["DataError"] > COUNT / 2
