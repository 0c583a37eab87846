"""What happens to jobs: written by the database's own triggers, read in an order that is the same for all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, Select, select, text, tuple_
from sqlalchemy.orm import Session

from api.results.tables import Reduction, Transition
from cluster.jobs.job import ENDED
from reduction.errors import RequestError

LOCK = 0x756D627263
MOST = 1000
EVENT_ID = re.compile(r"^(\d{1,18})-(\d{1,18})$")

Position = tuple[int, int]
"""Era and place: what comes later has the greater one."""

BEGINNING: Position = (-1, 0)

_SQLITE = """
CREATE TRIGGER IF NOT EXISTS job_{name} AFTER {when} ON job WHEN {condition} BEGIN
  INSERT INTO job_transition (era, job, state, attempt, at) VALUES
    (0, NEW.id, NEW.state, NEW.attempts, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000);
END
"""
_SQLITE_TRIGGERS = (
    ("sent", "INSERT", "NEW.owner <> ''"),
    (
        "moved",
        "UPDATE OF state, attempts",
        "NEW.owner <> '' AND (NEW.state <> OLD.state OR NEW.attempts <> OLD.attempts)",
    ),
)
_FUNCTION = """
CREATE OR REPLACE FUNCTION job_transition_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.owner = '' THEN RETURN NULL; END IF;
  IF TG_OP = 'UPDATE' THEN
    IF NEW.state = OLD.state AND NEW.attempts = OLD.attempts THEN RETURN NULL; END IF;
  END IF;
  INSERT INTO job_transition (era, job, state, attempt, at) VALUES (
    pg_current_xact_id()::text::bigint, NEW.id, NEW.state, NEW.attempts,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
  RETURN NULL;
END $$
"""
_POSTGRES_TRIGGER = """
CREATE OR REPLACE TRIGGER job_moved AFTER INSERT OR UPDATE OF state, attempts ON job
  FOR EACH ROW EXECUTE FUNCTION job_transition_note()
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """A job of the service came into a state."""

    position: Position
    job: str
    batch: str | None
    state: str
    attempt: int
    at: datetime

    @property
    def event_id(self) -> str:
        """What a client sends back as Last-Event-ID."""
        return f"{self.position[0]}-{self.position[1]}"

    @property
    def ended(self) -> bool:
        """Whether the job will not move again by itself."""
        return self.state in ENDED


def watch_queue(engine: Engine) -> None:
    """Let the database note what happens to jobs from now on; the queue's tables are there. Repeatable."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            for name, when, condition in _SQLITE_TRIGGERS:
                connection.exec_driver_sql(_SQLITE.format(name=name, when=when, condition=condition))
            return
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        connection.exec_driver_sql(_FUNCTION)
        connection.exec_driver_sql(_POSTGRES_TRIGGER)


def position_of(event_id: str | None) -> Position:
    """The position that a Last-Event-ID tells; the beginning without one. Raises `RequestError`."""
    if event_id is None:
        return BEGINNING
    found = EVENT_ID.match(event_id)
    if found is None:
        raise RequestError(
            "Last-Event-ID: is none of this service's; leave it out to hear all from the first"
        )
    return int(found[1]), int(found[2])


def moves(
    session: Session, after: Position, job: str | None = None, batch: str | None = None, most: int = MOST
) -> list[Moved]:
    """What happened after a position, to one job, the jobs of a batch, or all; at most so many."""
    rows: Select[Transition, str | None] = (
        select(Transition, Reduction.batch)
        .join(Reduction, Reduction.id == Transition.job)
        .where(tuple_(Transition.era, Transition.place) > after, *_settled(session))
        .order_by(Transition.era, Transition.place)
        .limit(most)
    )
    if job is not None:
        rows = rows.where(Transition.job == job)
    if batch is not None:
        rows = rows.where(Reduction.batch == batch)
    return [
        Moved((row.era, row.place), row.job, group, row.state, row.attempt, row.at)
        for row, group in session.execute(rows)
    ]


def latest(session: Session) -> Position:
    """The position of the last thing that happened."""
    rows = select(Transition.era, Transition.place).where(*_settled(session))
    found = session.execute(
        rows.order_by(Transition.era.desc(), Transition.place.desc()).limit(1)
    ).one_or_none()
    return BEGINNING if found is None else (found[0], found[1])


def _settled(session: Session) -> Sequence[ColumnElement[bool]]:
    """PostgreSQL: only eras before every transaction that is open; nothing can come before them any more."""
    if session.get_bind().dialect.name == "sqlite":
        return ()
    oldest = session.scalars(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")).one()
    return (Transition.era < oldest,)
