"""Files go up in pieces by tus, and go on where a broken line, or a process that ended, left them."""

import base64
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from api.remote.connection import API, FIRST_PAUSE_S, AwayError, Connection, GoneError, Patience
from reduction.errors import DataError, RequestError, ResourceError

PIECE_BYTES = 8 << 20
BODY = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}
LOOK_AGAIN_S = 5.0

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
            while at < size:
                if progress is not None:
                    progress(at, size)
                file.seek(at)
                piece = file.read(min(PIECE_BYTES, size - at))
                if not piece:
                    raise DataError(f"{path.name}: has become shorter; send it again when it is complete")
                at = _send(connection, identity, at, piece)
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror or error}") from error
    if progress is not None:
        progress(size, size)
    return identity


def _begun(
    connection: Connection, size: int, metadata: dict[str, str], resume: str | None
) -> tuple[str, int]:
    """Id of the upload, and where to go on; one that the service has forgotten is begun again."""
    if resume is not None:
        try:
            return resume, _offset(connection, resume)
        except GoneError:
            pass
    told = ",".join(f"{key} {_base64(value.encode())}" for key, value in metadata.items())
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": told}
    answer = connection.patiently(lambda: connection.send("POST", f"{API}/uploads", headers))
    return answer.headers["Location"].rpartition("/")[2], 0


def _offset(connection: Connection, upload: str) -> int:
    answer = connection.patiently(lambda: connection.send("HEAD", f"{API}/uploads/{upload}", TUS))
    return _told_offset(answer)


def _told_offset(answer: httpx.Response) -> int:
    text = answer.headers.get("Upload-Offset", "")
    if not text.isdecimal():
        raise ResourceError(f"{answer.request.url}: is no upload service: no Upload-Offset in its answer")
    return int(text)


def _send(connection: Connection, upload: str, at: int, piece: bytes) -> int:
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
        now = _offset(connection, upload)
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
