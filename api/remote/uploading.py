"""Files go up in pieces by tus, and go on where a broken line, or a process that ended, left them."""

import base64
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from api.remote.connection import API, FIRST_PAUSE_S, AwayError, Connection, GoneError, Patience, UnknownError
from reduction.errors import DataError, RequestError, ResourceError

PIECE_BYTES = 8 << 20
BODY = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}
LOOK_AGAIN_S = 5.0
NEAREST = "nearest"
"""In place of a node's name: that which is nearest to the station."""

TICKETS = 10
"""How many are asked for, at most, where a file takes longer than one is good for."""

Progress = Callable[[int, int], None]
"""Called with bytes that are safe at the other end, and bytes of the file."""
Begun = Callable[[str], None]
"""Called with the id of an upload, as soon as there is one."""


def upload(
    connection: Connection,
    path: Path,
    observation: str,
    role: str,
    resume: str | None = None,
    progress: Progress | None = None,
    begun: Begun | None = None,
    sha256: str | None = None,
    node: str | None = None,
) -> str:
    """Send a file; as `api.client.Service.upload`."""
    try:
        size = path.stat().st_size
        metadata = {"observation": observation, "filename": path.name, "role": role}
        metadata["sha256"] = sha256 or digest_of(path)
        identity, at = _begun(connection, size, metadata, resume)
        if begun is not None:
            begun(identity)
        with path.open("rb") as file:
            if node is None:
                pour(connection, identity, file, at, size, progress)
            elif at < size:
                by_node(connection, identity, node, file, size, progress)
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror or error}") from error
    if progress is not None:
        progress(size, size)
    return identity


def pour(
    connection: Connection, identity: str, file: BinaryIO, at: int, size: int, progress: Progress | None
) -> None:
    """Send the rest of a file, from `at`.

    Raises
    ------
    DataError
        It is shorter than `size`.
    """
    while at < size:
        if progress is not None:
            progress(at, size)
        file.seek(at)
        piece = file.read(min(PIECE_BYTES, size - at))
        if not piece:
            raise DataError(f"{Path(file.name).name}: has become shorter; send it again when it is complete")
        at = send_piece(connection, identity, at, piece)


def by_node(
    connection: Connection, identity: str, node: str, file: BinaryIO, size: int, progress: Progress | None
) -> None:
    """Send a file, of which the service knows, to one of its nodes, which hands it over by itself.

    The node gets a ticket for this one upload, and no key.
    """

    def asked() -> dict[str, str] | None:
        if offset_of(connection, identity) == size:
            return None  # the node has handed it over meanwhile
        body = {} if node == NEAREST else {"node": node}
        found: dict[str, str] = connection.ask("POST", f"/uploads/{identity}/tickets", body, headers=TUS)
        return found

    for attempt in range(TICKETS):
        ticket = connection.patiently(asked)
        if ticket is None:
            break
        with connection.beside(ticket["url"], {"Upload-Ticket": ticket["ticket"]}) as there:
            try:
                pour(there, identity, file, _taken_up(there, size), size, progress)
                break
            except UnknownError:  # the ticket has expired: it was a long night
                if attempt == TICKETS - 1:
                    raise


def _taken_up(node: Connection, size: int) -> int:
    """Begin the upload of the ticket at a node, or find it there; where to go on."""
    headers = {**TUS, "Upload-Length": str(size)}
    return _told_offset(node.patiently(lambda: node.send("POST", f"{API}/uploads", headers)))


def _begun(
    connection: Connection, size: int, metadata: dict[str, str], resume: str | None
) -> tuple[str, int]:
    """Id of the upload, and where to go on; one that the service has forgotten is begun again."""
    if resume is not None:
        try:
            return resume, offset_of(connection, resume)
        except GoneError:
            pass
    told = ",".join(f"{key} {_base64(value.encode())}" for key, value in metadata.items())
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": told}
    answer = connection.patiently(lambda: connection.send("POST", f"{API}/uploads", headers))
    return answer.headers["Location"].rpartition("/")[2], 0


def offset_of(connection: Connection, upload: str) -> int:
    """How many bytes of an upload are safe at the other end."""
    answer = connection.patiently(lambda: connection.send("HEAD", f"{API}/uploads/{upload}", TUS))
    return _told_offset(answer)


def _told_offset(answer: httpx.Response) -> int:
    text = answer.headers.get("Upload-Offset", "")
    if not text.isdecimal():
        raise ResourceError(f"{answer.request.url}: is no upload service: no Upload-Offset in its answer")
    return int(text)


def send_piece(connection: Connection, upload: str, at: int, piece: bytes) -> int:
    """Send a piece, as often as it takes; where to go on."""
    headers = {
        **TUS,
        "Upload-Offset": str(at),
        "Content-Type": BODY,
        "Upload-Checksum": f"sha256 {_base64(hashlib.sha256(piece).digest())}",
    }
    patience = Patience(connection)
    while True:
        try:
            return _told_offset(connection.send("PATCH", f"{API}/uploads/{upload}", headers, piece))
        except AwayError as error:
            patience.wait(error)
        now = offset_of(connection, upload)
        if now != at:  # the answer was lost, not the bytes
            return now


def settled(connection: Connection, path: str, wanted: str, patience_s: float) -> dict[str, Any]:
    """What the service says of an upload or file, once it is `wanted`.

    Raises
    ------
    DataError
        It is refused.
    ResourceError
        It takes longer than `patience_s`.
    """
    ends, pause = time.monotonic() + patience_s, FIRST_PAUSE_S
    while True:
        view: dict[str, Any] = connection.patiently(lambda: connection.ask("GET", path))
        if view["state"] == wanted:
            return view
        if view["state"] == "refused":
            raise DataError(f"{view['name']}: {view.get('message') or view.get('problem')}")
        if time.monotonic() > ends:
            raise ResourceError(f"{view['name']}: still {view['state']} after {patience_s:g} s; ask later")
        time.sleep(pause)
        pause = min(2 * pause, LOOK_AGAIN_S)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
