"""Forms with files (RFC 7578) as they arrive: a part at a time, nothing kept that was not asked for."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote

from api.problems import RefusedError
from reduction.errors import RequestError

KIND = "multipart/form-data"
MOST_HEADERS = 16 << 10
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
        self._delimiter = b"\r\n--" + (found[1] or found[2]).encode("latin-1", "replace")
        self._held = bytearray(b"\r\n")
        self._inside = True
        self._count = self._arrived = 0

    @property
    def passed(self) -> int:
        """As described above."""
        return self._arrived - len(self._held)

    async def next(self) -> Part | None:
        """The next part, which `data` then reads; None at the end. What was not read of the last is skipped.

        Raises
        ------
        RequestError
            The form is broken.
        """
        async for _ in self.data():
            pass
        while len(self._held) < 2:
            await self._more()
        if self._held.startswith(b"--"):
            return None
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > MOST_HEADERS:
                raise RequestError(BROKEN)
            await self._more()
        head = bytes(self._held[:end])
        del self._held[: end + 4]
        self._count += 1
        if self._count > MOST_PARTS or not head.lstrip(b" \t").startswith(b"\r\n"):
            raise RequestError(BROKEN)
        self._inside = True
        return _part(head)

    async def data(self) -> AsyncIterator[bytes]:
        """The bytes of the part at hand. Raises as `next`."""
        while self._inside:
            at = self._held.find(self._delimiter)
            if at >= 0:
                piece = bytes(self._held[:at])
                del self._held[: at + len(self._delimiter)]
                self._inside = False
            else:
                sure = max(0, len(self._held) - len(self._delimiter) + 1)
                piece = bytes(self._held[:sure])
                del self._held[:sure]
            if piece:
                yield piece
            if self._inside:
                await self._more()

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

    async def _more(self) -> None:
        piece = b""
        while not piece:
            try:
                piece = await anext(self._stream)
            except StopAsyncIteration:
                raise RequestError(BROKEN) from None
        self._held += piece
        self._arrived += len(piece)


def _part(head: bytes) -> Part:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            text = value.decode("utf-8", "replace")
            told = {key.lower(): _name(found) for key, found in _PARAMETER.findall(text)}
            if "name" in told:
                return Part(told["name"], told.get("filename"))
    raise RequestError(BROKEN)


def _name(text: str) -> str:
    return _ENCODED.sub(lambda found: unquote(found[0]), text.replace('\\"', '"'))
