"""Routes of bytes: archives of event data, and single files, whole or in part."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.bundles.plan import Entry, Plan, plan_of
from api.bundles.requesting import live_request
from api.bundles.sending import pieces, touched
from api.bundles.tables import DataPlan, DataRequest
from api.campaigns.tables import Campaign
from api.database.tables import now
from api.database.transactions import Database
from api.dependencies import DatabaseDep, IdPath, StoreDep
from api.downloads import attachment, described, ranged
from api.observations.tables import WITHDRAWN, Observation, ObservationFile
from api.problems import RefusedError
from cluster.store.ahead import ahead
from cluster.store.names import raw_name
from cluster.store.published import ObjectStore

ZIP = "application/zip"
BYTES = "application/octet-stream"
THREADS = 4
OVER = "this request has ended; ask for the data anew by POST /campaigns/{id}/data-requests"
NONE = "you have no request for these data that is still good: POST /campaigns/{id}/data-requests first"

router = APIRouter(prefix="/api/v1", tags=["event data"])
MaySee = Annotated[Permit, may(Operation.SEE_EVENT_DATA)]


class ZipResponse(StreamingResponse):
    """For the OpenAPI text."""

    media_type = ZIP


class BytesResponse(StreamingResponse):
    """For the OpenAPI text."""

    media_type = BYTES


_ZIP_ANSWERS = described(ZIP, 401, 403, 404, 410, 422, 503)
_LAST_ANSWERS = described(ZIP, 401, 403, 404, 409, 410, 422, 503)
_FILE_ANSWERS = described(BYTES, 401, 403, 404, 410, 422, 503)


@router.head(
    "/data-requests/{request_id}/bundle.zip",
    response_class=ZipResponse, responses=_ZIP_ANSWERS, summary="Size and ETag of the archive",
)  # fmt: skip
@router.get(
    "/data-requests/{request_id}/bundle.zip",
    response_class=ZipResponse, responses=_ZIP_ANSWERS, summary="The archive of a request",
)  # fmt: skip
def bundle(
    request_id: IdPath, request: Request, permit: MaySee, database: DatabaseDep, store: StoreDep
) -> Response:
    """Return a ZIP archive (ZIP64 where it must be) of all that was asked for, or a range of its bytes.

    Its bytes do not change while the request is good, so that a download that broke goes on where it was.
    """
    with database.reading() as session:
        row = permit.over(session, session.get(DataRequest, request_id), "request")
        plan = _plan(session, row)
    return _sent(request, permit, database, store, row, plan)


@router.head(
    "/campaigns/{campaign_id}/bundle.zip",
    response_class=ZipResponse, responses=_LAST_ANSWERS, summary="Size and ETag of the last archive",
)  # fmt: skip
@router.get(
    "/campaigns/{campaign_id}/bundle.zip",
    response_class=ZipResponse, responses=_LAST_ANSWERS, summary="The archive of one's last request",
)  # fmt: skip
def last_bundle(
    campaign_id: IdPath, request: Request, permit: MaySee, database: DatabaseDep, store: StoreDep
) -> Response:
    """Return the archive of the caller's newest request for the data of a campaign."""
    with database.reading() as session:
        campaign = permit.over(session, session.get(Campaign, campaign_id), "campaign")
        row = live_request(session, permit.caller, campaign.id)
        if row is None:
            raise RefusedError(409, NONE)
        plan = _plan(session, row)
    return _sent(request, permit, database, store, row, plan)


def _plan(session: Session, row: DataRequest) -> Plan:
    """What the archive of a request is made of.

    Raises
    ------
    RefusedError
        410: the request has ended.
    """
    kept = session.get(DataPlan, row.id)
    if kept is None or row.expires <= now():
        raise RefusedError(410, OVER)
    return plan_of(kept.content)


def _sent(
    request: Request, permit: Permit, database: Database, store: ObjectStore, row: DataRequest, plan: Plan
) -> Response:
    def opened(start: int, stop: int) -> Iterator[bytes]:
        _require_sound(database, store, row, plan, start, stop)
        if start == 0 and request.method == "GET":
            with database.writing() as session:
                record(session, permit.caller, "event data fetched", row.campaign, data_request=row.id)
        return pieces(store, plan, start, stop, lambda entry: _note_damage(database, entry))

    headers = {"Content-Disposition": attachment(plan.name)}
    return ranged(request, plan.layout.size, f'"{row.digest}"', opened, ZIP, headers)


def _require_sound(
    database: Database, store: ObjectStore, row: DataRequest, plan: Plan, start: int, stop: int
) -> None:
    """See, before anything is sent, that what will be sent is there.

    Raises
    ------
    RefusedError
        410: a file is gone or damaged.
    """
    with database.reading() as session:
        bad = select(ObservationFile.sha256).join(Observation, Observation.id == ObservationFile.observation)
        bad = bad.where(Observation.campaign == row.campaign, ObservationFile.damaged.is_not(None))
        damaged = set(session.scalars(bad))
    entries = list(touched(plan, start, stop))
    sizes = ahead(lambda entry: store.object_size(entry.store), entries, THREADS)
    wrong = [
        entry.name
        for entry, size in zip(entries, sizes, strict=True)
        if size != entry.size or entry.sha256 in damaged
    ]
    if wrong:
        named = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise RefusedError(
            410,
            f"{named}: gone from the store, or damaged. Have it restored, or ask anew with missing=list",
        )


def _note_damage(database: Database, entry: Entry) -> None:
    """Keep that a file was found damaged while it was sent: nobody is sent it again before it is restored."""
    with database.writing() as session:
        rows = select(ObservationFile).where(
            ObservationFile.sha256 == entry.sha256, ObservationFile.damaged.is_(None)
        )
        for row in session.scalars(rows.with_for_update()):
            row.damaged = now()
            record(session, None, "file damaged", row.id)


@router.head(
    "/files/{file_id}/content",
    response_class=BytesResponse, responses=_FILE_ANSWERS, summary="Size and ETag of a file",
)  # fmt: skip
@router.get(
    "/files/{file_id}/content",
    response_class=BytesResponse, responses=_FILE_ANSWERS, summary="A file as it was sent",
)  # fmt: skip
def file_content(
    file_id: IdPath,
    request: Request,
    permit: Annotated[Permit, may(Operation.SEE_FILES)],
    database: DatabaseDep,
    store: StoreDep,
) -> Response:
    """Return the bytes of a file, or a range of them, as its observer sent them; no browser shows them."""
    with database.reading() as session:
        row = session.get(ObservationFile, file_id)
        permit.over(session, None if row is None else session.get(Observation, row.observation), "file")
    assert row is not None
    name = raw_name(row.sha256)

    def opened(start: int, stop: int) -> Iterator[bytes]:
        if row.state == WITHDRAWN:
            raise RefusedError(410, f"{row.name}: was taken back by its observer")
        if store.object_size(name) != row.size or row.damaged is not None:
            raise RefusedError(410, f"{row.name}: gone from the store, or damaged there; have it restored")
        return store.read_object(name, start, stop)

    headers = {"Content-Disposition": attachment(row.name), "X-Content-Type-Options": "nosniff"}
    return ranged(request, row.size, f'"{row.sha256}"', opened, BYTES, headers)
