"""Bytes that are sent in parts: ranges (RFC 9110, 14), and the name under which they are saved (RFC 6266)."""

import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from api.conditional import matches
from api.problems import RefusedError, responses
from api.words import HIDDEN

RANGE = re.compile(r"bytes=[ \t]*(\d*)-(\d*)[ \t]*", re.IGNORECASE | re.ASCII)
MOST_DIGITS = 18
"""More are beyond any file."""
LONGEST_NAME = 150
"""Bytes of UTF-8."""
NO_PATH = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))
DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
"""What Windows takes for a device, whatever its suffix."""
TAGGED = "private, no-cache"

THREADS = 16
"""Downloads that read at once; the others wait for their next piece."""
_LIMITER: RunVar[CapacityLimiter] = RunVar("downloads")

Span = tuple[int, int]


class UnsatisfiableError(ValueError):
    """No byte of what is asked for is there."""


def span_of(asked: str, size: int) -> Span | None:
    """The bytes (first, last + 1) that a header Range asks for.

    None: all of them. So are several ranges at once answered, and what is no range of bytes.

    Raises
    ------
    UnsatisfiableError
        It begins after the end.
    """
    found = RANGE.fullmatch(asked)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(_number(last), size)
        if not length:
            raise UnsatisfiableError(asked)
        return size - length, size
    start = _number(first)
    stop = size if not last else min(_number(last) + 1, size)
    if last and _number(last) < start:
        return None
    if start >= size:
        raise UnsatisfiableError(asked)
    return start, stop


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return 10**MOST_DIGITS if len(digits) > MOST_DIGITS else int(digits)


def file_name(name: str) -> str:
    """A name that every file system takes, and that leads nowhere else; legible, in any script."""
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    text = "".join("_" if unicodedata.category(c) in HIDDEN else c for c in text).translate(NO_PATH)
    text = _shortened(text.strip(" .")) or "file"
    return f"_{text}" if DEVICE.match(text) else text


def _shortened(text: str) -> str:
    """At most `LONGEST_NAME` bytes, the suffix kept."""
    if len(text.encode()) <= LONGEST_NAME:
        return text
    stem, dot, suffix = text.rpartition(".")
    ending = dot + suffix if stem and len(suffix.encode()) <= 16 else ""
    room = LONGEST_NAME - len(ending.encode())
    return (stem if ending else text).encode()[:room].decode(errors="ignore").rstrip(" .") + ending


def attachment(name: str) -> str:
    """Content-Disposition for a file that anybody named: never a path, a quotation mark or a line break."""
    text = file_name(name)
    plain = re.sub(r"[^A-Za-z0-9 ._()+-]", "_", text, flags=re.ASCII)
    told = f'attachment; filename="{plain}"'
    return told if plain == text else f"{told}; filename*=UTF-8''{quote(text, safe='')}"


def ranged(
    request: Request,
    size: int,
    etag: str,
    opened: Callable[[int, int], Iterator[bytes]],
    media_type: str,
    headers: Mapping[str, str],
) -> Response:
    """Answer a GET or HEAD of bytes: all, one range of them, or that they are known already.

    Parameters
    ----------
    etag : str
        Strong, with its quotation marks.
    opened : callable
        (start, stop) -> the bytes between. Called before the answer begins, so what it raises is told.

    Raises
    ------
    RefusedError
        412: they are others than `If-Match` says. 416: the range begins after the end.
    """
    told = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": TAGGED, **headers}
    wanted = request.headers.get("if-match")
    if wanted is not None and not matches(wanted, etag, strong=True):
        raise RefusedError(412, "If-Match: the bytes are others now; begin anew", {"ETag": etag})
    known = request.headers.get("if-none-match")
    if known is not None and matches(known, etag):
        return Response(status_code=304, headers=told)
    span = _asked(request, size, etag)
    start, stop = span or (0, size)
    told["Content-Length"] = str(stop - start)
    if span is not None:
        told["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    status = 200 if span is None else 206
    parts = opened(start, stop)
    if request.method == "HEAD":
        return Response(status_code=status, headers=told, media_type=media_type)
    return StreamingResponse(_apart(parts), status, told, media_type)


async def _apart(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces, each read in one of few threads of their own: a slow store takes none from other routes."""
    try:
        limiter = _LIMITER.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        _LIMITER.set(limiter)
    try:
        while (piece := await to_thread.run_sync(next, parts, None, limiter=limiter)) is not None:
            yield piece
    finally:
        if isinstance(parts, Generator):
            parts.close()


def _asked(request: Request, size: int, etag: str) -> Span | None:
    asked = request.headers.get("range")
    if asked is None or request.method != "GET" or request.headers.get("if-range", etag) != etag:
        return None
    try:
        return span_of(asked, size)
    except UnsatisfiableError:
        raise RefusedError(
            416, f"Range: there are {size} bytes", {"Content-Range": f"bytes */{size}", "ETag": etag}
        ) from None


def described(media_type: str, *refusals: int) -> dict[int | str, dict[str, Any]]:
    """What `ranged` answers, for a route's OpenAPI text."""
    binary = {"content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}
    fields = ("ETag", "Accept-Ranges", "Content-Length")
    headers: dict[str, Any] = {name: {"schema": {"type": "string"}} for name in fields}
    places = {"Content-Range": {"schema": {"type": "string"}}}
    return {
        **responses(412, 416, *refusals),
        200: {"description": "All bytes", "headers": headers, **binary},
        206: {"description": "The range of bytes", "headers": headers | places, **binary},
        304: {"description": HTTPStatus.NOT_MODIFIED.phrase},
    }
