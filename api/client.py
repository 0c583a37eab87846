"""A client of the service, for programs: files go up in pieces, and go on where a broken line left them."""

import base64
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

from reduction.errors import DataError, RequestError, ResourceError

PIECE_BYTES = 8 << 20
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
AGAIN = frozenset({408, 409, 423, 429, 460, 500, 502, 503, 504, 507})
"""Answers after which the same may succeed."""

BODY = "application/offset+octet-stream"
Progress = Callable[[int, int], None]
"""Called with bytes that are safe at the service, and bytes of the file."""


class Service:
    """A service, as the holder of an API key.

    Parameters
    ----------
    url : str
        Of the service: ``https://umbra.example.org``.
    key : str
        An API key with the scopes ``data:read`` and ``data:write``.
    patience_s : float
        How long it is tried again while the service is away or full.
    timeout_s : float
        For one answer.
    """

    def __init__(self, url: str, key: str, patience_s: float = 3600.0, timeout_s: float = 120.0) -> None:
        self._client = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=timeout_s)
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Send a request below ``/api/v1`` and return what its JSON says.

        Raises
        ------
        RequestError
            The service refuses it; the message is the service's.
        ResourceError
            The service cannot be reached, or fails.
        """
        try:
            answer = self._client.request(method, f"/api/v1{path}", json=body, params=params)
        except httpx.TransportError as error:
            raise ResourceError(f"{self._client.base_url}: {error}; is the service there?") from error
        _require(answer)
        return answer.json() if answer.content else None

    def upload(
        self,
        path: Path | str,
        observation: str,
        role: str = "recording",
        resume: str | None = None,
        progress: Progress | None = None,
    ) -> str:
        """Send a file; return the id of its upload once all its bytes are safe at the service.

        Parameters
        ----------
        path : Path
        observation : str
            Whose file it is.
        role : str
            ``recording``, ``additional`` or ``roi``.
        resume : str, optional
            Id of an earlier upload of this very file, which is gone on with.
        progress : callable, optional

        Raises
        ------
        RequestError
            The service refuses it, or the file cannot be read.
        DataError
            The file changes meanwhile.
        ResourceError
            The service was not to be reached for `patience_s`.
        """
        path = Path(path)
        try:
            size, sha256 = path.stat().st_size, _digest(path)
            with path.open("rb") as file:
                upload = resume or self._begin(path.name, size, sha256, observation, role)
                at = self._offset(upload)
                while at < size:
                    if progress is not None:
                        progress(at, size)
                    file.seek(at)
                    piece = file.read(min(PIECE_BYTES, size - at))
                    if not piece:
                        raise DataError(f"{path.name}: has become shorter; send it again when it is complete")
                    at = self._send(upload, at, piece)
        except OSError as error:
            raise RequestError(f"{path}: cannot be read: {error.strerror or error}") from error
        if progress is not None:
            progress(size, size)
        return upload

    def file_of(self, upload: str, patience_s: float = 3600.0) -> dict[str, Any]:
        """Wait until an uploaded file was stored and looked at; the file, with what was found.

        Raises
        ------
        DataError
            It did not arrive as it was sent.
        ResourceError
            It takes longer than `patience_s`.
        """
        view = self._when(f"/uploads/{upload}", "stored", patience_s)
        return self._when(f"/files/{view['file']}", "accepted", patience_s)

    def _when(self, path: str, wanted: str, patience_s: float) -> dict[str, Any]:
        ends, pause = time.monotonic() + patience_s, FIRST_PAUSE_S
        while True:
            view: dict[str, Any] = self.ask("GET", path)
            if view["state"] == wanted:
                return view
            if view["state"] == "refused":
                raise DataError(f"{view['name']}: {view.get('message') or view.get('problem')}")
            if time.monotonic() > ends:
                raise ResourceError(
                    f"{view['name']}: still {view['state']} after {patience_s:g} s; ask later"
                )
            time.sleep(pause)
            pause = min(2 * pause, 5.0)

    def _begin(self, name: str, size: int, sha256: str, observation: str, role: str) -> str:
        pairs = {"observation": observation, "filename": name, "role": role, "sha256": sha256}
        metadata = ",".join(f"{key} {_base64(value.encode())}" for key, value in pairs.items())
        headers = {"Upload-Length": str(size), "Upload-Metadata": metadata}
        answer = self._patiently("POST", "/api/v1/uploads", headers)
        return answer.headers["Location"].rpartition("/")[2]

    def _offset(self, upload: str) -> int:
        answer = self._patiently("HEAD", f"/api/v1/uploads/{upload}", {})
        return int(answer.headers["Upload-Offset"])

    def _send(self, upload: str, at: int, piece: bytes) -> int:
        """Send a piece, as often as it takes; where to go on."""
        headers = {
            "Upload-Offset": str(at),
            "Content-Type": BODY,
            "Upload-Checksum": f"sha256 {_base64(hashlib.sha256(piece).digest())}",
        }
        ends, pause = time.monotonic() + self._patience_s, FIRST_PAUSE_S
        while True:
            try:
                answer = self._once("PATCH", f"/api/v1/uploads/{upload}", headers, piece)
                return int(answer.headers["Upload-Offset"])
            except ResourceError:
                if time.monotonic() + pause > ends:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            now = self._offset(upload)
            if now != at:  # the answer was lost, not the bytes
                return now

    def _patiently(self, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
        ends, pause = time.monotonic() + self._patience_s, FIRST_PAUSE_S
        while True:
            try:
                return self._once(method, path, headers)
            except ResourceError:
                if time.monotonic() + pause > ends:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _once(
        self, method: str, path: str, headers: dict[str, str], content: bytes | None = None
    ) -> httpx.Response:
        """Send a request of tus. Raises `ResourceError` where trying again may help, else `RequestError`."""
        sent = {"Tus-Resumable": "1.0.0", **headers}
        try:
            answer = self._client.request(method, path, headers=sent, content=content)
        except httpx.TransportError as error:
            raise ResourceError(f"{self._client.base_url}: {error}; is the service there?") from error
        _require(answer)
        return answer


def _require(answer: httpx.Response) -> None:
    """Raise what the service refuses."""
    if answer.is_success:
        return
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = answer.reason_phrase
    text = f"{answer.request.url.path}: {answer.status_code}: {detail}"
    if answer.status_code in AGAIN:
        raise ResourceError(text)
    raise RequestError(text)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
