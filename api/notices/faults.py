"""Faults of the service: gathered from its log, kept in the database, told to superusers now and then.

What is told is where a fault arose and how often, never what the failed request or its data said.
"""

import hashlib
import logging
import threading
import traceback
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from api.access.matrix import Level
from api.database.tables import now
from api.database.transactions import Database
from api.mail.outbox import tell
from api.notices.tables import Fault
from api.people.tables import Person
from api.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
LOG = "umbra"
EVERY = timedelta(hours=1)
"""The first fault is told at once, then so seldom, however many there are."""
KEPT = timedelta(days=30)
MOST_KINDS = 200
MOST_LINES = 20
OTHERS = "others, of more kinds than are told apart"


@dataclass(frozen=True, slots=True)
class Seen:
    """A kind of fault since it was kept last."""

    what: str
    count: int
    first: datetime
    last: datetime
    request: str


class FaultLog(logging.Handler):
    """Takes what the service logs as errors, and keeps it until `keep` writes it down.

    While no other handler is there, warnings still go where Python puts them.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seen: dict[str, Seen] = {}
        self._mine = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        if record.levelno >= logging.ERROR:
            facts = getattr(record, "facts", {})
            route = facts.get("route", "")
            what = f"{record.name}: {record.msg}" + (f", {route}" if route else "")
            error = None if record.exc_info is None else record.exc_info[1]
            if error is not None:
                what += f": {_origin(error)}"
            self.note(what, str(facts.get("request", "")))
        others = [*logging.getLogger(LOG).handlers, *logging.getLogger().handlers]
        if others == [self] and logging.lastResort is not None:
            logging.lastResort.handle(record)

    def note(self, what: str, request: str = "") -> None:
        """Count a fault; `what` has nothing of anybody's in it."""
        at = now()
        with self._mine:
            if what not in self._seen and len(self._seen) >= MOST_KINDS:
                what = OTHERS
            seen = self._seen.get(what, Seen(what, 0, at, at, request))
            self._seen[what] = replace(seen, count=seen.count + 1, last=at, request=request or seen.request)

    def drain(self) -> list[Seen]:
        """Take out what was seen."""
        with self._mine:
            seen, self._seen = self._seen, {}
        return list(seen.values())

    def give_back(self, seen: list[Seen]) -> None:
        """Keep what could not be written down."""
        with self._mine:
            for one in seen:
                later = self._seen.get(one.what)
                if later is not None:
                    one = replace(later, count=one.count + later.count, first=one.first)  # noqa: PLW2901
                self._seen[one.what] = one


def _origin(error: BaseException) -> str:
    """The kind of an error, and the last place of our own code that it came through; not what it says."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
            place = f" at {path.relative_to(ROOT)}:{frame.lineno} {frame.name}"
    return f"{type(error).__name__}{place}"


def keep(database: Database, settings: ServiceSettings, log: FaultLog) -> int:
    """Write down what was seen, and tell superusers where it is time; returns how many e-mails.

    Raises
    ------
    ResourceError
        The database cannot be reached: what was seen is kept for the next time.
    """
    seen = log.drain()
    if not seen:
        with database.reading() as session:
            if not _due(session):
                return 0
    kept = False
    try:
        with database.writing() as session:
            for one in seen:
                _count(session, one)
            session.flush()
            told = _tell(session, settings)
        kept = True
    finally:
        if not kept:
            log.give_back(seen)
    return told


def _due(session: Session) -> bool:
    """Whether there is something to tell, and it is time."""
    last = session.scalar(select(func.max(Fault.told)))
    if last is not None and now() - last < EVERY:
        return False
    return session.scalar(select(Fault.signature).where(Fault.untold > 0).limit(1)) is not None


def _count(session: Session, seen: Seen) -> None:
    signature = hashlib.sha256(seen.what.encode()).hexdigest()
    row = session.get(Fault, signature, with_for_update=True)
    if row is None:
        row = Fault(
            signature=signature,
            what=seen.what,
            request="",
            first=seen.first,
            last=seen.last,
            count=0,
            untold=0,
        )
        session.add(row)
    row.count += seen.count
    row.untold += seen.count
    row.last = seen.last
    row.request = seen.request or row.request


def _tell(session: Session, settings: ServiceSettings) -> int:
    """Write to every superuser, unless they were written to a short while ago."""
    at = now()
    session.execute(delete(Fault).where(Fault.last < at - KEPT, Fault.untold == 0))
    if not _due(session):
        return 0
    untold = select(Fault).where(Fault.untold > 0).order_by(Fault.untold.desc(), Fault.signature)
    rows = list(session.scalars(untold.with_for_update()))
    if not rows:  # another process told them while this one waited
        return 0
    lines = [_line(row) for row in rows[:MOST_LINES]]
    count = sum(row.untold for row in rows)
    supers = select(Person).where(
        Person.level == Level.SUPERUSER.value, Person.deleted.is_(None), Person.suspended.is_(None)
    )
    people = list(session.scalars(supers))
    for person in people:
        tell(
            session,
            settings,
            "faults",
            person,
            count=count,
            lines=lines,
            more=max(0, len(rows) - MOST_LINES),
            minutes=int(EVERY.total_seconds() // 60),
        )
    for row in rows:
        row.untold, row.told = 0, at
    return len(people)


def _line(row: Fault) -> str:
    request = f"; request {row.request}" if row.request else ""
    return f"{row.untold} x {row.what} (last {row.last:%Y-%m-%d %H:%M:%S} UTC{request})"
