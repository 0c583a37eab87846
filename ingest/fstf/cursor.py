"""Fields of an FSTF file one after the other, none read beyond the file's end."""

import struct

from ingest.rawfile import RawFile
from reduction.errors import DataError

CHUNK = 4096
MOST_PAIRS = 10_000
"""Entries of a table of tags; real ones have some dozens."""


class Cursor:
    """A place in a file that moves on with what is read.

    Parameters
    ----------
    file : RawFile
        The file.
    offset : int
        Where to begin.
    wide : bool
        Texts have lengths of two bytes (version 2), not of one.
    what : str
        What stands there, for messages.

    Raises
    ------
    DataError
        The place lies outside the file; so do all methods when the file ends before a field.
    """

    def __init__(self, file: RawFile, offset: int, wide: bool, what: str) -> None:
        self._file, self._wide, self._what = file, wide, what
        self._chunk, self._at = b"", 0
        self._offset = offset
        if not 0 <= offset <= file.size:
            raise DataError(
                f"{file.path.name}: the {what} should stand at byte {offset}, the file has {file.size}; "
                "it is damaged or cut off"
            )

    @property
    def offset(self) -> int:
        """Where in the file the next field stands."""
        return self._offset + self._at

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if self._at + size > len(self._chunk):
            self._offset, self._at = self.offset, 0
            self._chunk = self._file.read_bytes(max(size, CHUNK), self._offset)
            if len(self._chunk) < size:
                raise DataError(
                    f"{self._file.path.name}: ends at byte {self._file.size} within the {self._what}, which "
                    f"needs {size} more from byte {self._offset}; it is damaged or cut off"
                )
        self._at += size
        return self._chunk[self._at - size : self._at]

    def number(self, code: str) -> int:
        """An integer by its `struct` code, little-endian."""
        (value,) = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))
        return int(value)

    def text(self) -> str:
        """A text with its length before it."""
        return self.take(self.number("H" if self._wide else "B")).decode("utf-8", "replace")

    def pairs(self, count: int) -> dict[str, str]:
        """`count` texts with a text each; of equal names the last holds.

        Raises
        ------
        DataError
            More than any recorder writes.
        """
        if count > MOST_PAIRS:
            raise DataError(
                f"{self._file.path.name}: the {self._what} claims {count} entries, at most {MOST_PAIRS} are "
                "plausible; the file is damaged"
            )
        return {self.text(): self.text() for _ in range(count)}
