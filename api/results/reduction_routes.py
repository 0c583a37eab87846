"""Routes by which reductions are asked for, and told of."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.access.matrix import Operation, Standing
from api.access.permit import Permit, may
from api.access.relations import Concern, relations
from api.audit.log import record
from api.database.transactions import Database
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, StoreDep
from api.notices.owed import owe
from api.observations.tables import Observation
from api.pages import Page, page_of
from api.problems import RefusedError, responses
from api.results.estimates import estimate_of
from api.results.following import Topic
from api.results.orders import Asked, asked, fault_of, files_of, order_for, reduction_of
from api.results.requests import ReductionBody
from api.results.service import Reducing, ReducingDep
from api.results.tables import Reduction
from api.results.transitions import Moved, Position, position_of
from api.results.versions import settle
from api.results.views import PREFIX, AttemptView, DryRunView, JobView, instant, job_views
from cluster.store.published import ObjectStore
from reduction.errors import RequestError, UmbraError

MOST_BODY_BYTES = 256 * 1024
LONGEST_WAIT_S = 60.0
LONGEST_LOG = 1 << 20
RETRIED = "reduction retried"
TEAM = Standing.STAFF | Standing.RESPONSIBLE

router = APIRouter(prefix=PREFIX, tags=["reductions"])
MayReduce = Annotated[Permit, may(Operation.REDUCE)]
MaySee = Annotated[Permit, may(Operation.SEE_REDUCTION)]
MayControl = Annotated[Permit, may(Operation.CONTROL_REDUCTION)]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]
LastEventId = Annotated[str | None, Header(max_length=40)]


def heard(last_event_id: LastEventId = None) -> Position:
    """After which event a stream begins."""
    return position_of(last_event_id)


Heard = Annotated[Position, Depends(heard)]


@router.post(
    "/reductions",
    status_code=202,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 413, 422, 503) | {200: {"model": DryRunView}},
    summary="Ask for a reduction of a recording",
)
def ask(
    body: ReductionBody,
    response: Response,
    permit: MayReduce,
    database: DatabaseDep,
    store: StoreDep,
    reducing: ReducingDep,
    idempotency_key: IdempotencyKey = None,
) -> JobView | DryRunView:
    """Reduce an uploaded recording. `Location` is the job; the same `Idempotency-Key` is the same job."""
    with database.reading() as session:
        one = _asked(session, permit, body, store.url)
        if body.priority > 0 and not team(session, permit, one.observation):
            raise RequestError("priority: above 0 is for staff and the event responsible")
    if body.dry_run:
        response.status_code = 200
        return DryRunView(
            key=one.work.key,
            known=store.find("results", one.work.key) is not None,
            request=one.work.request.model_dump(mode="json", exclude_unset=True),
            estimate=estimate_of([one], reducing.workers),
        )
    row = reduction_of(one, permit.caller.known, body.priority, idempotency_key=idempotency_key)
    try:
        with database.writing() as session:
            session.add(row)
            owe(session, "reduction", row.id, row.asker)
            record(session, permit.caller, "reduction asked", row.id, file=row.file)
    except IntegrityError:
        if idempotency_key is None:
            raise
        with database.reading() as session:
            row = _known(session, permit.caller.known, idempotency_key, row)
    reducing.queue.submit([order_for(row, one.work)])
    response.headers["Location"] = f"{PREFIX}/jobs/{row.id}"
    with database.reading() as session:
        return job_views(session, [row], reducing)[0]


def _asked(session: Session, permit: Permit, body: ReductionBody, store: str) -> Asked:
    """The reduction of files that are there, and the caller's to reduce."""
    files = files_of(session, body.files.values())
    recording = files.get(body.file)
    observation = None if recording is None else session.get(Observation, recording.observation)
    observation = permit.over(session, observation, "file")
    fault = fault_of(body, files)
    if fault is not None:
        raise RequestError(f"{fault[0]}: {fault[1]}")
    return asked(0, body, files, {observation.id: observation}, store)


def team(session: Session, permit: Permit, thing: Concern) -> bool:
    """Whether the caller is staff or the event responsible of a thing's campaign."""
    standing = permit.caller.standing | relations(session, permit.caller.person, thing)
    return bool(standing & TEAM)


def _known(session: Session, person: str, key: str | None, new: Reduction) -> Reduction:
    """The reduction that was asked for under a key before. Raises `RefusedError` where it was another."""
    rows = select(Reduction).where(Reduction.asker == person, Reduction.idempotency_key == key)
    row = session.scalar(rows)
    if row is None or (row.file, row.request) != (new.file, new.request):
        raise RefusedError(422, f"Idempotency-Key {key!r} belongs to another request; use a new key")
    return row


