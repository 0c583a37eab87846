"""A database with rows in every table that it has: what a column may hold is in one of them."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Connection,
    Double,
    Float,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
)

from api.backup.dumping import VERSIONS
from api.database.tables import new_id
from cluster.jobs.tables import SCHEMA, Meta

ROWS = 3
TEXT = 'Åsa \\ "q" ☄ \u2028\n\'; DROP TABLE person; --'
DOCUMENTS: tuple[Any, ...] = (
    {"b": [1, None, 0.1, -1.5e-7], "a": {"ü": TEXT, "big": 2**62}},
    [],
    {"": -0.5, "deep": [[[{}]]]},
)


def fill(connection: Connection) -> None:
    """Write rows into all tables, as the database has them: it may be of an earlier version."""
    found = MetaData()
    found.reflect(connection)
    made: dict[str, list[dict[str, Any]]] = {}
    for table in found.sorted_tables:
        if table.name == VERSIONS:
            continue
        made[table.name] = [_row(table, number, made) for number in range(ROWS)]
        if table.name == Meta.__tablename__:
            made[table.name] = [{"schema": SCHEMA}]
        connection.execute(insert(table), made[table.name])


def _row(table: Table, number: int, made: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.columns:
        key = next(iter(column.foreign_keys), None)
        if key is not None and key.column.table is not table:
            row[column.name] = made[key.column.table.name][number][key.column.name]
        elif key is not None or (column.nullable and number == 1):
            row[column.name] = None
        else:
            row[column.name] = _value(column.type, number)
    return row


def _value(kind: Any, number: int) -> Any:
    if isinstance(kind, String):
        return TEXT * (number + 1) if kind.length is None else (new_id() * 2)[: kind.length]
    of_kind = (
        (JSON, DOCUMENTS[number]),
        (Boolean, bool(number % 2)),
        (LargeBinary, bytes(range(256)) * (number + 1)),
        (Double | Float, 1.7e9 + number / 3),
        (BigInteger, 2**53 + 1 + number),
    )
    return next((value for one, value in of_kind if isinstance(kind, one)), 2**30 + number)
