"""What a backup writes about itself."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cluster.store.records import Record, Sha256
from reduction.errors import DataError

PIECE = 8 << 20
"""Bytes of rows or lines, before they are compressed, that become one object."""

MOST_PROBLEMS = 1000
"""Problems that a manifest tells one by one."""

BACKUP_ID = re.compile(r"^\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{4}$")
STORE, UPLOADS, JOBS = "store/", "uploads/", "jobs/"
"""What the names of saved files begin with: objects of the store, and files in the service's home."""


class Mark(Record):
    """What makes a folder or a prefix a place of backups."""

    form: Literal["umbra-backups-1"] = Field(default="umbra-backups-1", alias="schema")


class Lock(Record):
    """Who writes to a place of backups.

    Attributes
    ----------
    home : str
        Random name of the home of the service.
    token : str
        Of this one run.
    """

    form: Literal["umbra-backup-lock-1"] = Field(default="umbra-backup-lock-1", alias="schema")
    home: str
    token: str
    when: str


class Part(BaseModel):
    """Rows of a table, or lines of the list of files: one object, compressed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    sha256: Sha256
    size: int = Field(ge=0)
    count: int = Field(ge=1)


class SavedTable(BaseModel):
    """A table: how many rows, and in which parts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: str
    columns: tuple[str, ...]
    kinds: tuple[Literal["plain", "json", "bytes"], ...]
    rows: int = Field(ge=0)
    parts: tuple[Part, ...]


class EndedUpload(BaseModel):
    """An upload that was ended between the snapshot and the copy; `state` is empty where it was deleted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    state: str
    problem: str


class Manifest(Record):
    """A backup. It exists once this does.

    Attributes
    ----------
    taken : str
        Instant of the snapshot of the database, UTC.
    revision : str
        Last migration of the database.
    queue : int
        Form of the tables of the queue.
    lists : tuple of Part
        Lines of files, sorted within each kind of name.
    files, size : int
        Files of the lists, and their bytes.
    problems : tuple of str
        What was missing or damaged by then; the first of them.
    """

    form: Literal["umbra-backup-1"] = Field(default="umbra-backup-1", alias="schema")
    id: Annotated[str, Field(pattern=BACKUP_ID.pattern)]
    taken: str
    finished: str
    version: str
    revision: str
    queue: int
    tables: tuple[SavedTable, ...]
    lists: tuple[Part, ...]
    files: int = Field(ge=0)
    size: int = Field(ge=0)
    ended: tuple[EndedUpload, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def parts(self) -> Iterator[Part]:
        """All its own objects."""
        for table in self.tables:
            yield from table.parts
        yield from self.lists

    @property
    def instant(self) -> datetime:
        """Instant of the snapshot."""
        return datetime.fromisoformat(self.taken)


@dataclass(frozen=True, slots=True)
class Line:
    """A saved file, or a piece of one: bytes from `start` on."""

    name: str
    start: int
    size: int
    sha256: str

    def encoded(self) -> bytes:
        """As it is kept."""
        return _json([self.name, self.start, self.size, self.sha256])


def lines_of(data: bytes, where: str) -> Iterator[Line]:
    """Lines of a part of the list.

    Raises
    ------
    DataError
        It is no such part.
    """
    for row in rows_of(data, where):
        if len(row) != 4 or [type(one) for one in row] != [str, int, int, str]:
            raise DataError(f"{where}: holds no lines of files; of another version of Umbra")
        yield Line(*row)


def rows_of(data: bytes, where: str) -> Iterator[list[Any]]:
    """Rows of a part.

    Raises
    ------
    DataError
        It cannot be read.
    """
    try:
        text = gzip.decompress(data)
        for one in text.splitlines():
            row = json.loads(one)
            if not isinstance(row, list):
                raise ValueError(f"holds {type(row).__name__}")
            yield row
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{where}: cannot be read: {error}; of another version of Umbra") from error


def packed(rows: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Parts of at most about `PIECE` bytes before compression, and how many rows each has.

    The same rows give the same bytes, so that a table which is only added to shares its first parts with the
    backups before.
    """
    waiting, count, size = [], 0, 0
    for row in rows:
        waiting.append(row)
        count += 1
        size += len(row) + 1
        if size >= PIECE:
            yield _compressed(waiting), count
            waiting, count, size = [], 0, 0
    if waiting:
        yield _compressed(waiting), count


def _compressed(rows: list[bytes]) -> bytes:
    return gzip.compress(b"\n".join(rows) + b"\n", 6, mtime=0)


def encoded(row: list[Any]) -> bytes:
    """A row of a table as it is kept."""
    return _json(row)


def _json(row: list[Any]) -> bytes:
    return json.dumps(row, separators=(",", ":"), ensure_ascii=True).encode()


def part_of(data: bytes, count: int) -> Part:
    """What a manifest says of a part."""
    return Part(sha256=hashlib.sha256(data).hexdigest(), size=len(data), count=count)
