"""Files come down whole or not at all, and go on where a broken line, or a process that ended, left them."""

import base64
import json
import os
import re
from pathlib import Path
from typing import Any

import httpx

from api.remote.connection import API, AwayError, Connection, Patience
from api.remote.uploading import Progress, digest_of
from reduction.errors import DataError, RequestError, ResourceError

RANGE = re.compile(r"^bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$")
DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
STALLED_S = 60.0
"""A line on which nothing comes for so long counts as broken."""


class Partial:
    """What is there of a file that comes down: its bytes, and of which version they are.

    Parameters
    ----------
    goal : Path
        What it becomes.
    source : str
        Where it comes from.
    """

    def __init__(self, goal: Path, source: str) -> None:
        self.path = goal.with_name(f".{goal.name}.partial")
        self._note = goal.with_name(f".{goal.name}.partial.json")
        self._source = source

    def headers(self) -> dict[str, str]:
        """What asks for the rest of the same version; nothing where that cannot be told."""
        size, etag = self.size(), self._etag()
        return {"Range": f"bytes={size}-", "If-Range": etag} if size and etag else {}

    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def begin(self, etag: str) -> None:
        """Begin anew, with a version that is known by its ETag."""
        self.path.write_bytes(b"")
        self._note.write_text(json.dumps({"source": self._source, "etag": etag}), encoding="utf-8")

    def drop(self) -> None:
        """Forget what is there."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def becomes(self, goal: Path) -> None:
        """Give it its name, once it is on the disk."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(goal)
        self._note.unlink(missing_ok=True)

    def _etag(self) -> str:
        """That of the version that was begun, where it can be gone on with: a weak one tells of no bytes."""
        try:
            kept: Any = json.loads(self._note.read_text(encoding="utf-8"))
            source, etag = str(kept["source"]), str(kept["etag"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        return etag if source == self._source and etag.startswith('"') else ""


def download(
    connection: Connection,
    path: str,
    goal: Path,
    sha256: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Fetch a file; as `api.client.Service.download`."""
    partial = Partial(goal, connection.url + API + path)
    patience = Patience(connection)
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
        while True:
            before = partial.size()
            try:
                told = _rest(connection, path, partial, progress)
                break
            except AwayError as error:
                if partial.size() > before:
                    patience.renew()
                patience.wait(error)
        wanted = sha256 or told
        if wanted is not None and digest_of(partial.path) != wanted:
            partial.drop()
            raise DataError(f"{goal.name}: did not arrive as it was sent (SHA-256 differs); fetch it again")
        partial.becomes(goal)
    except OSError as error:
        raise ResourceError(f"{goal}: cannot be written: {error.strerror or error}") from error
    return goal


def _rest(connection: Connection, path: str, partial: Partial, progress: Progress | None) -> str | None:
    """Fetch what is lacking of a file; its SHA-256 where the service tells it.

    Raises
    ------
    AwayError
        The line broke; what came is kept.
    """
    asked = partial.headers()
    headers = {"Accept-Encoding": "identity", **asked}
    timeout = httpx.Timeout(STALLED_S)
    with (
        connection.explained(),
        connection.client.stream("GET", API + path, headers=headers, timeout=timeout) as answer,
    ):
        if answer.status_code == 416 and asked:
            partial.drop()  # it is shorter than what is there: another one
            raise AwayError(f"{path}: is another file by now; fetched anew")
        connection.require(answer)
        at, total = _begins(answer, asked, partial)
        with partial.path.open("r+b") as file:
            file.seek(at)
            for part in answer.iter_raw():
                file.write(part)
                at += len(part)
                if progress is not None:
                    progress(at, total or at)
        if total is not None and at != total:
            raise AwayError(f"{path}: the connection ended at byte {at} of {total}")
        return _digest(answer)


def _digest(answer: httpx.Response) -> str | None:
    """SHA-256 of the whole file, hex, where the service tells it (RFC 9530)."""
    found = DIGEST.search(answer.headers.get("repr-digest", ""))
    return None if found is None else base64.b64decode(found[1]).hex()


def _begins(answer: httpx.Response, asked: dict[str, str], partial: Partial) -> tuple[int, int | None]:
    """Where the body of an answer begins in the file, and the file's size."""
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise ResourceError(f"{answer.request.url}: comes encoded, which was not asked for")
    if answer.status_code == 206:
        found = RANGE.match(answer.headers.get("content-range", ""))
        if not asked or found is None or int(found[1]) != partial.size():
            partial.drop()
            raise AwayError(f"{answer.request.url.path}: another part came than was asked for; fetched anew")
        return int(found[1]), None if found[3] == "*" else int(found[3])
    partial.begin(answer.headers.get("etag", ""))
    length = answer.headers.get("content-length", "")
    return 0, int(length) if length.isdecimal() else None


def unused(goal: Path, overwrite: bool) -> None:
    """See that nothing is replaced unasked.

    Raises
    ------
    RequestError
        Something is there.
    """
    if goal.exists() and not overwrite:
        raise RequestError(f"{goal}: exists; add --overwrite, or name another --out")
