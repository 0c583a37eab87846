"""Compressed streams (gzip, bzip2, xz) in bounded memory; where one is cut off, what came before is kept."""

import bz2
import lzma
import zlib
from typing import BinaryIO, Protocol

from ingest.archives.kinds import Kind
from reduction.errors import DataError

READ_BYTES = 1 << 18
MAGIC = {Kind.GZIP: b"\x1f\x8b", Kind.BZIP2: b"BZh", Kind.XZ: b"\xfd7zXZ\x00"}


class Decoder(Protocol):
    """What bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...  # noqa: D102
    @property
    def needs_input(self) -> bool: ...  # noqa: D102
    @property
    def unused_data(self) -> bytes: ...  # noqa: D102
    def decompress(self, data: bytes, max_length: int) -> bytes: ...  # noqa: D102


class _Gzip:
    """zlib in the shape of the others."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail and not self._full

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    _full = False

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self._full = len(out) == max_length  # more may wait inside
        return out


class Decompressed:
    """The content of a compressed file, read from front to back.

    Parameters
    ----------
    file : binary file
    kind : Kind
        One of `STREAMS`.
    name : str
        For messages.
    memory : int
        Bytes that xz may ask for.

    Attributes
    ----------
    cut : bool
        The file ended within a stream.
    trailing : bool
        Something that is no stream followed the last one.
    """

    def __init__(self, file: BinaryIO, kind: Kind, name: str, memory: int) -> None:
        self._file, self._kind, self._name, self._memory = file, kind, name, memory
        self._decoder = self._new()
        self._waiting = b""
        self._ended = False
        self.cut = False
        self.trailing = False
        self.position = 0

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end.

        Raises
        ------
        DataError
            The stream is damaged, or needs more memory than it may have.
        """
        while not self._ended:
            try:
                out = self._step(size)
            except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
                if "memory" in str(error).lower():
                    raise DataError(
                        f"{self._name}: needs more than {self._memory >> 20} MiB of memory to unpack"
                    ) from error
                raise DataError(
                    f"{self._name}: damaged after {self.position} bytes: {error}; copy it again"
                ) from error
            if out:
                self.position += len(out)
                return out
        return b""

    def _step(self, size: int) -> bytes:
        decoder = self._decoder
        if decoder.eof:
            self._next()
            return b""
        data = self._waiting
        if not data and decoder.needs_input:
            data = self._file.read(READ_BYTES)
            if not data:
                self._ended = self.cut = True
                return b""
        self._waiting = b""
        return decoder.decompress(data, size)

    def _next(self) -> None:
        """Go on with the stream that follows, over padding of zeros."""
        rest = self._decoder.unused_data
        magic = MAGIC[self._kind]
        while True:
            rest = rest.lstrip(b"\0")
            if len(rest) >= len(magic):
                break
            more = self._file.read(READ_BYTES)
            if not more:
                break
            rest += more
        if rest.startswith(magic):
            self._decoder, self._waiting = self._new(), rest
        else:
            self._ended, self.trailing = True, bool(rest)

    def _new(self) -> Decoder:
        if self._kind is Kind.GZIP:
            return _Gzip()
        if self._kind is Kind.BZIP2:
            return bz2.BZ2Decompressor()
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=self._memory)
