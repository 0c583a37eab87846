"""Routes of a campaign's limb: asked for, told of, its figures and files."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.campaigns.tables import Campaign, Prediction
from api.database.tables import new_id, now
from api.database.transactions import Database
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, StoreDep
from api.fits.inputs import Inputs, inputs_of
from api.fits.reported import recordings_of, reported, taken
from api.fits.requests import FitAsk
from api.fits.service import FittingDep
from api.fits.stations import stated
from api.fits.tables import DONE, FAILED, QUEUED, Fit
from api.fits.views import FitDetail, FitView, fit_detail, fit_view
from api.pages import Page, page_of
from api.problems import RefusedError, responses
from api.results.reduction_routes import LONGEST_WAIT_S, IdempotencyKey, team
from api.results.result_routes import FOR_EVER, NAME
from api.results.service import ReducingDep
from api.results.views import PREFIX
from cluster.edition import edition
from cluster.store.published import ObjectStore

MOST_BODY_BYTES = 1 << 20
LOOK_S = 0.3
MEDIA = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".psv": "text/plain; charset=utf-8",
    ".toml": "application/toml",
    ".xml": "application/xml",
    ".html": "text/html; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
}
STRICT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
INTERACTIVE = STRICT.replace("style-src", "script-src 'unsafe-inline'; style-src") + " allow-scripts"
"""`limb.html` has a script of its own; without an origin it reaches nothing."""

router = APIRouter(prefix=PREFIX, tags=["chords and limb"])
MaySee = Annotated[Permit, may(Operation.SEE_CHORDS)]
VersionPath = Annotated[int, Path(ge=1, le=1_000_000)]


@router.post(
    "/campaigns/{campaign_id}/fits",
    status_code=202,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 409, 413, 422, 503) | {200: {"model": FitView}},
    summary="Fit the limb",
)
def ask(
    campaign_id: IdPath,
    body: FitAsk,
    response: Response,
    permit: Annotated[Permit, may(Operation.FIT_CAMPAIGN)],
    database: DatabaseDep,
    fitting: FittingDep,
    idempotency_key: IdempotencyKey = None,
) -> FitView:
    """Fit the limb to the campaign's chords, as `umbra chords` does. `Location` is the version.

    The same inputs (results, reports, choices, prediction, settings, Umbra) are the same version: 200.
    """
    with database.reading() as session:
        campaign = permit.over(session, session.get(Campaign, campaign_id), "campaign")
        elements = session.get_one(Prediction, campaign.prediction).elements
        rows = reported(session, campaign_id)
        results = [one.result.id for one in map(taken, rows) if one.result is not None]
        recordings = recordings_of(session, results)
    inputs = inputs_of(body, elements, stated(rows, fitting.records, body.stations), recordings)
    request = body.model_dump(mode="json", exclude_unset=True)
    with database.writing() as session:
        row, new = _row(session, permit, campaign_id, inputs, request, idempotency_key)
    fitting.tell()
    response.status_code = 202 if new else 200
    response.headers["Location"] = f"{PREFIX}/campaigns/{campaign_id}/fits/{row.version}"
    return fit_view(row)


def _row(
    session: Session,
    permit: Permit,
    campaign: str,
    inputs: Inputs,
    request: dict[str, object],
    idempotency_key: str | None,
) -> tuple[Fit, bool]:
    """The version of these inputs, and whether it is new, or begun again."""
    session.execute(select(Campaign.id).where(Campaign.id == campaign).with_for_update())
    person = permit.caller.known
    if idempotency_key is not None:
        asked = select(Fit).where(Fit.person == person, Fit.idempotency_key == idempotency_key)
        known = session.scalar(asked)
        if known is not None and (known.campaign, known.request) != (campaign, request):
            raise RefusedError(
                422, f"Idempotency-Key {idempotency_key!r} belongs to another request; use a new key"
            )
        if known is not None:
            return known, False
    row = session.scalar(select(Fit).where(Fit.campaign == campaign, Fit.key == inputs.key))
    if row is not None:
        again = row.state == FAILED and bool(row.outcome.get("again"))
        if again:
            row.state, row.attempts, row.outcome, row.finished = QUEUED, 0, {}, None
        return row, again
    last = session.scalar(select(func.max(Fit.version)).where(Fit.campaign == campaign))
    row = Fit(
        id=new_id(),
        campaign=campaign,
        version=(last or 0) + 1,
        key=inputs.key,
        person=person,
        idempotency_key=idempotency_key,
        request=request,
        inputs=inputs.document,
        edition=edition()[:256],
        state=QUEUED,
        lease=None,
        attempts=0,
        outcome={},
        created=now(),
        finished=None,
    )
    session.add(row)
    record(session, permit.caller, "fit asked", row.id, campaign=campaign, version=row.version, key=row.key)
    return row, True


@router.get(
    "/campaigns/{campaign_id}/fits",
    responses=responses(401, 403, 404, 422, 503),
    summary="Versions of a campaign's limb",
)
def list_fits(
    campaign_id: IdPath, permit: MaySee, database: DatabaseDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[FitView]:
    """List the versions, the latest first."""
    with database.reading() as session:
        permit.over(session, session.get(Campaign, campaign_id), "campaign")
        rows = select(Fit).where(Fit.campaign == campaign_id)
        found, following = page_of(session, rows, (Fit.version, Fit.id), limit, cursor, True)
    return Page(items=tuple(map(fit_view, found)), next=following)


def fit_of(database: Database, permit: Permit, campaign_id: str, version: int) -> tuple[Fit, bool]:
    """A version, and whether the caller may know places."""
    with database.reading() as session:
        campaign = permit.over(session, session.get(Campaign, campaign_id), "campaign")
        rows = select(Fit).where(Fit.campaign == campaign_id, Fit.version == version)
        row = permit.over(session, session.scalar(rows), "fit")
        return row, team(session, permit, campaign)


@router.get(
    "/campaigns/{campaign_id}/fits/{version}",
    responses=responses(401, 403, 404, 422, 503),
    summary="A version of the limb",
)
async def see_fit(
    campaign_id: IdPath,
    version: VersionPath,
    permit: MaySee,
    database: DatabaseDep,
    store: StoreDep,
    fitting: FittingDep,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 0,
) -> FitDetail:
    """Tell the limb, and for the team what it was made from; with `wait`, when it is done."""
    clock = asyncio.get_running_loop().time
    ends = clock() + wait
    row, exact = await run_in_threadpool(fit_of, database, permit, campaign_id, version)
    while row.state not in {DONE, FAILED} and clock() < ends and not fitting.stopping.is_set():
        await asyncio.sleep(LOOK_S)
        row, exact = await run_in_threadpool(fit_of, database, permit, campaign_id, version)
    files = await run_in_threadpool(files_of, store, row) if exact and row.state == DONE else ()
    return fit_detail(row, exact, files)


def files_of(store: ObjectStore, row: Fit) -> tuple[str, ...]:
    """Names of a fit's files in the store."""
    commit = store.find("results", row.key)
    return () if commit is None else tuple(sorted(one.name for one in commit.files))


