"""Forms with files (RFC 7578) as they arrive: a part at a time, nothing kept that was not asked for."""

import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from api.problems import RefusedError
from reduction.errors import RequestError

KIND = "multipart/form-data"
MOST_HEADER = 16 << 10
"""Bytes of one header of a part."""
MOST_HEADERS = 8
MOST_TEXT = 64 << 10
"""Bytes of all fields that are no files."""
MOST_PARTS = 1000
BROKEN = "form: broke off, or is not as a browser sends it; send it again"
_BOUNDARY = re.compile(r";\s*boundary=(?:\"([^\"]{1,70})\"|([^\s\";,]{1,70}))", re.IGNORECASE)
_PARAMETER = re.compile(r";\s*(name|filename)=\"((?:\\\"|[^\"])*)\"", re.IGNORECASE)
_ENCODED = re.compile(r"%(?:22|0D|0A)", re.IGNORECASE)
"""All that browsers encode in names; a percent sign is itself."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a form; `filename` is None of a field, and empty where no file was chosen."""

    name: str
    filename: str | None


@dataclass(frozen=True, slots=True)
class _Begun:
    part: Part
    at: int
    """Bytes of the body before its data."""


@dataclass(frozen=True, slots=True)
class _Ended:
    last: bool


class _Happened:
    """What python-multipart tells of the pieces it was given, in order; slices of the pieces, never a sum."""

    def __init__(self) -> None:
        self.queue: deque[_Begun | bytes | _Ended] = deque()
        self.base = 0
        """Bytes of the body before the piece at hand."""
        self._count = self._end = 0
        self._name, self._value, self._disposition = bytearray(), bytearray(), b""

    def on_part_begin(self) -> None:
        self._count += 1
        self._disposition = b""
        if self._count > MOST_PARTS:
            raise RequestError(BROKEN)

    def on_header_begin(self) -> None:
        self._name.clear()
        self._value.clear()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._end = self.base + end

    def on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition" and not self._disposition:
            self._disposition = bytes(self._value)

    def on_headers_finished(self) -> None:
        self.queue.append(_Begun(_part(self._disposition), self._end + len(b"\r\n\r\n")))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.queue.append(data[start:end])

    def on_part_end(self) -> None:
        self.queue.append(_Ended(last=False))

    def on_end(self) -> None:
        self.queue.append(_Ended(last=True))


class Parts:
    """The parts of a body, in their order.

    Parameters
    ----------
    stream : async iterator of bytes
    content_type : str
        The header.

    Attributes
    ----------
    passed : int
        Bytes of the body before what `data` gives next.

    Raises
    ------
    RefusedError
        415: it is no such form.
    """

    def __init__(self, stream: AsyncIterator[bytes], content_type: str) -> None:
        found = _BOUNDARY.search(content_type)
        if content_type.partition(";")[0].strip().lower() != KIND or found is None:
            raise RefusedError(415, f"a form with files is sent as {KIND}")
        self._stream = stream
        self._happened = to = _Happened()
        self._parser = MultipartParser(
            (found[1] or found[2]).encode("latin-1", "replace"),
            {
                "on_part_begin": to.on_part_begin,
                "on_header_begin": to.on_header_begin,
                "on_header_field": to.on_header_field,
                "on_header_value": to.on_header_value,
                "on_header_end": to.on_header_end,
                "on_headers_finished": to.on_headers_finished,
                "on_part_data": to.on_part_data,
                "on_part_end": to.on_part_end,
                "on_end": to.on_end,
            },
            max_header_count=MOST_HEADERS,
            max_header_size=MOST_HEADER,
        )
        self._inside = self._over = False
        self.passed = 0

    async def next(self) -> Part | None:
        """The next part, which `data` then reads; None at the end. What was not read of the last is skipped.

        Raises
        ------
        RequestError
            The form is broken.
        """
        async for _ in self.data():
            pass
        while not self._over:
            one = await self._following()
            if isinstance(one, _Begun):
                self._inside, self.passed = True, one.at
                return one.part
            self._over = isinstance(one, _Ended) and one.last
        return None

    async def data(self) -> AsyncIterator[bytes]:
        """The bytes of the part at hand. Raises as `next`."""
        while self._inside:
            one = await self._following()
            if isinstance(one, bytes):
                self.passed += len(one)
                yield one
            else:
                self._inside = False

    async def text(self, most: int = MOST_TEXT) -> str:
        """All of the part at hand, as text. Raises as `next`."""
        found = bytearray()
        async for piece in self.data():
            found += piece
            if len(found) > most:
                raise RequestError(f"form: a field is longer than {most} bytes")
        try:
            return found.decode()
        except UnicodeDecodeError as error:
            raise RequestError("form: a field is not in UTF-8") from error

    async def _following(self) -> _Begun | bytes | _Ended:
        happened = self._happened
        while not happened.queue:
            try:
                piece = await anext(self._stream)
            except StopAsyncIteration:
                raise RequestError(BROKEN) from None
            try:
                self._parser.write(piece)
            except MultipartParseError as error:
                raise RequestError(BROKEN) from error
            happened.base += len(piece)
        return happened.queue.popleft()


def _part(disposition: bytes) -> Part:
    text = disposition.decode("utf-8", "replace")
    told = {key.lower(): _name(found) for key, found in _PARAMETER.findall(text)}
    if "name" not in told:
        raise RequestError(BROKEN)
    return Part(told["name"], told.get("filename"))


def _name(text: str) -> str:
    return _ENCODED.sub(lambda found: unquote(found[0]), text.replace('\\"', '"'))
