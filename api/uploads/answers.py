"""What tus requests are answered with, by the service as by its upload nodes."""

from collections.abc import Callable

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from api.database.tables import now
from api.problems import RefusedError
from api.uploads import protocol
from api.uploads.headers import BODY, checksum_of, declared, has_body, http_date, number_of
from api.uploads.receiving import Arrived, Receiving
from api.uploads.tables import ARRIVING, Arriving

EXPIRED = "nothing came for so long that the upload was ended; begin again"


def tell_capabilities(response: Response, largest_file: int) -> None:
    """Say in headers: version, extensions, largest file and checksums."""
    response.headers["Tus-Version"] = protocol.VERSION
    response.headers["Tus-Extension"] = protocol.EXTENSIONS
    response.headers["Tus-Checksum-Algorithm"] = protocol.ALGORITHMS
    response.headers["Tus-Max-Size"] = str(largest_file)


async def begin(request: Request, receiving: Receiving, make: Callable[[int], Arriving]) -> Response:
    """Begin an upload, with the first bytes where they come along.

    Parameters
    ----------
    request : Request
    receiving : Receiving
    make : callable
        Makes the upload of so many bytes, in a thread; or finds it, where it was begun before.

    Raises
    ------
    RefusedError
        The headers are not in the form, `make` refuses, or `Receiving.append`; then it tells the address.
    """
    headers = request.headers
    if "upload-defer-length" in headers:
        raise RefusedError(400, "Upload-Defer-Length: not here; give Upload-Length")
    length = number_of(headers, "Upload-Length")
    first = has_body(headers)
    checksum = checksum_of(headers) if first else None
    size = declared(headers)
    if first and size is not None and size > length:
        raise RefusedError(413, f"the body has {size} bytes, Upload-Length says {length}")
    row = await run_in_threadpool(make, length)
    arrived = Arrived(row.received, row.length, row.expires)
    location = f"{protocol.PREFIX}/{row.id}"
    if first and length:
        try:
            arrived = await receiving.append(row.id, 0, request.stream(), size, checksum)
        except RefusedError as error:
            error.headers = {**error.headers, "Location": location}
            raise
    elif not length:
        receiving.finished()
    return Response(status_code=201, headers={"Location": location, **_told(arrived)})


def offset_of(row: Arriving, metadata: str) -> Response:
    """How far an upload is.

    Raises
    ------
    RefusedError
        410: it has expired.
    """
    if row.state == ARRIVING and row.expires <= now():
        raise RefusedError(410, EXPIRED)
    arrived = Arrived(row.received, row.length, row.expires)
    told = {**_told(arrived), "Upload-Length": str(row.length), "Cache-Control": "no-store"}
    if metadata:
        told["Upload-Metadata"] = metadata
    return Response(headers=told)


async def take_body(request: Request, receiving: Receiving, upload: str) -> Response:
    """Append the body of a request; the answer means that the bytes are on the disk. Raises as `append`."""
    headers = request.headers
    if not has_body(headers):
        raise RefusedError(415, f"Content-Type: give {BODY}")
    at, checksum = number_of(headers, "Upload-Offset"), checksum_of(headers)
    arrived = await receiving.append(upload, at, request.stream(), declared(headers), checksum)
    return Response(status_code=204, headers=_told(arrived))


def _told(arrived: Arrived) -> dict[str, str]:
    told = {"Upload-Offset": str(arrived.received)}
    return told if arrived.whole else {**told, "Upload-Expires": http_date(arrived.expires)}
