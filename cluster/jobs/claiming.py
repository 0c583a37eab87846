"""Who is served next: highest priority, then the owner served least, then the oldest job."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, insert, select, update

from cluster.jobs.job import Claim
from cluster.jobs.tables import AttemptRow, JobRow, OwnerRow

Waits = tuple[ColumnElement[bool], ...]
"""What a job that may be claimed fulfils."""


@dataclass(slots=True)
class _Head:
    """The job of an owner that would be next."""

    owner: str
    served: int
    priority: int
    place: int


def taken(
    connection: Connection,
    now: float,
    worker: str,
    lease_s: float,
    most: int,
    jobs: Sequence[str] | None = None,
    owned: bool = False,
) -> list[Claim]:
    """Claim up to `most` jobs that wait, of `jobs` if they are given, for `worker`, until ``now + lease_s``.

    `owned`: none but jobs that are somebody's.

    One that another claimer holds at this moment is passed over.
    """
    claims: list[Claim] = []
    waits: Waits = (JobRow.state == "queued", JobRow.not_before <= now)
    if jobs is not None:
        waits = (*waits, JobRow.id.in_(jobs))
    if owned:
        waits = (*waits, JobRow.owner != "")
    heads = _heads(connection, waits)
    while heads and len(claims) < most:
        head = min(heads, key=lambda each: (-each.priority, each.served, each.place))
        claim = _first(connection, now, head, worker, lease_s, waits)
        if claim is not None:
            claims.append(claim)
            head.served += 1
        following = _next(connection, head.owner, waits)
        if claim is None or following is None:
            heads.remove(head)
        else:
            head.priority, head.place = following
    return claims


def _heads(connection: Connection, waits: Waits) -> list[_Head]:
    """Of each owner of whom something waits, the job that is next; an index finds it."""
    waiting = (
        select(JobRow.place)
        .where(JobRow.owner == OwnerRow.owner, *waits)
        .order_by(JobRow.priority.desc(), JobRow.place)
        .limit(1)
        .scalar_subquery()
    )
    owners = connection.execute(select(OwnerRow.owner, OwnerRow.served, waiting.label("place"))).all()
    first = {row.place: row for row in owners if row.place is not None}
    places = connection.execute(
        select(JobRow.place, JobRow.priority).where(JobRow.place.in_(list(first)))
    ).all()
    return [_Head(first[p.place].owner, first[p.place].served, p.priority, p.place) for p in places]


def _next(connection: Connection, owner: str, waits: Waits) -> tuple[int, int] | None:
    """Priority and place of an owner's next job."""
    row = connection.execute(
        select(JobRow.priority, JobRow.place)
        .where(JobRow.owner == owner, *waits)
        .order_by(JobRow.priority.desc(), JobRow.place)
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.priority, row.place)


def _first(
    connection: Connection, now: float, head: _Head, worker: str, lease_s: float, waits: Waits
) -> Claim | None:
    """Claim the next job of an owner; None where others hold all there are."""
    row = connection.execute(
        select(JobRow.id, JobRow.payload, JobRow.campaign, JobRow.attempts, JobRow.started)
        .where(JobRow.owner == head.owner, *waits)
        .order_by(JobRow.priority.desc(), JobRow.place)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    attempt, until = row.attempts + 1, now + lease_s
    changes = {
        "state": "running",
        "attempts": attempt,
        "worker": worker,
        "until": until,
        "cancelling": False,
        "started": now,
        "finished": None,
    }
    connection.execute(update(JobRow).where(JobRow.id == row.id).values(**changes))
    connection.execute(
        insert(AttemptRow).values(job=row.id, number=attempt, worker=worker, started=now, outcome="")
    )
    served = update(OwnerRow).where(OwnerRow.owner == head.owner).values(served=OwnerRow.served + 1)
    connection.execute(served)
    return Claim(row.id, row.payload, head.owner, row.campaign, attempt, until)
