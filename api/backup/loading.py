"""Rows of a backup into an empty database of either kind."""

import base64
from collections.abc import Callable
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, Text, bindparam, cast, func, insert, inspect, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, StatementError

from api.backup.dumping import reflected
from api.backup.records import Part, SavedTable, rows_of
from cluster.jobs.tables import Base
from reduction.errors import DataError

ROWS = 500
"""Rows of one statement."""


def load(connection: Connection, tables: tuple[SavedTable, ...], get: Callable[[Part], bytes]) -> None:
    """Fill tables that were just made, in the transaction of a connection.

    Parameters
    ----------
    connection : Connection
        SQLite: with foreign keys off; whoever gives it looks at them afterwards.
    tables : tuple of SavedTable
        What they shall hold.
    get : callable
        Gives the bytes of a part, verified.

    Raises
    ------
    DataError
        A table is unknown, or the rows are not what was promised.
    """
    Base.metadata.create_all(connection)  # those of the queue, which has no migrations
    found = reflected(connection, frozenset(table.name for table in tables))
    references = _deferred(connection, [table.name for table in tables if table.name in found])
    for saved in tables:
        if saved.name not in found or not set(saved.columns) <= set(found[saved.name].columns.keys()):
            raise DataError(
                f"{saved.name}: this version of Umbra knows no such table; use that of the backup"
            )
        _fill(connection, found[saved.name], saved, get)
    _settled(connection, references)
    if connection.dialect.name == "postgresql":
        for table in found.values():
            _count_on(connection, table)


def _fill(connection: Connection, table: Table, saved: SavedTable, get: Callable[[Part], bytes]) -> None:
    statement = insert(table).values(
        {
            name: _bound(connection, name)
            if kind == "json"
            else bindparam(f"v_{name}", type_=table.c[name].type)
            for name, kind in zip(saved.columns, saved.kinds, strict=True)
        }
    )
    count = 0
    for part in saved.parts:
        rows = rows_of(get(part), f"table {saved.name}")
        while some := list(islice(rows, ROWS)):
            count += len(some)
            try:
                connection.execute(statement, [_values(saved, row) for row in some])
            except (DBAPIError, StatementError) as error:
                why = " ".join(str(error.orig or error).split())[:300]
                raise DataError(f"table {saved.name}: rows about {count} are refused: {why}") from error
    there = connection.execute(select(func.count()).select_from(table)).scalar_one()
    if not count == there == saved.rows:
        raise DataError(
            f"table {saved.name}: {saved.rows} rows are promised, {count} came, {there} are there"
        )


def _bound(connection: Connection, name: str) -> Any:
    value = bindparam(f"v_{name}", type_=Text())
    return cast(value, JSONB) if connection.dialect.name == "postgresql" else value


def _values(saved: SavedTable, row: list[Any]) -> dict[str, Any]:
    if len(row) != len(saved.columns):
        raise DataError(f"table {saved.name}: a row has {len(row)} values, not {len(saved.columns)}")
    return {
        f"v_{name}": base64.b64decode(value) if kind == "bytes" and value is not None else value
        for name, kind, value in zip(saved.columns, saved.kinds, row, strict=True)
    }


def _deferred(connection: Connection, names: list[str]) -> list[tuple[str, str]]:
    """PostgreSQL: let references be looked at when all rows are there; which were changed for that."""
    if connection.dialect.name != "postgresql":
        return []
    seen = inspect(connection)
    references = [
        (name, key["name"])
        for name in names
        for key in seen.get_foreign_keys(name)
        if key["name"] is not None
    ]
    for pair in references:
        connection.execute(text(_altered(connection, pair, "DEFERRABLE INITIALLY DEFERRED")))
    return references


def _settled(connection: Connection, references: list[tuple[str, str]]) -> None:
    """Look at all references, and make them as they were."""
    if not references:
        return
    try:
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    except DBAPIError as error:
        why = " ".join(str(error.orig).split())[:300]
        raise DataError(f"rows refer to some that are not there: {why}") from error
    for pair in references:
        connection.execute(text(_altered(connection, pair, "NOT DEFERRABLE")))


def _altered(connection: Connection, pair: tuple[str, str], how: str) -> str:
    table, name = map(connection.dialect.identifier_preparer.quote, pair)
    return f"ALTER TABLE {table} ALTER CONSTRAINT {name} {how}"


def _count_on(connection: Connection, table: Table) -> None:
    """PostgreSQL: let a column that counts up go on behind the rows."""
    for column in table.primary_key.columns:
        quoted = connection.dialect.identifier_preparer.quote(table.name)
        sequence = connection.execute(
            text("SELECT pg_get_serial_sequence(:name, :column)"), {"name": quoted, "column": column.name}
        ).scalar_one()
        if sequence is not None:
            last = connection.execute(select(func.max(column))).scalar_one()
            if last is not None:
                connection.execute(text("SELECT setval(:name, :last)"), {"name": sequence, "last": last})
