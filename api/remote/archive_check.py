"""Event data that was fetched is what was sent: every file of the ZIP by its SHA-256."""

import hashlib
import lzma
import re
import struct
import zipfile
import zlib
from pathlib import Path

from reduction.errors import DataError

SUMS = "SHA256SUMS"
MOST_SUMS_BYTES = 64 << 20
LINE = re.compile(r"^([0-9a-f]{64})  (.+)$")
PART_BYTES = 1 << 20
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    OverflowError,
    KeyError,
)
"""What zipfile raises of damaged and odd archives; an encrypted one is a RuntimeError."""


def check_archive(path: Path) -> int:
    """Compare every file of a ZIP with the SHA-256 that its list names; how many there were.

    Raises
    ------
    DataError
        A file is missing or differs, or it is no such archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            listed = _listed(archive)
            there = {name for name in archive.namelist() if not name.endswith("/")}
            lacking = sorted(set(listed) - there)
            wrong = lacking or [name for name, sha256 in listed.items() if _digest(archive, name) != sha256]
    except BROKEN as error:
        raise DataError(f"{path}: no event data that can be read: {error}; fetch it again") from error
    if wrong:
        raise DataError(
            f"{path}: {len(wrong)} files are not as they were sent, {wrong[0]} first; fetch again"
        )
    return len(listed)


def _listed(archive: zipfile.ZipFile) -> dict[str, str]:
    """SHA-256 by name of member; raises ValueError where there is no list."""
    lists = [one for one in archive.infolist() if one.filename.rpartition("/")[2] == SUMS]
    if len(lists) != 1 or lists[0].file_size > MOST_SUMS_BYTES:
        raise ValueError(f"{len(lists)} lists of SHA-256 in it")
    folder, slash, _ = lists[0].filename.rpartition("/")
    listed: dict[str, str] = {}
    for line in archive.read(lists[0]).decode().splitlines():
        found = LINE.match(line)
        if found is None:
            raise ValueError(f"{line!r:.100}: no line of {SUMS}")
        listed[f"{folder}{slash}{found[2]}"] = found[1]
    return listed


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    found = hashlib.sha256()
    with archive.open(name) as file:
        while part := file.read(PART_BYTES):
            found.update(part)
    return found.hexdigest()
