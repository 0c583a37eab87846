"""What is told of reductions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.database.tables import EPOCH, MICROSECOND
from api.results.estimates import EstimateView
from api.results.service import Reducing
from api.results.tables import Batch, Reduction, Result
from cluster.jobs.job import Failure, State
from cluster.jobs.tables import JobRow
from reduction.plan import Settings

PREFIX = "/api/v1"


class ProgressView(Settings):
    """How far a stage is, and since how many seconds it lasts; told by the service that runs the job."""

    stage: str
    done: int
    total: int
    seconds: float


class LinksView(Settings):
    """Where to go on; `result` is null until there is one."""

    self: str
    events: str
    logs: str
    result: str | None


class JobView(Settings):
    """A reduction and what has become of it.

    `state`: `held` waits to be released, `cancelling` is asked to stop; `failure` tells whether the data, the
    request, something missing here, or workers that died are to blame. `version` numbers the results of an
    observation, and never changes what it means.
    """

    id: str
    campaign: str
    observation: str
    file: str
    batch: str | None
    line: int
    state: State | Literal["cancelling"]
    progress: ProgressView | None
    failure: Failure | None
    error: str | None
    attempts: int
    priority: int
    request: dict[str, Any]
    created: datetime
    started: datetime | None
    finished: datetime | None
    result: str | None
    version: int | None
    links: LinksView


class AttemptView(Settings):
    """One time a job was begun; `outcome` is empty while it runs, `died` where its worker fell silent."""

    number: int
    started: datetime
    finished: datetime | None
    outcome: str
    error: str | None
    log: str | None


class FaultView(Settings):
    """What is wrong with a line: its number from 1, the column (empty: the whole line), and why."""

    line: int
    column: str
    reason: str


class DryRunView(Settings):
    """What would be done; nothing was. `known`: the store has the very result already."""

    key: str
    known: bool
    request: dict[str, Any]
    estimate: EstimateView


class BatchView(Settings):
    """Reductions that were asked for together: how many are in each state, and the lines left out."""

    id: str
    campaign: str
    created: datetime
    total: int
    counts: dict[str, int]
    faults: tuple[FaultView, ...]
    links: dict[str, str]


class BatchDryRunView(Settings):
    """What a batch would be; nothing was done."""

    lines: int
    faults: tuple[FaultView, ...]
    estimate: EstimateView


class CountView(Settings):
    """How many jobs were concerned."""

    jobs: int


def job_views(session: Session, rows: Sequence[Reduction], reducing: Reducing) -> tuple[JobView, ...]:
    """Views of reductions, in their order."""
    ids = [row.id for row in rows]
    jobs = {job.id: job for job in session.scalars(select(JobRow).where(JobRow.id.in_(ids)))}
    results = [row.result for row in rows if row.result is not None]
    versions = dict(session.execute(select(Result.id, Result.version).where(Result.id.in_(results))).all())
    return tuple(_job_view(row, jobs.get(row.id), versions.get(row.result or ""), reducing) for row in rows)


def _job_view(row: Reduction, job: JobRow | None, version: int | None, reducing: Reducing) -> JobView:
    running = job is not None and job.state == "running"
    report = reducing.worker.report(row.id) if running else None
    here = f"{PREFIX}/jobs/{row.id}"
    result = None if row.result is None else f"{PREFIX}/results/{row.result}"
    return JobView(
        id=row.id,
        campaign=row.campaign,
        observation=row.observation,
        file=row.file,
        batch=row.batch,
        line=row.line,
        state=_state(job),
        progress=None if report is None else _progress(report, reducing.worker.stage_s(row.id)),
        failure=None if job is None else job.failure,  # type: ignore[arg-type]  # the queue writes no other
        error=None if job is None else job.error,
        attempts=0 if job is None else job.attempts,
        priority=row.priority,
        request=row.request,
        created=row.created,
        started=None if job is None else _instant(job.started),
        finished=None if job is None else _instant(job.finished),
        result=row.result,
        version=version,
        links=LinksView(self=here, events=f"{here}/events", logs=f"{here}/logs", result=result),
    )


def _progress(report: tuple[str, int, int], seconds: float) -> ProgressView:
    return ProgressView(stage=report[0], done=report[1], total=report[2], seconds=round(seconds, 3))


def _state(job: JobRow | None) -> Any:
    if job is None:
        return "queued"
    return "cancelling" if job.state == "running" and job.cancelling else job.state


def instant(seconds: float) -> datetime:
    """POSIX seconds of the queue as an instant."""
    return EPOCH + round(seconds * 1e6) * MICROSECOND


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else instant(seconds)


def batch_view(session: Session, row: Batch) -> BatchView:
    """View of a batch."""
    state = func.coalesce(JobRow.state, "queued")
    counted = (
        select(state, func.count())
        .select_from(Reduction)
        .outerjoin(JobRow, JobRow.id == Reduction.id)
        .where(Reduction.batch == row.id)
        .group_by(state)
    )
    counts = {str(name): int(count) for name, count in session.execute(counted)}
    here = f"{PREFIX}/batches/{row.id}"
    return BatchView(
        id=row.id,
        campaign=row.campaign,
        created=row.created,
        total=sum(counts.values()),
        counts=dict(sorted(counts.items())),
        faults=tuple(FaultView(**fault) for fault in row.faults.get("lines", ())),
        links={"self": here, "events": f"{here}/events", "jobs": f"{here}/jobs"},
    )
