"""Rar, by the system's libarchive: entries are read as streams and written here, never by the library."""

import os
import struct
from typing import BinaryIO

from ingest.archives.kinds import Kind
from ingest.archives.sink import Sink
from reduction.errors import DataError, ResourceError

CHUNK = 1 << 20
RAR4_MAIN = 0x73
RAR4_VOLUME, RAR4_ENCRYPTED = 0x0001, 0x0080
RAR5_MAIN, RAR5_ENCRYPTION = 1, 4
RAR5_VOLUME = 0x0001
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
    os.lseek(file.fileno(), 0, os.SEEK_SET)  # the library reads the descriptor, not the buffer
    try:
        import libarchive
    except (OSError, AttributeError, TypeError) as error:
        raise ResourceError(
            f"{name}: rar archives need libarchive: install the Debian package libarchive13 "
            "(or set LIBARCHIVE to its path), or pack the files as a zip"
        ) from error
    reader = "rar" if kind is Kind.RAR4 else "rar5"
    try:
        with libarchive.fd_reader(file.fileno(), format_name=reader, filter_name="none") as entries:
            for entry in entries:
                _member(entry, sink)
    except libarchive.ArchiveError as error:
        reason = ENCRYPTED if "encrypt" in str(error).lower() else f"damaged: {error}; copy it again"
        raise DataError(f"{name}: {reason}") from error


def _member(entry: "libarchive.ArchiveEntry", sink: Sink) -> None:
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
            for data in entry.get_blocks(CHUNK):
                output.write(data)
        finally:
            output.close()
        if entry.size is not None and output.bytes != entry.size:
            raise DataError(f"{name}: {output.bytes} bytes, {entry.size} are stated; copy the archive again")


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
