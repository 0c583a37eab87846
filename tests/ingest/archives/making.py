"""Archives of every kind, made of the same files."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import py7zr

from tests.ingest.archives.rar_writer import Entry, rar4, rar5
from tests.requirements import require

Files = Mapping[str, bytes]


def zip_bytes(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tar_bytes(files: Files, mode: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def seven_zip_bytes(files: Files, **options: object) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", **options) as archive:  # type: ignore[arg-type]  # as given
        for name, data in files.items():
            archive.writestr(data, name)
    return out.getvalue()


def _entries(files: Files) -> list[Entry]:
    require("rar")
    return [Entry(name, data) for name, data in files.items()]


KINDS: dict[str, Callable[[Files], bytes]] = {
    "zip": zip_bytes,
    "stored.zip": lambda files: zip_bytes(files, zipfile.ZIP_STORED),
    "bzip2.zip": lambda files: zip_bytes(files, zipfile.ZIP_BZIP2),
    "lzma.zip": lambda files: zip_bytes(files, zipfile.ZIP_LZMA),
    "7z": seven_zip_bytes,
    "rar4.rar": lambda files: rar4(_entries(files)),
    "rar5.rar": lambda files: rar5(_entries(files)),
    "tar": tar_bytes,
    "gnu.tar": lambda files: tar_bytes(files, tarfile.GNU_FORMAT),
    "tar.gz": lambda files: gzip.compress(tar_bytes(files), 1),
    "tar.bz2": lambda files: bz2.compress(tar_bytes(files), 1),
    "tar.xz": lambda files: lzma.compress(tar_bytes(files), preset=0),
}
"""Kinds that hold several files."""

SINGLE: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, 1),
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}
"""Kinds that hold one."""


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder, links not followed; anything else than files and folders fails."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode), path
        if stat.S_ISREG(mode):
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found
