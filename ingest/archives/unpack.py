"""The process that unpacks: ``python -m ingest.archives.unpack ARCHIVE FOLDER LIMITS``.

It limits itself before it parses anything, writes only below FOLDER, and says how it goes as JSON lines.
"""

import errno
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

from ingest.archives.folder import SafeFolder
from ingest.archives.kinds import HEAD_BYTES, STREAMS, Kind, archive_kind, is_tar
from ingest.archives.limits import Allowance, LimitError, Limits
from ingest.archives.members import Parts
from ingest.archives.sink import Sink
from ingest.archives.streams import Decompressed
from ingest.archives.tarred import read_tar
from ingest.archives.zipped import is_document, read_zip
from reduction.errors import DataError, UmbraError

CHUNK = 1 << 20
SUFFIXES = (
    ".tar.gz",
    ".tar.bz2",
    ".tar.xz",
    ".tgz",
    ".tbz2",
    ".tbz",
    ".txz",
    ".gz",
    ".bz2",
    ".xz",
    ".tar",
    ".zip",
    ".7z",
    ".rar",
)


def main(arguments: list[str]) -> int:
    """Unpack; returns 0, or 1 after a line that says what is wrong."""
    path, folder, text = arguments
    limits = Limits(**json.loads(text))
    name = os.path.basename(path)  # noqa: PTH119 - a string stays one
    limits.confine()
    try:
        with SafeFolder(folder) as target, open(path, "rb", buffering=0) as raw:  # noqa: PTH123
            size = os.fstat(raw.fileno()).st_size
            allowance = Allowance(name, size, limits)
            sink = Sink(target, allowance, partial(_say_position, raw))
            with os.fdopen(os.dup(raw.fileno()), "rb") as file:
                _unpack(file, sink, name, limits)
                _require_files(sink, name)
            _nested(sink, limits)
    except UmbraError as error:
        return _fail(type(error).__name__, str(error))
    except MemoryError:
        return _fail("DataError", f"{name}: needs more than {limits.memory >> 20} MiB of memory to unpack")
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            return _fail("ResourceError", f"{name}: the disk is full; make room, or work on another disk")
        if error.errno in {errno.EINVAL, errno.EOVERFLOW}:  # a place that no file can have
            return _fail("DataError", f"{name}: damaged: its header points to nowhere; copy it again")
        return _fail("ResourceError", f"{name}: cannot be unpacked: {error}")
    _say({"done": sink.document()})
    return 0


def _require_files(sink: Sink, name: str) -> None:
    if not sink.files:
        refused = f"; {sink.refused[0][0]}: {sink.refused[0][1]}" if sink.refused else ""
        raise DataError(f"{name}: no file in it{refused}")


def _unpack(file: BinaryIO, sink: Sink, name: str, limits: Limits) -> None:
    """Unpack one archive, whatever it is, into the folder that the sink is within."""
    kind = archive_kind(file.read(HEAD_BYTES))
    file.seek(0)
    if kind in STREAMS:
        _read_stream(file, kind, sink, name, limits)
    elif kind is Kind.ZIP:
        read_zip(file, sink, name)
    elif kind is Kind.TAR:
        read_tar(file, sink, name)
    elif kind is Kind.SEVEN_ZIP:
        from ingest.archives.sevenzip import read_7z

        read_7z(file, sink, name)
    elif kind is not None:
        from ingest.archives.rarred import read_rar

        read_rar(file, sink, name, kind)
    else:
        raise DataError(f"{name}: no archive that is known here")


def _read_stream(file: BinaryIO, kind: Kind, sink: Sink, name: str, limits: Limits) -> None:
    """Unpack a compressed stream: a tar, or one file that is called as the archive without its suffix."""
    stream = Decompressed(file, kind, name, limits.memory // 2)
    head = b""
    while len(head) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(head))):
        head += more
    rest = _Joined(head, stream.read)
    if is_tar(head):
        read_tar(rest, sink, name)
    else:
        sink.within = sink.within[:-1]
        output = sink.file(_without_suffix(name.rpartition("/")[2])) or sink.nowhere()
        try:
            while data := rest.read(CHUNK):
                output.write(data)
        finally:
            output.close(cut=stream.cut)
        if stream.cut:
            sink.notes.append(f"{name} is cut off; what came before is used")
    if stream.trailing:
        sink.notes.append(f"{name}: something that does not belong to it follows its end and is left out")


class _Joined:
    """Bytes that were read already, and those after them."""

    def __init__(self, head: bytes, read: Callable[[int], bytes]) -> None:
        self._head, self._read = head, read

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        if self._head:
            found, self._head = self._head[:size], self._head[size:]
            return found
        return self._read(size)


def _nested(sink: Sink, limits: Limits) -> None:
    """Unpack the archives that were inside, each into a folder of its name; those inside them stay."""
    for member in list(sink.files):
        parts = member.parts
        if not _is_archive(sink.folder, parts):
            continue
        before = len(sink.files)
        sink.within = (*parts[:-1], _without_suffix(parts[-1]))
        try:
            with os.fdopen(sink.folder.open(parts), "rb") as file:
                _unpack(file, sink, member.path, limits)
        except LimitError:
            raise
        except DataError as error:
            sink.take_back(before)
            sink.notes.append(f"left packed: {error}")
            continue
        finally:
            sink.within = ()
        for inner in sink.files[before:]:
            if _is_archive(sink.folder, inner.parts):
                sink.notes.append(f"left packed: {inner.path}: an archive in an archive in an archive")
        sink.folder.remove(parts)
        sink.files.remove(member)


def _is_archive(folder: SafeFolder, parts: Parts) -> bool:
    with os.fdopen(folder.open(parts), "rb") as file:
        kind = archive_kind(file.read(HEAD_BYTES))
        return kind is not None and not (kind is Kind.ZIP and is_document(file))


def _without_suffix(name: str) -> str:
    lower = name.lower()
    suffix = next((suffix for suffix in SUFFIXES if lower.endswith(suffix)), "")
    return name[: len(name) - len(suffix)] or "content"


def _fail(kind: str, message: str) -> int:
    _say({"error": kind, "message": message})
    return 1


def _say_position(file: BinaryIO) -> None:
    _say({"at": os.lseek(file.fileno(), 0, os.SEEK_CUR)})


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
