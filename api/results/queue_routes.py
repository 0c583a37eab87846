"""Routes of the queue as a whole: what waits, runs and failed, of all campaigns; for staff."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns.tables import Campaign
from api.dependencies import Cursor, DatabaseDep, Limit
from api.observations.tables import Observation, ObservationFile
from api.pages import Page, page_of
from api.people.tables import Person
from api.problems import responses
from api.results.service import Reducing, ReducingDep
from api.results.tables import Batch, Reduction
from api.results.views import PREFIX, BatchView, JobView, batch_view, instant, job_views
from cluster.jobs.tables import JobRow
from reduction.plan import Settings

router = APIRouter(prefix=PREFIX, tags=["reductions"])
MaySeeQueue = Annotated[Permit, may(Operation.SEE_QUEUE)]
QueueState = Literal["queued", "held", "running", "done", "failed", "cancelled"]


class QueueView(Settings):
    """What there is to do.

    Attributes
    ----------
    counts : dict
        Reductions in each state.
    waits_since : datetime or None
        When the oldest of those that wait was asked for.
    workers : int
        Reductions that this service runs at once.
    """

    counts: dict[str, int]
    waits_since: datetime | None
    workers: int


class QueuedView(Settings):
    """A reduction, with what people call what it is about."""

    job: JobView
    campaign: str
    station: str
    file: str
    asked_by: str


class QueuedBatchView(Settings):
    """A batch, with the names of its campaign and of who asked for it."""

    batch: BatchView
    campaign: str
    asked_by: str


@router.get("/queue", responses=responses(401, 403, 422, 503), summary="What there is to do")
def see_queue(permit: MaySeeQueue, database: DatabaseDep, reducing: ReducingDep) -> QueueView:
    """Count the reductions of all campaigns by their states."""
    del permit
    counted = select(JobRow.state, func.count()).join(Reduction, Reduction.id == JobRow.id)
    oldest = select(func.min(JobRow.submitted)).join(Reduction, Reduction.id == JobRow.id)
    with database.reading() as session:
        counts = {str(state): int(count) for state, count in session.execute(counted.group_by(JobRow.state))}
        since = session.scalar(oldest.where(JobRow.state == "queued"))
    waits_since = None if since is None else instant(since)
    return QueueView(counts=dict(sorted(counts.items())), waits_since=waits_since, workers=reducing.workers)


@router.get("/queue/jobs", responses=responses(401, 403, 422, 503), summary="Reductions of all campaigns")
def list_queue(
    permit: MaySeeQueue,
    database: DatabaseDep,
    reducing: ReducingDep,
    state: Annotated[QueueState | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[QueuedView]:
    """List reductions, those asked for last first."""
    del permit
    rows: Select[Reduction] = select(Reduction)
    if state is not None:
        rows = rows.join(JobRow, JobRow.id == Reduction.id).where(JobRow.state == state)
    with database.reading() as session:
        found, following = page_of(session, rows, (Reduction.created, Reduction.id), limit, cursor, True)
        return Page(items=_named(session, found, reducing), next=following)


@router.get("/queue/batches", responses=responses(401, 403, 422, 503), summary="Batches of all campaigns")
def list_batches(
    permit: MaySeeQueue, database: DatabaseDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[QueuedBatchView]:
    """List batches, those asked for last first."""
    del permit
    with database.reading() as session:
        found, following = page_of(session, select(Batch), (Batch.created, Batch.id), limit, cursor, True)
        campaigns = _names(session, Campaign, {row.campaign for row in found})
        people = _names(session, Person, {row.person for row in found})
        items = tuple(
            QueuedBatchView(
                batch=batch_view(session, row),
                campaign=campaigns[row.campaign],
                asked_by=people[row.person],
            )
            for row in found
        )
    return Page(items=items, next=following)


def _named(session: Session, rows: Sequence[Reduction], reducing: Reducing) -> tuple[QueuedView, ...]:
    asker = aliased(Person)
    joined = (
        select(Reduction.id, Campaign.name, Observation.station, ObservationFile.name, asker.name)
        .join(Campaign, Campaign.id == Reduction.campaign)
        .join(Observation, Observation.id == Reduction.observation)
        .join(ObservationFile, ObservationFile.id == Reduction.file)
        .join(asker, asker.id == Reduction.asker)
        .where(Reduction.id.in_([row.id for row in rows]))
    )
    names = {identity: told for identity, *told in session.execute(joined)}
    return tuple(
        QueuedView(
            job=job, **dict(zip(("campaign", "station", "file", "asked_by"), names[job.id], strict=True))
        )
        for job in job_views(session, rows, reducing)
    )


def _names(session: Session, table: type[Campaign] | type[Person], ids: set[str]) -> dict[str, str]:
    rows = session.execute(select(table.id, table.name).where(table.id.in_(ids)))
    return dict(rows.all())
