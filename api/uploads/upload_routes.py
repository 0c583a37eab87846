"""Routes of uploads besides tus: what has become of them."""

from datetime import datetime
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Query
from sqlalchemy import select

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, SettingsDep
from api.observations.tables import Observation
from api.pages import Page, page_of
from api.problems import responses
from api.uploads.creating import used_by
from api.uploads.headers import Role
from api.uploads.tables import Upload
from reduction.plan import Settings

router = APIRouter(prefix="/api/v1", tags=["uploads"])
State = Literal["arriving", "whole", "stored", "refused"]


class UploadView(Settings):
    """An upload.

    Attributes
    ----------
    state : str
        ``arriving``; ``whole``: all bytes are here, and are being stored; ``stored``: `file` is a file of the
        observation; ``refused``: `problem` says why.
    resumable : bool
        Whether it goes on where it was. What a browser's form without scripts sends does not: its size is
        known only at its end, and until then `length` is the most that it may have.
    node : str
        The upload node that it comes by, if any.
    """

    id: str
    observation: str
    role: Role
    name: str
    length: int
    received: int
    sha256: str | None
    state: State
    problem: str
    created: datetime
    expires: datetime
    file: str | None
    resumable: bool
    node: str = ""


class Usage(Settings):
    """Bytes of one's uploads, and how many there may be."""

    used: int
    quota: int
    largest_file: int


def view_of(row: Upload) -> UploadView:
    """Return what people see of an upload."""
    return UploadView(
        id=row.id,
        observation=row.observation,
        role=cast(Role, row.role),
        name=row.name,
        length=row.length,
        received=row.received,
        sha256=row.sha256,
        state=cast(State, row.state),
        problem=row.problem,
        created=row.created,
        expires=row.expires,
        file=row.file,
        resumable=bool(row.details.get("metadata")),
        node=row.details.get("node", ""),
    )


@router.get("/uploads", responses=responses(401, 403, 422, 503), summary="One's uploads")
def list_uploads(
    permit: Annotated[Permit, may(Operation.SEE_OWN_UPLOADS)],
    database: DatabaseDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[UploadView]:
    """List one's uploads, newest first."""
    rows = select(Upload).where(Upload.person == permit.caller.known)
    with database.reading() as session:
        found, following = page_of(session, rows, (Upload.created, Upload.id), limit, cursor, True)
    return Page(items=tuple(view_of(row) for row in found), next=following)


@router.get(
    "/observations/{observation_id}/uploads",
    responses=responses(401, 403, 404, 422, 503),
    summary="Uploads of an observation",
)
def list_uploads_of(
    observation_id: IdPath,
    permit: Annotated[Permit, may(Operation.SEE_UPLOAD)],
    database: DatabaseDep,
    state: Annotated[list[State] | None, Query(description="These alone; without it all.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[UploadView]:
    """List the uploads of an observation, newest first."""
    rows = select(Upload).where(Upload.observation == observation_id)
    if state:
        rows = rows.where(Upload.state.in_(state))
    with database.reading() as session:
        permit.over(session, session.get(Observation, observation_id), "observation")
        found, following = page_of(session, rows, (Upload.created, Upload.id), limit, cursor, True)
    return Page(items=tuple(view_of(row) for row in found), next=following)


@router.get("/account/usage", responses=responses(401, 403, 503), summary="Room for one's uploads")
def usage(
    permit: Annotated[Permit, may(Operation.SEE_OWN_UPLOADS)], database: DatabaseDep, settings: SettingsDep
) -> Usage:
    """Tell how much one has uploaded, and may."""
    with database.reading() as session:
        used = used_by(session, permit.caller.known)
    return Usage(used=used, quota=settings.quota, largest_file=settings.largest_file)


@router.get(
    "/uploads/{upload_id}",
    responses=responses(401, 403, 404, 422, 503),
    summary="What has become of an upload",
)
def show_upload(
    upload_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_UPLOAD)], database: DatabaseDep
) -> UploadView:
    """Tell how far an upload is; once it is stored, the id of its file."""
    with database.reading() as session:
        row = session.get(Upload, upload_id)
        permit.over(session, None if row is None else session.get(Observation, row.observation), "upload")
        assert row is not None
        return view_of(row)
