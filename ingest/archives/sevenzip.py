"""7z, by py7zr: decoded one after the other, each member to where it belongs."""

import lzma
from typing import BinaryIO

import py7zr
from py7zr.exceptions import ArchiveError, PasswordRequired, UnsupportedCompressionMethodError
from py7zr.io import MemIO, Py7zIO, WriterFactory

from ingest.archives.limits import LimitError
from ingest.archives.members import shown
from ingest.archives.sink import Output, Sink
from reduction.errors import DataError


def read_7z(file: BinaryIO, sink: Sink, name: str) -> None:
    """Unpack a 7z.

    Raises
    ------
    DataError
        It is damaged, encrypted, one part of several, or packed in a way that cannot be read here.
    """
    try:
        with py7zr.SevenZipFile(file, "r") as archive:
            if archive.needs_password():
                raise PasswordRequired
            _members(archive, sink)
    except PasswordRequired as error:
        raise DataError(f"{name}: encrypted; unpack it with its password, and give the files") from error
    except UnsupportedCompressionMethodError as error:
        raise DataError(
            f"{name}: packed by a 7z method not known here ({error.message}); pack it again by LZMA2"
        ) from error
    except (ArchiveError, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(
            f"{name}: damaged, cut off, or one part of several: {error}; copy it again, join the parts"
        ) from error


class _Writer(Py7zIO):
    """What py7zr writes a member to."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, s: bytes | bytearray) -> int:
        return self._output.write(bytes(s))

    def read(self, size: int | None = None) -> bytes:  # noqa: ARG002 - the interface
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: ARG002 - the interface
        return 0

    def flush(self) -> None:
        return

    def size(self) -> int:
        return self._output.bytes

    def close(self) -> None:
        self._output.close()


class _Writers(WriterFactory):
    """Makes the writer of a member when its turn has come."""

    def __init__(self, sink: Sink, refused: str) -> None:
        self._sink, self._refused = sink, refused

    def create(self, filename: str) -> Py7zIO:
        if self._refused:
            self._sink.refuse(filename, self._refused)
            return _Writer(self._sink.nowhere())
        return _Writer(self._sink.file(filename) or self._sink.nowhere())


def _members(archive: py7zr.SevenZipFile, sink: Sink) -> None:
    if len(archive.files) > sink.allowance.room:
        raise LimitError(
            f"{shown(str(archive.filename))}: {len(archive.files)} members; nothing was unpacked"
        )
    for member in archive.files:
        if member.is_directory:
            sink.make(member.filename)
            continue
        link = member.is_symlink or member.is_junction
        refused = "a symbolic link" if link else "no plain file" if member.is_socket else ""
        archive.worker.register_filelike(member.id, MemIO(member.filename, _Writers(sink, refused)))
    archive.worker.extract(archive.fp, None, parallel=False)