@router.get(
    "/observations/{observation_id}/jobs",
    responses=responses(401, 403, 404, 422, 503),
    summary="Reductions of an observation",
)
def observation_jobs(
    observation_id: IdPath,
    permit: MaySee,
    database: DatabaseDep,
    reducing: ReducingDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[JobView]:
    """List the reductions of an observation, newest first."""
    with database.reading() as session:
        permit.over(session, session.get(Observation, observation_id), "observation")
        rows = select(Reduction).where(Reduction.observation == observation_id)
        found, following = page_of(session, rows, (Reduction.created, Reduction.id), limit, cursor, True)
        return Page(items=job_views(session, found, reducing), next=following)


def seen_job(job_id: IdPath, permit: MaySee, database: DatabaseDep) -> str:
    """Id of a job that the caller may see."""
    with database.reading() as session:
        return permit.over(session, session.get(Reduction, job_id), "job").id


SeenJob = Annotated[str, Depends(seen_job)]


@router.get(
    "/jobs/{job_id}", responses=responses(401, 403, 404, 422, 503), summary="What has become of a reduction"
)
async def job_status(
    job: SeenJob,
    _permit: MaySee,
    database: DatabaseDep,
    reducing: ReducingDep,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 0,
) -> JobView:
    """Tell a job's state; with `wait`, when it has ended, or after so many seconds."""
    if wait:
        await reducing.following.ended(job, wait)
    return await run_in_threadpool(job_view, job, database, reducing)


def job_view(job: str, database: Database, reducing: Reducing) -> JobView:
    """What has become of a job that the caller may see."""
    with suppress(UmbraError):  # its result is gone: told as it is, done and without one
        settle(database, reducing.cache, job)
    return _viewed(job, database, reducing)


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses=responses(401, 403, 404, 422, 503),
    summary="A reduction's states as they come",
)
async def job_events(
    job: SeenJob, after: Heard, _permit: MaySee, reducing: ReducingDep
) -> AsyncIterator[ServerSentEvent]:
    """Stream each state once, in order, until the job has ended; begin after `Last-Event-ID`."""
    async for move in reducing.following.follow(Topic(job=job), after):
        yield event_of(move)


def event_of(move: Moved) -> ServerSentEvent:
    """A move as an event; its name is the state."""
    data = {"job": move.job, "state": move.state, "attempt": move.attempt, "at": move.at.isoformat()}
    return ServerSentEvent(data=data, event=move.state, id=move.event_id)


@router.get(
    "/jobs/{job_id}/logs", responses=responses(401, 403, 404, 422, 503), summary="Logs of every attempt"
)
def job_logs(
    job: SeenJob, _permit: MaySee, store: StoreDep, reducing: ReducingDep
) -> tuple[AttemptView, ...]:
    """Tell of every time a job was begun; logs are kept also of workers that died."""
    return tuple(
        AttemptView(
            number=each.number,
            started=instant(each.started),
            finished=None if each.finished is None else instant(each.finished),
            outcome=each.outcome,
            error=each.error,
            log=_log_of(store, job, each.number),
        )
        for each in reducing.queue.attempts(job)
    )


def _log_of(store: ObjectStore, job: str, number: int) -> str | None:
    text = store.log(job, number)
    return text if text is None or len(text) <= LONGEST_LOG else text[-LONGEST_LOG:]


def _controlled(job_id: str, permit: Permit, database: DatabaseDep, action: str) -> None:
    with database.writing() as session:
        row = permit.over(session, session.get(Reduction, job_id), "job")
        if action == RETRIED:
            owe(session, "reduction", job_id, row.asker)
        record(session, permit.caller, action, job_id)


@router.post(
    "/jobs/{job_id}:cancel", responses=responses(401, 403, 404, 422, 503), summary="Cancel a reduction"
)
def cancel_job(job_id: IdPath, permit: MayControl, database: DatabaseDep, reducing: ReducingDep) -> JobView:
    """Cancel a job that has not ended: at once what waits, within seconds what runs."""
    _controlled(job_id, permit, database, "reduction cancelled")
    reducing.queue.cancel([job_id])
    return _viewed(job_id, database, reducing)


@router.post(
    "/jobs/{job_id}:retry", responses=responses(401, 403, 404, 422, 503), summary="Retry a reduction"
)
def retry_job(job_id: IdPath, permit: MayControl, database: DatabaseDep, reducing: ReducingDep) -> JobView:
    """Queue a failed or cancelled job again, in its old place; earlier logs are kept."""
    _controlled(job_id, permit, database, RETRIED)
    reducing.queue.retry([job_id])
    return _viewed(job_id, database, reducing)


def _viewed(job_id: str, database: Database, reducing: Reducing) -> JobView:
    with database.reading() as session:
        row = session.get(Reduction, job_id)
        assert row is not None
        return job_views(session, [row], reducing)[0]
