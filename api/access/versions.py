"""Rows that a request looked at, as they were: by them `If-Match` holds in the transaction that writes."""

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session
from starlette.types import Scope

from api.problems import RefusedError

CHANGED = "If-Match: it was changed meanwhile; look at it again, then change what is left to change"
KEY = "versions"


class Versions:
    """What a request saw of rows, and what it must find.

    Parameters
    ----------
    expected : mapping
        Rows (table and key) and the digests of what they held.

    Attributes
    ----------
    seen : dict
        The same, of the rows that were looked at.
    """

    def __init__(self, expected: Mapping[str, str] | None = None) -> None:
        self._expected = dict(expected or {})
        self.seen: dict[str, str] = {}

    def look(self, session: Session, thing: Any) -> None:
        """Note a row; of one that is expected to be as it was, see that it is, and lock it.

        Raises
        ------
        RefusedError
            412: it is not.
        """
        state = inspect(thing, raiseerr=False)
        if state is None or not hasattr(thing, "__table__"):
            return
        key = f"{thing.__tablename__} {state.identity}"
        if key in self._expected:
            session.refresh(thing, with_for_update=True)
        self.seen[key] = _digest(thing)
        if self._expected.get(key, self.seen[key]) != self.seen[key]:
            raise RefusedError(412, CHANGED)


def versions_of(scope: Scope) -> Versions:
    """Those of a request."""
    found: Versions = scope.setdefault("state", {}).setdefault(KEY, Versions())
    return found


def with_versions(scope: Scope, versions: Versions, **changed: Any) -> Scope:
    """A request's scope with others, and with what else is `changed`."""
    return {**scope, **changed, "state": {**scope.get("state", {}), KEY: versions}}


def _digest(thing: Any) -> str:
    columns = sorted(column.key for column in inspect(type(thing)).columns)
    held = [(name, getattr(thing, name)) for name in columns]
    return hashlib.sha256(repr(held).encode("utf-8", "backslashreplace")).hexdigest()
