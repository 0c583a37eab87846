"""Tar, read from front to back: ustar, GNU long names, pax paths and sizes."""

import tarfile
from typing import Protocol

from ingest.archives.kinds import TAR_BLOCK
from ingest.archives.sink import Sink
from reduction.errors import DataError

CHUNK = 1 << 20
LONGEST_HEADER = 1 << 20
"""Bytes of a pax header or a long name."""

PLAIN = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
NAMED = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
}


class Stream(Protocol):
    """What is read from."""

    def read(self, size: int, /) -> bytes: ...  # noqa: D102


class _CutError(Exception):
    """The archive ends here."""


def read_tar(stream: Stream, sink: Sink, name: str) -> None:
    """Unpack a tar; where it is cut off, what came before is kept, the last member up to there.

    Raises
    ------
    DataError
        A header is damaged, or says what cannot be.
    """
    pending: dict[str, str] = {}
    try:
        while (block := _exactly(stream, TAR_BLOCK)).strip(b"\0"):
            pending = _member(stream, sink, name, block, pending)
    except _CutError:
        sink.notes.append(f"{name} is cut off; what came before is used")


def _member(stream: Stream, sink: Sink, name: str, block: bytes, pending: dict[str, str]) -> dict[str, str]:
    """Unpack one member, or read the header of the next; returns what that header says."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise DataError(
            f"{name}: the header of member {sink.allowance.members + 1} is damaged ({error}); copy it again"
        ) from error
    size = _size(pending.get("size", str(info.size)), name)
    if info.type in {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE}:
        return _extension(stream, name, info, size, pending)
    path = pending.get("path", info.name)
    if info.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse") for key in pending):
        more = info.type == tarfile.GNUTYPE_SPARSE and block[482]
        while more:
            more = _exactly(stream, TAR_BLOCK)[504]
        sink.refuse(path, "a sparse file; pack it without --sparse")
        _skip(stream, sink, size)
    elif info.type == tarfile.DIRTYPE or (info.type == tarfile.AREGTYPE and path.endswith("/")):
        sink.make(path)
        _skip(stream, sink, size)
    elif info.type in PLAIN:
        _file(stream, sink, path, size)
    else:
        sink.refuse(path, NAMED.get(info.type, f"a member of type {info.type!r}"))
        _skip(stream, sink, 0 if info.type in NAMED else size)
    return {}


def _extension(
    stream: Stream, name: str, info: tarfile.TarInfo, size: int, pending: dict[str, str]
) -> dict[str, str]:
    """What a header says about the member after it."""
    if size > LONGEST_HEADER:
        raise DataError(f"{name}: a header of {size} bytes; the archive is damaged")
    content = _exactly(stream, -(-size // TAR_BLOCK) * TAR_BLOCK)[:size]
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return {**pending, "path": content.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    if info.type == tarfile.XHDTYPE:
        return {**pending, **_records(content, name)}
    return pending


def _records(content: bytes, name: str) -> dict[str, str]:
    """Records of a pax header (POSIX.1-2001): ``length key=value newline``."""
    found: dict[str, str] = {}
    at = 0
    while at < len(content):
        digits, blank, _ = content[at : at + 20].partition(b" ")
        length = int(digits) if blank and digits.isdigit() else 0
        record = content[at + len(digits) + 1 : at + length - 1]
        key, equals, value = record.partition(b"=")
        if not equals or length < len(digits) + 3 or at + length > len(content):
            raise DataError(f"{name}: a pax header is damaged at byte {at}; copy it again")
        found[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        at += length
    return found


def _size(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise DataError(f"{name}: a member of {text[:20]!r} bytes; the archive is damaged")
    return int(text)


def _file(stream: Stream, sink: Sink, path: str, size: int) -> None:
    output = sink.file(path)
    if output is None:
        _skip(stream, sink, size)
        return
    left = size
    try:
        while left:
            data = stream.read(min(left, CHUNK))
            if not data:
                raise _CutError
            output.write(data)
            left -= len(data)
    finally:
        output.close(cut=left > 0)
    _exactly(stream, -size % TAR_BLOCK)


def _skip(stream: Stream, sink: Sink, size: int) -> None:
    output = sink.nowhere()
    left = -(-size // TAR_BLOCK) * TAR_BLOCK
    while left:
        data = stream.read(min(left, CHUNK))
        if not data:
            raise _CutError
        output.write(data)
        left -= len(data)


def _exactly(stream: Stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise _CutError
        data += more
    return data
