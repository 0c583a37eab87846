"""Tables as lines of JSON, from one snapshot of either database."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    cast,
    inspect,
    select,
)

from api.backup.records import Part, SavedTable, encoded, packed, part_of

ROWS = 1000
"""Rows that are held at a time."""

Kind = Literal["plain", "json", "bytes"]
VERSIONS = "umbra_service"
"""The table that says which migrations were done."""


@dataclass(frozen=True, slots=True)
class Dumped:
    """A table whose parts are files of a folder, by digest."""

    table: SavedTable
    folder: Path

    def data(self, part: Part) -> bytes:
        """A part."""
        return (self.folder / part.sha256).read_bytes()


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Return a connection that sees one state of the database, however long it is read."""
    options: dict[str, Any] = {"reading": True}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def reflected(connection: Connection, names: frozenset[str]) -> dict[str, Table]:
    """Columns and keys of those of some tables that are there: they may be of an earlier version."""
    seen = inspect(connection)
    there = sorted(names.intersection(seen.get_table_names()))
    columns = seen.get_multi_columns(filter_names=there)
    keys = seen.get_multi_pk_constraint(filter_names=there)
    every = MetaData()
    return {
        place[1]: Table(place[1], every, *_columns(columns[place], keys[place])) for place in sorted(columns)
    }


def _columns(columns: list[Any], key: Any) -> Iterator[Column[Any]]:
    for column in columns:
        yield Column(column["name"], column["type"], primary_key=column["name"] in key["constrained_columns"])


def kind_of(column: Column[Any]) -> Kind:
    """How values of a column are kept."""
    if isinstance(column.type, JSON):
        return "json"
    return "bytes" if isinstance(column.type, LargeBinary) else "plain"


def dump(connection: Connection, names: frozenset[str], folder: Path) -> Iterator[Dumped]:
    """Write tables into files of a folder, part by part.

    Parameters
    ----------
    connection : Connection
        A `snapshot`.
    names : frozenset of str
        Tables; those that are not there are passed over.
    folder : Path
        For the parts.
    """
    for name, table in reflected(connection, names).items():
        kinds = tuple(kind_of(column) for column in table.columns)
        # documents as text: what is null there, and what is no value at all, are two things
        columns = [
            cast(column, Text) if kind == "json" else column
            for column, kind in zip(table.columns, kinds, strict=True)
        ]
        asked = select(*columns).order_by(*table.primary_key.columns)
        parts: list[Part] = []
        for data, count in packed(_rows(connection, asked, kinds)):
            part = part_of(data, count)
            (folder / part.sha256).write_bytes(data)
            parts.append(part)
        saved = SavedTable(
            name=name,
            columns=tuple(table.columns.keys()),
            kinds=kinds,
            rows=sum(part.count for part in parts),
            parts=tuple(parts),
        )
        yield Dumped(saved, folder)


def _rows(connection: Connection, asked: Select[Any], kinds: tuple[Kind, ...]) -> Iterator[bytes]:
    binary = [number for number, kind in enumerate(kinds) if kind == "bytes"]
    for row in connection.execute(asked, execution_options={"yield_per": ROWS}):
        values = list(row)
        for number in binary:
            if values[number] is not None:
                values[number] = base64.b64encode(values[number]).decode()
        yield encoded(values)
