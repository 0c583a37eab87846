"""Forms whose files go straight to where they belong: what stands before the first file is read, no more."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from api.access.caller import FORM_CSRF
from api.uploads.headers import MOST, NUMBER
from api.web.forms import CSRF, KEY, Form
from api.web.multipart import MOST_TEXT, Part, Parts
from api.web.routes import Handler, PageRoute
from reduction.errors import RequestError

PARTS = "form_parts"
MOST_UNREAD = 256 << 20
"""Bytes of a refused form that are read on, for a browser shows no answer before it has sent all."""


class Streamed:
    """A form with files, as far as it has come.

    Attributes
    ----------
    form : Form
        The fields before the first file.
    """

    def __init__(self, request: Request) -> None:
        length = request.headers.get("content-length", "")
        self._length = int(length) if NUMBER.match(length) else None
        self._parts = Parts(request.stream(), request.headers.get("content-type", ""))
        self._first: Part | None = None
        self.form = Form()

    async def begin(self) -> None:
        """Read the fields before the first file. Raises `RequestError`: the form is broken."""
        left = MOST_TEXT
        while (part := await self._parts.next()) is not None:
            if part.filename is not None:
                self._first = part
                return
            text = await self._parts.text(left)
            left -= len(text)
            self.form.fields.setdefault(part.name, []).append(text)

    async def next(self) -> str | None:
        """Name of the next file, whose bytes `data` reads; None at the end. Raises as `begin`."""
        part, self._first = self._first, None
        while part is None or not part.filename:
            part = await self._parts.next()
            if part is None:
                return None
        return part.filename

    def data(self) -> AsyncIterator[bytes]:
        """The bytes of the file at hand."""
        return self._parts.data()

    @property
    def left(self) -> int:
        """Bytes that the file at hand has at most, as far as the request says."""
        return MOST if self._length is None else max(0, self._length - self._parts.passed)

    async def drain(self) -> None:
        """Read on, so that the answer is seen."""
        left = MOST_UNREAD
        more = True
        try:
            while more:
                async for piece in self._parts.data():
                    left -= len(piece)
                    if left < 0:
                        return
                more = await self._parts.next() is not None
        except (RequestError, ClientDisconnect):
            return


class StreamedRoute(PageRoute):
    """A page's route that takes files, and reads them itself."""

    def get_route_handler(self) -> Handler:
        """Return the handler: it reads the fields before the first file."""
        inner = APIRoute.get_route_handler(self)

        async def handler(request: Request) -> Response:
            streamed = Streamed(request)
            await streamed.begin()
            state = request.scope.setdefault("state", {})
            state[KEY], state[FORM_CSRF] = streamed.form, streamed.form.text(CSRF)
            state[PARTS] = streamed
            return await inner(request)

        return handler


async def streamed_of(request: Request) -> Streamed:
    """The form of a `StreamedRoute`."""
    found: Streamed = request.scope["state"][PARTS]
    return found


StreamedDep = Annotated[Streamed, Depends(streamed_of)]
