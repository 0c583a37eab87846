"""Lists in pages: each begins after the last row of the one before, whatever was added meanwhile."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, tuple_
from sqlalchemy.orm import Session

from api.database.tables import EPOCH, MICROSECOND
from reduction.errors import RequestError
from reduction.plan import Settings

Item = TypeVar("Item")
Row = TypeVar("Row")
INTEGER = 1 << 63


class Page(Settings, Generic[Item]):
    """Some rows of a list.

    Attributes
    ----------
    next : str or None
        `cursor` of the following page; null on the last one.
    """

    items: tuple[Item, ...]
    next: str | None


def page_of(
    session: Session,
    rows: Select[Row],
    keys: Sequence[Any],
    limit: int,
    cursor: str | None,
    newest_first: bool = False,
) -> tuple[list[Row], str | None]:
    """Return a page of `rows`, and the cursor of the next one.

    Parameters
    ----------
    rows : Select
        Of one table's objects.
    keys : sequence of columns
        What they are ordered by; together unique, an index has them.

    Raises
    ------
    RequestError
        `cursor` is none of this list's.
    """
    order = [key.desc() for key in keys] if newest_first else list(keys)
    asked = rows.order_by(*order).limit(limit + 1)
    if cursor is not None:
        after = _read(cursor, keys)
        here = tuple_(*keys)
        asked = asked.where(here < after if newest_first else here > after)
    found = list(session.scalars(asked))
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], _written([getattr(last, key.key) for key in keys])


def _written(values: list[Any]) -> str:
    plain = [(v - EPOCH) // MICROSECOND if isinstance(v, datetime) else v for v in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _read(cursor: str, keys: Sequence[Any]) -> tuple[Any, ...]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(keys):
            raise ValueError("of another list")
        return tuple(_value(key, value) for key, value in zip(keys, values, strict=True))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise RequestError(f"cursor: {error}; give `next` of a page of this list") from error


def _value(key: Any, value: Any) -> Any:
    wanted = key.type.python_type
    if wanted is str and isinstance(value, str) and "\0" not in value:
        value.encode()  # lone surrogates
        return value
    if isinstance(value, int) and not isinstance(value, bool) and -INTEGER <= value < INTEGER:
        if wanted is int:
            return value
        if wanted is datetime:
            return EPOCH + value * MICROSECOND
    raise ValueError("of another list")
