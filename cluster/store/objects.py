"""Objects: bytes under names. What a store needs of a disk or a server, and no more."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

PART = 8 * 2**20
"""Bytes held at a time; larger objects go up in parts of this size."""

PIECE = 2**20
"""Bytes of a range that are held at a time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object: its name, its size in bytes, and when it was written."""

    name: str
    size: int
    changed: datetime


class MissingError(KeyError):
    """There is no object of that name."""


class Objects(Protocol):
    """Bytes under names like ``results/abc/commit.json``. Safe for threads.

    An object is there whole, under its name, or not at all. Names have segments of ``A-Za-z0-9._=-`` only.
    Every method raises `ResourceError` where the disk or the server fails.
    """

    @property
    def url(self) -> str:
        """Where they are."""
        ...

    @property
    def streams(self) -> int:
        """How many objects are best read or written at once."""
        ...

    def create(self, name: str, data: bytes, after: Sequence[str] = ()) -> bool:
        """Write an object unless there is one; False if there is, with other content.

        What was staged under the names `after` is safe before the object is there.
        """
        ...

    def put(self, name: str, data: bytes) -> None:
        """Write an object, or replace it."""
        ...

    def upload(self, name: str, parts: Iterator[bytes], size: int) -> None:
        """Write an object of so many bytes in parts; where `parts` raises, there is none."""
        ...

    def stage(self, name: str, parts: Iterator[bytes], size: int) -> None:
        """Write an object that nobody relies on before `create` has been told of it.

        Where `parts` raises or the process ends, a part of it may be there.
        """
        ...

    def get(self, name: str) -> bytes:
        """Return a small object. Raises `MissingError`."""
        ...

    def read(self, name: str) -> Iterator[bytes]:
        """Return an object in parts. Raises `MissingError`."""
        ...

    def read_range(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """Return bytes `start` to `stop` of an object in pieces of at most `PIECE`; fewer where it ends.

        Raises `MissingError`, with the first piece.
        """
        ...

    def size(self, name: str) -> int | None:
        """Return the size of an object in bytes; None without one."""
        ...

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Objects whose names begin with `prefix`, a folder with its slash or empty; sorted by name."""
        ...

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders right below `prefix`, sorted."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; one that is not there counts as removed."""
        ...

    def unfinished(self) -> Iterator[Entry]:
        """Find remains of writing that was cut off, if they can be told."""
        ...

    def drop_unfinished(self, name: str) -> None:
        """Remove one of them."""
        ...
