"""Files whose size is known only at their end, as browsers' forms send them: by the same code as tus."""

from collections.abc import AsyncIterator

from sqlalchemy import CursorResult, update
from starlette.concurrency import run_in_threadpool

from api.access.matrix import Operation
from api.access.permit import Permit
from api.database.transactions import Database
from api.problems import RefusedError
from api.settings import ServiceSettings
from api.uploads import creating
from api.uploads.headers import Metadata
from api.uploads.receiving import Receiving
from api.uploads.tables import ARRIVING, WHOLE, Upload
from api.uploads.tus_routes import terminate

TOO_LARGE = 413
FULL = 507


async def take(
    database: Database,
    permit: Permit,
    metadata: Metadata,
    stream: AsyncIterator[bytes],
    most: int,
    settings: ServiceSettings,
    receiving: Receiving,
) -> str:
    """Take a file at one go; what breaks off, or finds no room, leaves nothing.

    Parameters
    ----------
    permit : Permit
        For `Operation.UPLOAD`.
    most : int
        Bytes that it can have at most: room is asked for so many.

    Returns
    -------
    str
        Id of its upload.

    Raises
    ------
    RefusedError, UmbraError
        As `creating.begin` and `Receiving.append`.
    """
    bound = max(1, min(most, settings.largest_file))

    def begin() -> str:
        with database.writing() as session:
            return creating.begin(session, permit, metadata, bound, settings, receiving).id

    try:
        upload = await run_in_threadpool(begin)
    except RefusedError as error:
        raise _no_room(error) from error
    whole = False
    try:
        arrived = await receiving.append(upload, 0, stream, None, None)
        if not arrived.whole:
            await run_in_threadpool(_end, database, upload, arrived.received)
            receiving.finished()
        whole = True
    except RefusedError as error:
        raise _plainly(error) from error
    finally:
        if not whole:
            ending = Permit(permit.caller, Operation.UPLOAD)
            await run_in_threadpool(terminate, upload, ending, database, settings)
    return upload


def _end(database: Database, upload: str, received: int) -> None:
    """Say that what has arrived is all."""
    ended = (
        update(Upload)
        .where(Upload.id == upload, Upload.state == ARRIVING, Upload.received == received)
        .values(length=received, state=WHOLE)
    )
    with database.writing() as session:
        done: CursorResult[tuple[()]] = session.connection().execute(ended)
    if done.rowcount != 1:
        raise RefusedError(404, "the upload was ended meanwhile")


def _no_room(error: RefusedError) -> RefusedError:
    """The same without a word of tus."""
    if error.problem.status != TOO_LARGE:
        return error
    return RefusedError(TOO_LARGE, "file: larger than the room that is left of yours; ask the staff for more")


def _plainly(error: RefusedError) -> RefusedError:
    """The same for somebody who cannot go on where it ended."""
    status = error.problem.status
    if status == TOO_LARGE:
        return RefusedError(status, "file: larger than a file may be here")
    if status == FULL:
        return RefusedError(
            status,
            "file: the disk of the service is full, nothing was kept; send it again later",
            error.headers,
        )
    return error