def _done(row: Fit) -> Fit:
    """Refuse a version that has no limb."""
    if row.state == FAILED:
        raise RefusedError(409, f"version {row.version} has no limb: {row.outcome.get('message', '')}")
    if row.state != DONE:
        raise RefusedError(409, f"version {row.version} is {row.state}; ask it with ?wait=30")
    return row


@router.get(
    "/campaigns/{campaign_id}/fits/{version}/limb.{form}",
    response_class=FileResponse,
    responses=responses(401, 403, 404, 409, 410, 422, 503),
    summary="Chords and limb as a figure",
)
def figure(
    campaign_id: IdPath,
    version: VersionPath,
    form: Annotated[Literal["png", "svg"], Path()],
    permit: MaySee,
    database: DatabaseDep,
    store: StoreDep,
    reducing: ReducingDep,
) -> FileResponse:
    """Return the figure; for participants, once the embargo is over, with chords from rounded places."""
    row, exact = fit_of(database, permit, campaign_id, version)
    return _sent(store, reducing, _done(row), f"limb.{form}" if exact else f"limb-open.{form}", "no-cache")


@router.get(
    "/campaigns/{campaign_id}/fits/{version}/files/{name}",
    response_class=FileResponse,
    responses=responses(401, 403, 404, 409, 410, 422, 503),
    summary="A file of a fit",
)
def fit_file(
    campaign_id: IdPath,
    version: VersionPath,
    name: Annotated[str, Path(pattern=NAME)],
    permit: Annotated[Permit, may(Operation.SEE_FIT)],
    database: DatabaseDep,
    store: StoreDep,
    reducing: ReducingDep,
) -> FileResponse:
    """Return tables, text, page, figures, ADES as `umbra chords` writes them, or its inputs."""
    row, _ = fit_of(database, permit, campaign_id, version)
    return _sent(store, reducing, _done(row), name, FOR_EVER)


def _sent(store: ObjectStore, reducing: ReducingDep, row: Fit, name: str, kept: str) -> FileResponse:
    commit = store.find("results", row.key)
    if commit is None:
        raise RefusedError(410, "the files of this fit are not in the store any more")
    file = next((one for one in commit.files if one.name == name), None)
    if file is None:
        raise RefusedError(404, f"the fit has no file {name}")
    path = reducing.cache.folder(row.key) / name
    headers = {
        "ETag": f'"{file.sha256}"',
        "Cache-Control": kept if kept == FOR_EVER else f"private, {kept}",
        "Content-Security-Policy": INTERACTIVE if path.suffix == ".html" else STRICT,
    }
    return FileResponse(path, media_type=MEDIA.get(path.suffix, "application/octet-stream"), headers=headers)
