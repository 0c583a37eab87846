"""Routes of the files of observations."""

from typing import Annotated

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit
from api.observations.tables import Observation, ObservationFile
from api.observations.views import FileDetail, FileView, FlagBody, file_detail, file_view
from api.observations.withdrawing import flag, withdraw
from api.pages import Page, page_of
from api.problems import responses

MOST_BODY_BYTES = 1 << 16

router = APIRouter(prefix="/api/v1", tags=["observations"])


@router.get(
    "/observations/{observation_id}/files",
    responses=responses(401, 403, 404, 422, 503),
    summary="Files of an observation",
)
def list_files(
    observation_id: IdPath,
    permit: Annotated[Permit, may(Operation.SEE_FILES)],
    database: DatabaseDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[FileView]:
    """List the files of an observation, in the order they came."""
    with database.reading() as session:
        found, following = files_of(session, permit, observation_id, limit, cursor)
    return Page(items=tuple(file_view(row) for row in found), next=following)


def files_of(
    session: Session, permit: Permit, observation_id: str, limit: int, cursor: str | None
) -> tuple[list[ObservationFile], str | None]:
    """Files of an observation, for who may see them, and the cursor of those that follow.

    Raises
    ------
    RefusedError
        404: no such observation, or not theirs.
    """
    permit.over(session, session.get(Observation, observation_id), "observation")
    rows = select(ObservationFile).where(ObservationFile.observation == observation_id)
    return page_of(session, rows, (ObservationFile.created, ObservationFile.id), limit, cursor)


@router.get(
    "/files/{file_id}", responses=responses(401, 403, 404, 422, 503), summary="A file, and what is in it"
)
def show_file(
    file_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_FILES)], database: DatabaseDep
) -> FileDetail:
    """Tell a file's recordings: type, image type, axes and times of each file in it."""
    with database.reading() as session:
        row = session.get(ObservationFile, file_id)
        permit.over(session, None if row is None else session.get(Observation, row.observation), "file")
        assert row is not None
        return file_detail(row)


@router.delete(
    "/files/{file_id}",
    status_code=204,
    responses=responses(401, 403, 404, 409, 422, 503),
    summary="Take back a file",
)
def withdraw_file(
    file_id: IdPath, permit: Annotated[Permit, may(Operation.WITHDRAW_FILE)], database: DatabaseDep
) -> None:
    """Take back a file that nothing was made of: its bytes are removed where no other file has the same.

    409 says what uses it: results, reductions under way, the campaign's limb, event data that can be fetched.
    """
    with database.writing() as session:
        withdraw(session, permit, file_id)


@router.put(
    "/files/{file_id}/flag",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 409, 413, 422, 503),
    summary="Flag a file",
)
def flag_file(
    file_id: IdPath,
    body: FlagBody,
    permit: Annotated[Permit, may(Operation.FLAG_FILE)],
    database: DatabaseDep,
) -> FileView:
    """Have an accepted file used no more, whatever was made of it; an empty reason takes that back."""
    with database.writing() as session:
        return file_view(flag(session, permit, file_id, body.reason))
