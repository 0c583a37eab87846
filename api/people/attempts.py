"""Limits of attempts: nobody tries passwords, or fills mailboxes, for long."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from fastapi import Request
from limits import RateLimitItem, parse
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from api.database.tables import now
from api.database.transactions import Database
from api.people.tables import Attempt
from api.problems import RefusedError
from api.settings import ServiceSettings
from api.words import email_key


@contextmanager
def evenly(seconds: float = 0.1) -> Iterator[None]:
    """Make what is done take at least so long, whichever way it went: its time tells nothing."""
    ends = time.monotonic() + seconds
    try:
        yield
    finally:
        time.sleep(max(0.0, ends - time.monotonic()))


class Attempts:
    """Counts what comes from one place, and what concerns one e-mail address, in a moving window.

    The database counts: for all processes of the service together, and across restarts. An attempt that is
    refused is not counted, and costs a look alone.
    """

    def __init__(self, settings: ServiceSettings, database: Database) -> None:
        self._database = database
        self._visitor = parse(settings.rate_visitor)
        self._address = parse(settings.rate_address)

    def count(self, request: Request, what: str, email: str | None = None) -> None:
        """Count an attempt.

        Raises
        ------
        RefusedError
            429: there were too many; `Retry-After` says when it goes on.
        """
        place = "?" if request.client is None else request.client.host
        self._hit(self._visitor, what, place)
        if email is not None:
            self._hit(self._address, what, email_key(email))

    def _hit(self, limit: RateLimitItem, *key: str) -> None:
        counted = hashlib.sha256("\n".join(key).encode()).hexdigest()
        window, most = timedelta(seconds=limit.get_expiry()), int(limit.amount)
        with self._database.reading() as session:
            full = _full(session, counted, most)
        if full is None:
            with self._database.writing() as session:
                _alone(session, counted)
                full = _full(session, counted, most)
                if full is None:
                    session.add(Attempt(key=counted, until=now() + window))
        if full is not None:
            after = max(1, int((full - now()).total_seconds()) + 1)
            told = {"Retry-After": str(after)}
            raise RefusedError(429, f"too many attempts; try again in {after} s", told)


def _full(session: Session, key: str, most: int) -> datetime | None:
    """When there is room again; None: there is."""
    newest = select(Attempt.until).where(Attempt.key == key, Attempt.until > now())
    counted: Sequence[datetime] = session.scalars(
        newest.order_by(Attempt.until.desc()).offset(most - 1).limit(1)
    ).all()
    return counted[0] if counted else None


def _alone(session: Session, key: str) -> None:
    """PostgreSQL: let those who count the same wait for each other; SQLite has one writer at all times."""
    if session.get_bind().dialect.name == "postgresql":
        lock = int.from_bytes(bytes.fromhex(key)[:8], "big", signed=True)
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})


def forget_old(database: Database) -> int:
    """Remove what no window has any more; returns how many."""
    old = Attempt.until <= now()
    with database.reading() as session:
        count = session.scalars(select(func.count()).select_from(Attempt).where(old)).one()
    if count:
        with database.writing() as session:
            session.execute(delete(Attempt).where(old))
    return count
