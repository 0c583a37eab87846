"""Routes of pages: a form is read before the permit, with what proves that it was meant."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.access.caller import FORM_CSRF, as_reader, caller_of
from api.problems import RefusedError
from api.web.forms import CSRF, KEY, MOST_FORM_BYTES, files_of, read_form

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route of a page."""

    def get_route_handler(self) -> Handler:
        """Return the handler: it reads the form of a POST first."""
        inner = super().get_route_handler()
        takes_files = _names(self.dependant, files_of)

        async def handler(request: Request) -> Response:
            if request.method != "POST":
                return await inner(request)
            if takes_files:
                await run_in_threadpool(_log_in_first, request)
            form = await read_form(request, takes_files)
            state = request.scope.setdefault("state", {})
            state[KEY], state[FORM_CSRF] = form, form.text(CSRF)
            try:
                return await inner(request)
            finally:
                await form.close()

        return handler


def _names(dependant: Dependant, wanted: Callable[..., Any]) -> bool:
    """Whether a route depends on `wanted`."""
    return any(one.call is wanted or _names(one, wanted) for one in dependant.dependencies)


def _log_in_first(request: Request) -> None:
    """Nobody fills the disk who is not known: files are read before the route asks."""
    state = request.app.state
    if caller_of(as_reader(request), state.database, state.settings).person is None:
        raise RefusedError(401, "log in to send files")


def page_router() -> APIRouter:
    """A router of pages: not in the API's text, forms of `MOST_FORM_BYTES` unless a route says more."""
    return APIRouter(route_class=PageRoute, include_in_schema=False, max_body_size=MOST_FORM_BYTES)
