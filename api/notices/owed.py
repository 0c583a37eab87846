"""People are told when what they asked for has ended: once, whatever is killed meanwhile."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.orm import Session

from api.database.tables import new_id, now
from api.notices.tables import Owed

KINDS = ("reduction", "batch", "file")
SETTLED = timedelta(seconds=5)
"""So long a thing must be owed before it counts as ended: its jobs are sent right after its row is there."""


def owe(session: Session, kind: str, thing: str, person: str) -> None:
    """Keep that a person is to be told of the end of a thing; in the transaction that begins it, or again."""
    assert kind in KINDS
    assert len(thing) == len(new_id())
    row = session.get(Owed, thing)
    if row is None:
        session.add(Owed(thing=thing, kind=kind, person=person, created=now()))
    else:
        row.created = now()


def settle(session: Session, rows: Sequence[Owed]) -> list[Owed]:
    """Take what is now told; what somebody else tells at this moment is left to them."""
    taken: list[Owed] = []
    for row in rows:
        gone = delete(Owed).where(Owed.thing == row.thing, Owed.created == row.created)
        if session.execute(gone.returning(Owed.thing)).first() is not None:
            taken.append(row)
    return taken


def due(kind: str) -> tuple[ColumnElement[bool], ...]:
    """Those of a kind that may have ended."""
    return Owed.kind == kind, Owed.created <= now() - SETTLED


def is_owed(session: Session, thing: str) -> bool:
    """Whether somebody is still to be told of a thing."""
    return bool(session.scalar(select(exists().where(Owed.thing == thing))))
