"""Resumable upload: the routes of tus 1.0."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from sqlalchemy import delete
from starlette.concurrency import run_in_threadpool

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.database.transactions import Database
from api.dependencies import DatabaseDep, IdPath, SettingsDep
from api.observations.tables import Observation
from api.problems import MEDIA_TYPE, RefusedError, responses
from api.uploads import answers, creating, protocol
from api.uploads.headers import BODY, MISMATCH, metadata_of
from api.uploads.parts import part_of
from api.uploads.receiving import Receiving
from api.uploads.tables import WHOLE, Upload

router = APIRouter(prefix="/api/v1", tags=["uploads"])

Version = Annotated[str, Header(alias=protocol.RESUMABLE, description="1.0.0", examples=["1.0.0"])]
CHECKSUM: dict[int | str, dict[str, Any]] = {
    MISMATCH: {
        "description": "Checksum Mismatch",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
BYTES: dict[str, Any] = {
    "requestBody": {"content": {BODY: {"schema": {"type": "string", "format": "binary"}}}, "required": False}
}


def receiving_of(request: Request) -> Receiving:
    """What takes the bytes, of the app."""
    receiving: Receiving = request.app.state.receiving
    return receiving


ReceivingDep = Annotated[Receiving, Depends(receiving_of)]


@router.options(
    "/uploads", status_code=204, responses=responses(401), summary="What the upload service can do"
)
def capabilities(
    _permit: Annotated[Permit, may(Operation.SEE_UPLOAD_SERVICE)], settings: SettingsDep, response: Response
) -> None:
    """Tell version, extensions, largest file and checksums, in headers."""
    answers.tell_capabilities(response, settings.largest_file)


@router.post(
    "/uploads",
    status_code=201,
    response_class=Response,
    responses=responses(400, 401, 403, 404, 408, 409, 412, 413, 422, 423, 503, 507) | CHECKSUM,
    openapi_extra=BYTES,
    summary="Begin an upload",
)
async def create(
    request: Request,
    permit: Annotated[Permit, may(Operation.UPLOAD)],
    database: DatabaseDep,
    settings: SettingsDep,
    receiving: ReceivingDep,
    tus_resumable: Version = protocol.VERSION,
    upload_length: Annotated[str | None, Header(description="Bytes of the file.", examples=["1024"])] = None,
    upload_metadata: Annotated[
        str | None,
        Header(
            description="observation, filename, role (recording, additional, roi), sha256; values in base64."
        ),
    ] = None,
) -> Response:
    """Begin the upload of a file of an observation; `Location` is where its bytes go by PATCH.

    The first of them may come with this request.
    """
    del tus_resumable, upload_length, upload_metadata  # read strictly by `answers.begin`

    def make(length: int) -> Upload:
        metadata = metadata_of(request.headers)
        with database.writing() as session:
            return creating.begin(session, permit, metadata, length, settings, receiving)

    return await answers.begin(request, receiving, make)


@router.head(
    "/uploads/{upload_id}",
    status_code=200,
    response_class=Response,
    responses=responses(401, 403, 404, 410, 412, 422, 503),
    summary="How far an upload is",
)
def offset(
    upload_id: IdPath,
    permit: Annotated[Permit, may(Operation.SEE_UPLOAD)],
    database: DatabaseDep,
    tus_resumable: Version = protocol.VERSION,
) -> Response:
    """Tell in `Upload-Offset` how many bytes are safe here."""
    del tus_resumable
    row = _found(database, permit, upload_id)
    return answers.offset_of(row, row.details.get("metadata", ""))


@router.patch(
    "/uploads/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=responses(400, 401, 403, 404, 408, 409, 410, 412, 413, 415, 422, 423, 503, 507) | CHECKSUM,
    openapi_extra=BYTES,
    summary="Send bytes of an upload",
)
async def append(
    upload_id: IdPath,
    request: Request,
    permit: Annotated[Permit, may(Operation.UPLOAD)],
    database: DatabaseDep,
    receiving: ReceivingDep,
    tus_resumable: Version = protocol.VERSION,
    upload_offset: Annotated[str | None, Header(description="Where the body begins.", examples=["0"])] = None,
    upload_checksum: Annotated[str | None, Header(description="sha1 or sha256, blank, base64.")] = None,
) -> Response:
    """Append the body to the upload.

    Without a checksum, what arrived before the connection broke off counts. The answer means that the bytes
    are on the disk.
    """
    del tus_resumable, upload_offset, upload_checksum
    await run_in_threadpool(_found, database, permit, upload_id)
    return await answers.take_body(request, receiving, upload_id)


@router.delete(
    "/uploads/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=responses(401, 403, 404, 409, 412, 422, 503),
    summary="End an upload",
)
def terminate(
    upload_id: IdPath,
    permit: Annotated[Permit, may(Operation.UPLOAD)],
    database: DatabaseDep,
    settings: SettingsDep,
    tus_resumable: Version = protocol.VERSION,
) -> Response:
    """Forget an upload and its bytes. Of one that is stored, the file stays with its observation (409)."""
    del tus_resumable
    with database.writing() as session:
        row = session.get(Upload, upload_id)
        permit.over(session, None if row is None else session.get(Observation, row.observation), "upload")
        assert row is not None
        if row.file is not None or row.state == WHOLE:
            raise RefusedError(409, "the file has arrived and is the observation's; remove it there")
        session.execute(delete(Upload).where(Upload.id == row.id))
        record(session, permit.caller, "upload ended", row.id, received=row.received)
    part_of(creating.folder_of(settings), upload_id).unlink(missing_ok=True)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _found(database: Database, permit: Permit, identity: str) -> Upload:
    """An upload that the caller may know of."""
    with database.reading() as session:
        row = session.get(Upload, identity)
        permit.over(session, None if row is None else session.get(Observation, row.observation), "upload")
        assert row is not None
        return row
