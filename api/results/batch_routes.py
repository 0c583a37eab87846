"""Routes of batches: thousands of reductions asked for by one manifest."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.access.permit import Permit
from api.audit.log import record
from api.campaigns.tables import Campaign
from api.database.tables import new_id, now
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, StoreDep
from api.notices.owed import owe
from api.observations.tables import Observation
from api.pages import Page, page_of
from api.problems import FieldProblem, RefusedError, responses
from api.results.estimates import estimate_of
from api.results.following import Topic
from api.results.manifest import read_lines
from api.results.orders import (
    Asked,
    asked,
    fault_of,
    files_of,
    observations_of,
    order_for,
    orders_again,
    reduction_of,
)
from api.results.reduction_routes import (
    Heard,
    IdempotencyKey,
    MayControl,
    MayReduce,
    MaySee,
    event_of,
    team,
)
from api.results.requests import MOST_PRIORITY
from api.results.service import Reducing, ReducingDep
from api.results.tables import Batch, Reduction
from api.results.views import (
    PREFIX,
    BatchDryRunView,
    BatchView,
    CountView,
    FaultView,
    JobView,
    batch_view,
    job_views,
)
from cluster.campaign.observation import Fault
from cluster.jobs.tables import JobRow
from reduction.errors import RequestError

MOST_BODY_BYTES = 32 << 20
FORMS: dict[str, Literal["csv", "jsonl"]] = {
    "text/csv": "csv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/json-seq": "jsonl",
}
EXAMPLE = '{"file": "5e0f2c7a9b1d4e6f8a0b1c2d3e4f5a6b", "plan": {"aperture_px": 4.5}}\n'
CONTENT = {
    "text/csv": {"schema": {"type": "string"}, "example": "file,target,plan.aperture_px\n"},
    "application/jsonl": {"schema": {"type": "string"}, "example": EXAMPLE},
}

router = APIRouter(prefix=PREFIX, tags=["reductions"])


@dataclass(frozen=True, slots=True)
class Part:
    """What the caller has of a campaign."""

    concern_person: str | None
    concern_campaign: str | None


async def _manifest(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/batches",
    status_code=202,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 413, 415, 422, 503) | {200: {"model": BatchDryRunView}},
    openapi_extra={"requestBody": {"required": True, "content": CONTENT}},
    summary="Ask for up to 10,000 reductions by a manifest",
)
def ask_batch(
    request: Request,
    response: Response,
    manifest: Annotated[bytes, Depends(_manifest)],
    permit: MayReduce,
    database: DatabaseDep,
    store: StoreDep,
    reducing: ReducingDep,
    campaign: Annotated[str, Query(pattern=r"^[0-9a-f]{32}$", description="Of which all files are.")],
    mode: Annotated[
        Literal["atomic", "partial"], Query(description="All lines or none; or the sound ones.")
    ] = ("atomic"),
    priority: Annotated[int, Query(ge=-MOST_PRIORITY, le=MOST_PRIORITY)] = 0,
    dry_run: Annotated[bool, Query(description="Tell faults and estimate, do nothing.")] = False,
    idempotency_key: IdempotencyKey = None,
) -> BatchView | BatchDryRunView:
    """Ask for reductions: a line of CSV, or a JSON object of a line, has the fields of `POST /reductions`.

    All that is wrong is told at once, by line and column. `Location` is the batch.
    """
    with database.reading() as session:
        of_team = over_campaign(session, permit, campaign)
    if priority > 0 and not of_team:
        raise RequestError("priority: above 0 is for staff and the event responsible")
    person = permit.caller.known
    digest = hashlib.sha256(f"{campaign} {mode} {priority} ".encode() + manifest).hexdigest()
    if idempotency_key is not None and not dry_run:
        with database.reading() as session:
            before = _before(session, person, idempotency_key, digest)
        if before is not None:
            return _answered(before, response, database, reducing, store.url)
    lines, faults = read_lines(_text(manifest), _form(request))
    with database.reading() as session:
        files = files_of(session, (file for line in lines for file in line.ask.files.values()))
        observations = observations_of(session, files.values())
    visible = {
        each.id
        for each in observations.values()
        if each.campaign == campaign and (of_team or each.person == person)
    }
    files = {name: row for name, row in files.items() if row.observation in visible}
    sound: list[Asked] = []
    for line in lines:
        fault = fault_of(line.ask, files)
        if fault is not None:
            faults.append(Fault(line.number, *fault))
        else:
            sound.append(asked(line.number, line.ask, files, observations, store.url))
    faults.sort(key=lambda each: each.line)
    told = tuple(FaultView(line=each.line, column=each.column, reason=each.reason) for each in faults)
    if dry_run:
        response.status_code = 200
        estimate = estimate_of(sound, reducing.workers)
        return BatchDryRunView(lines=len(sound), faults=told, estimate=estimate)
    if faults and (mode == "atomic" or not sound):
        raise _all_wrong(told)
    batch = Batch(
        id=new_id(),
        campaign=campaign,
        person=person,
        idempotency_key=idempotency_key,
        digest=digest,
        faults={"lines": [each.model_dump() for each in told]},
        created=now(),
    )
    rows = [reduction_of(each, person, priority, batch.id) for each in sound]
    try:
        with database.writing() as session:
            session.add(batch)
            session.flush()
            session.add_all(rows)
            owe(session, "batch", batch.id, person)
            record(session, permit.caller, "batch asked", batch.id, reductions=len(rows))
    except IntegrityError:
        if idempotency_key is None:
            raise
        with database.reading() as session:
            found = _before(session, person, idempotency_key, digest)
        if found is None:
            raise
        return _answered(found, response, database, reducing, store.url)
    works = {each.line: each.work for each in sound}
    reducing.queue.submit([order_for(row, works[row.line]) for row in rows])
    return _answered(batch, response, database, reducing, store.url)


def _answered(
    batch: Batch, response: Response, database: DatabaseDep, reducing: Reducing, store: str
) -> BatchView:
    """The answer to a batch that was acknowledged; jobs that a crash kept from the queue are sent."""
    lacking = select(Reduction).outerjoin(JobRow, JobRow.id == Reduction.id)
    with database.reading() as session:
        rows = session.scalars(lacking.where(Reduction.batch == batch.id, JobRow.id.is_(None)))
        orders = orders_again(session, rows, store)
    if orders:
        reducing.queue.submit(orders)
    response.headers["Location"] = f"{PREFIX}/batches/{batch.id}"
    with database.reading() as session:
        return batch_view(session, batch)


def over_campaign(session: Session, permit: Permit, campaign: str) -> bool:
    """See that the caller may reduce something of a campaign; whether all of it."""
    there = session.get(Campaign, campaign)
    if there is None:
        permit.over(session, None, "campaign")
        return False
    mine = exists().where(Observation.campaign == campaign, Observation.person == permit.caller.person)
    person = permit.caller.person if session.scalar(select(mine)) else None
    permit.over(session, Part(person, campaign), "campaign")
    return team(session, permit, there)


def _form(request: Request) -> Literal["csv", "jsonl"]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in FORMS:
        raise RefusedError(415, f"Content-Type {kind!r:.80}: send text/csv or application/jsonl")
    return FORMS[kind]


def _text(manifest: bytes) -> str:
    try:
        return manifest.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"the manifest is no UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _all_wrong(faults: Sequence[FaultView]) -> RefusedError:
    lines = len({each.line for each in faults})
    refused = RefusedError(422, f"{lines} lines are wrong, nothing was done; mode=partial leaves them out")
    fields = tuple(
        FieldProblem(pointer=f"line {each.line} {each.column}".rstrip(), detail=each.reason)
        for each in faults
    )
    refused.problem = refused.problem.model_copy(update={"errors": fields})
    return refused


def _before(session: Session, person: str, key: str, digest: str) -> Batch | None:
    """The batch that was asked for under a key. Raises `RefusedError` where it was another request."""
    row = session.scalar(select(Batch).where(Batch.person == person, Batch.idempotency_key == key))
    if row is not None and row.digest != digest:
        raise RefusedError(422, f"Idempotency-Key {key!r} belongs to another request; use a new key")
    return row


def seen_batch(batch_id: IdPath, permit: MaySee, database: DatabaseDep) -> str:
    """Id of a batch that the caller may see."""
    with database.reading() as session:
        return permit.over(session, session.get(Batch, batch_id), "batch").id


SeenBatch = Annotated[str, Depends(seen_batch)]


@router.get("/batches/{batch_id}", responses=responses(401, 403, 404, 422, 503), summary="A batch")
def see_batch(batch_id: IdPath, permit: MaySee, database: DatabaseDep) -> BatchView:
    """Tell how many reductions of a batch are in each state."""
    with database.reading() as session:
        return batch_view(session, permit.over(session, session.get(Batch, batch_id), "batch"))


@router.get(
    "/batches/{batch_id}/jobs", responses=responses(401, 403, 404, 422, 503), summary="Jobs of a batch"
)
def batch_jobs(
    batch: SeenBatch,
    _permit: MaySee,
    database: DatabaseDep,
    reducing: ReducingDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[
        Literal["queued", "held", "running", "done", "failed", "cancelled"] | None, Query()
    ] = None,
) -> Page[JobView]:
    """List the reductions of a batch by line, those of a state alone where it is given."""
    rows = select(Reduction).where(Reduction.batch == batch)
    if state is not None:
        rows = rows.join(JobRow, JobRow.id == Reduction.id).where(JobRow.state == state)
    with database.reading() as session:
        found, following = page_of(session, rows, (Reduction.line, Reduction.id), limit, cursor)
        return Page(items=job_views(session, found, reducing), next=following)


@router.get(
    "/batches/{batch_id}/events",
    response_class=EventSourceResponse,
    responses=responses(401, 403, 404, 422, 503),
    summary="States of a batch's reductions as they come",
)
async def batch_events(
    batch: SeenBatch, after: Heard, _permit: MaySee, reducing: ReducingDep
) -> AsyncIterator[ServerSentEvent]:
    """Stream each state of each job once, in order, until all have ended; begin after `Last-Event-ID`."""
    async for move in reducing.following.follow(Topic(batch=batch), after):
        yield event_of(move)


@router.post(
    "/batches/{batch_id}:cancel", responses=responses(401, 403, 404, 422, 503), summary="Cancel a batch"
)
def cancel_batch(
    batch_id: IdPath, permit: MayControl, database: DatabaseDep, reducing: ReducingDep
) -> CountView:
    """Cancel all that has not ended: at once what waits, within seconds what runs."""
    ids = _controlled(batch_id, permit, database, ("queued", "held", "running"), "batch cancelled")
    return CountView(jobs=reducing.queue.cancel(ids))


@router.post(
    "/batches/{batch_id}:retry-failed",
    responses=responses(401, 403, 404, 422, 503),
    summary="Retry what failed",
)
def retry_batch(
    batch_id: IdPath, permit: MayControl, database: DatabaseDep, reducing: ReducingDep
) -> CountView:
    """Queue the failed jobs of a batch again, in their old places; what is done or cancelled stays."""
    ids = _controlled(batch_id, permit, database, ("failed",), "batch retried", tell=True)
    return CountView(jobs=len(reducing.queue.retry(ids)))


def _controlled(
    batch: str,
    permit: Permit,
    database: DatabaseDep,
    states: Sequence[str],
    action: str,
    tell: bool = False,
) -> list[str]:
    """Jobs of a batch in some states, which the caller may control; `tell`: of their end, once more."""
    rows = select(Reduction.id).join(JobRow, JobRow.id == Reduction.id)
    with database.writing() as session:
        row = permit.over(session, session.get(Batch, batch), "batch")
        found = list(session.scalars(rows.where(Reduction.batch == batch, JobRow.state.in_(states))))
        if tell and found:
            owe(session, "batch", batch, row.person)
        record(session, permit.caller, action, batch, jobs=len(found))
    return found
