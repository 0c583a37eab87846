"""Put events into the outbox of webhooks, in the transaction of what they tell."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.database.tables import new_id, now
from api.people.tables import Person
from api.results.tables import Reduction, Result
from api.results.transitions import latest, moves
from api.webhooks.tables import WAITING, Delivery, Followed, Webhook

EVENTS = ("job.ended", "batch.ended", "file.examined", "fit.ended")
TEST = "test"
JOBS = "jobs"


def announce(session: Session, event: str, people: Iterable[str], **told: Any) -> int:
    """Have an event sent to those of these people's webhooks that want it; to how many."""
    wanted = (
        select(Webhook)
        .join(Person, Person.id == Webhook.person)
        .where(Webhook.person.in_(sorted(set(people))), Person.deleted.is_(None), Person.suspended.is_(None))
    )
    hooks = [one for one in session.scalars(wanted) if event in one.events]
    for hook in hooks:
        put(session, hook, event, told)
    return len(hooks)


def put(session: Session, hook: Webhook, event: str, told: dict[str, Any]) -> Delivery:
    """Have an event sent to one webhook."""
    at, identity = now(), new_id()
    document = {"id": identity, "event": event, "created": at.isoformat(), "data": told}
    row = Delivery(
        id=identity, webhook=hook.id, event=event, content=json.dumps(document, ensure_ascii=False),
        state=WAITING, created=at, not_before=at, until=None, attempts=0, sent=None, status=None, error=None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def follow_jobs(session: Session) -> None:
    """Have the ends of jobs told from now on, if they are not yet."""
    if session.get(Followed, JOBS) is None:
        era, place = latest(session)
        session.add(Followed(name=JOBS, era=era, place=place))


def has_moved(session: Session) -> bool:
    """Whether `tell_jobs` has something to do."""
    row = session.get(Followed, JOBS)
    return row is not None and bool(moves(session, (row.era, row.place), most=1))


def tell_jobs(session: Session) -> int:
    """Put the ends of jobs since the last time into the outbox, each once; how many moves were looked at.

    Who asked for a reduction is told. The place in the order moves on in the same transaction.
    """
    row = session.get(Followed, JOBS, with_for_update=True)
    if row is None:
        return 0
    if not any("job.ended" in events for events in session.scalars(select(Webhook.events))):
        session.delete(row)
        return 0
    found = moves(session, (row.era, row.place))
    for move in found:
        if move.ended:
            asked = session.get_one(Reduction, move.job)
            announce(
                session, "job.ended", [asked.asker],
                job=move.job, state=move.state, batch=move.batch, campaign=asked.campaign,
                observation=asked.observation, file=asked.file, result=_version(session, asked),
                at=move.at.isoformat(), links={"job": f"/api/v1/jobs/{move.job}"},
            )  # fmt: skip
        row.era, row.place = move.position
    return len(found)


def _version(session: Session, asked: Reduction) -> str | None:
    """Id of its result, where its version is written already."""
    known = None if asked.result is None else session.get(Result, asked.result)
    return None if known is None else known.id
