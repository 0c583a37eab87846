"""Rar, by the system's libarchive: entries are read as streams and written here, never by the library."""

import os
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from ingest.archives.kinds import Kind
from ingest.archives.members import shown
from ingest.archives.sink import Sink
from reduction.errors import DataError, ResourceError

if TYPE_CHECKING:
    import libarchive

CHUNK = 1 << 20
FURTHEST = 1 << 62
"""Beyond any place in a file."""

RAR4_SIGNATURE = b"Rar!\x1a\x07\x00"
RAR4_MAIN, RAR4_FILE = 0x73, 0x74
RAR4_LARGE, RAR4_LONG = 0x0100, 0x8000
"""A file of 4 GiB or more; a block that is followed by data."""

RAR4_VOLUME, RAR4_ENCRYPTED = 0x0001, 0x0080
RAR5_MAIN, RAR5_ENCRYPTION = 1, 4
RAR5_FILE = 2
RAR5_VOLUME = 0x0001
RAR5_EXTRA, RAR5_DATA = 1, 2
RAR5_TIME, RAR5_CHECKSUM = 2, 4
ENCRYPTED = "encrypted; unpack it with its password, and give the files"


def read_rar(file: BinaryIO, sink: Sink, name: str, kind: Kind) -> None:
    """Unpack a rar, version 4 or 5.

    Raises
    ------
    DataError
        It is damaged, encrypted, or one part of several.
    ResourceError
        libarchive is not installed.
    """
    head = file.read(4096)
    volume, encrypted = _rar4_flags(head) if kind is Kind.RAR4 else _rar5_flags(head)
    if encrypted:
        raise DataError(f"{name}: {ENCRYPTED}")
    if volume:
        raise DataError(f"{name}: one part of several; unpack the set, and give the files")
    try:
        import libarchive
    except (OSError, AttributeError, TypeError) as error:
        raise ResourceError(
            f"{name}: rar archives need libarchive: install the Debian package libarchive13 "
            "(or set LIBARCHIVE to its path), or pack the files as a zip"
        ) from error
    checksums = iter(list(_rar4_checksums(file) if kind is Kind.RAR4 else _rar5_checksums(file)))
    os.lseek(file.fileno(), 0, os.SEEK_SET)  # the library reads the descriptor, not the buffer
    reader = "rar" if kind is Kind.RAR4 else "rar5"
    try:
        with libarchive.fd_reader(file.fileno(), format_name=reader, filter_name="none") as entries:
            for entry in entries:
                _member(entry, sink, next(checksums, None))
    except (libarchive.ArchiveError, _DamagedError) as error:
        told = error.msg if isinstance(error, libarchive.ArchiveError) else error  # without its pointer
        reason = ENCRYPTED if "encrypt" in str(told).lower() else f"damaged: {told}; copy it again"
        raise DataError(f"{name}: {reason}") from error


def _member(entry: "libarchive.ArchiveEntry", sink: Sink, checksum: int | None) -> None:
    stated = entry.pathname
    name = stated.decode("utf-8", "surrogateescape") if isinstance(stated, bytes) else str(stated or "")
    if entry.isdir:
        sink.make(name)
    elif entry.issym or entry.islnk:
        sink.refuse(name, "a symbolic link" if entry.issym else "a hard link")
    elif not entry.isreg:
        sink.refuse(name, "no plain file")
    else:
        output = sink.file(name)
        if output is None:
            return
        try:
            found = 0
            for data in entry.get_blocks(CHUNK):
                found = zlib.crc32(data, found)
                output.write(data)
        finally:
            output.close()
        if entry.size is not None and output.bytes != entry.size:
            raise _DamagedError(f"{shown(name)} has {output.bytes} bytes, {entry.size} are stated")
        if checksum is not None and found != checksum:
            raise _DamagedError(f"the checksum of {shown(name)} is wrong")


class _DamagedError(Exception):
    """A member that is not what its header says."""


def _rar4_checksums(file: BinaryIO) -> Iterator[int]:
    """Checksums of entries, block by block: libarchive 3.6 does not check those of stored members."""
    at = len(RAR4_SIGNATURE)
    while True:
        file.seek(at)
        head = file.read(36)
        if len(head) < 7:
            return
        kind, flags, size = struct.unpack_from("<BHH", head, 2)
        packed = struct.unpack_from("<I", head, 7)[0] if flags & RAR4_LONG and len(head) >= 11 else 0
        if kind == RAR4_FILE and len(head) >= 32:
            yield struct.unpack_from("<I", head, 16)[0]
            if flags & RAR4_LARGE and len(head) == 36:
                packed += struct.unpack_from("<I", head, 32)[0] << 32
        at += size + packed
        if size < 7 or at > FURTHEST:
            return


def _rar4_flags(head: bytes) -> tuple[bool, bool]:
    """Whether the main header (after 7 bytes of signature) says volume and encrypted headers."""
    if len(head) < 14 or head[9] != RAR4_MAIN:
        return False, False
    (flags,) = struct.unpack_from("<H", head, 10)
    return bool(flags & RAR4_VOLUME), bool(flags & RAR4_ENCRYPTED)


def _rar5_flags(head: bytes) -> tuple[bool, bool]:
    """The same of version 5: checksum, size, type, flags, [extra size], archive flags."""
    at = 12
    values: list[int] = []
    for _ in range(5):
        value, at = _vint(head, at)
        values.append(value)
    _, kind, flags, third, fourth = values
    archive = fourth if flags & 1 else third
    return kind == RAR5_MAIN and bool(archive & RAR5_VOLUME), kind == RAR5_ENCRYPTION


def _rar5_checksums(file: BinaryIO) -> Iterator[int | None]:
    """The same of version 5, where an entry may have none."""
    at = len(RAR4_SIGNATURE) + 1
    while True:
        file.seek(at)
        head = file.read(128)
        size, body = _vint(head, 4)
        if len(head) < 8 or not size:
            return
        kind, place = _vint(head, body)
        flags, place = _vint(head, place)
        _, place = _vint(head, place) if flags & RAR5_EXTRA else (0, place)
        packed, place = _vint(head, place) if flags & RAR5_DATA else (0, place)
        if kind == RAR5_FILE:
            stated, place = _vint(head, place)
            for _ in range(2):  # unpacked size, attributes
                _, place = _vint(head, place)
            place += 4 if stated & RAR5_TIME else 0
            has = stated & RAR5_CHECKSUM and len(head) >= place + 4
            yield struct.unpack_from("<I", head, place)[0] if has else None
        at += body + size + packed
        if at > FURTHEST:
            return


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits to a byte, lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            break
    return value, at
