"""Errors of the service: RFC 9457, ``application/problem+json``."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException

from reduction.errors import DataError, RequestError, ResourceError, UmbraError
from reduction.plan import Settings

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[UmbraError], int] = {RequestError: 422, DataError: 422, ResourceError: 503}
NAMES: dict[type[UmbraError], str] = {RequestError: "request", DataError: "data", ResourceError: "resource"}
INTERNAL = "an error inside Umbra, not of the request or the data; the service's log has its traceback"

_log = logging.getLogger("umbra.api")


class FieldProblem(Settings):
    """What is wrong with one field: its JSON pointer, and a sentence."""

    pointer: str
    detail: str


class Problem(Settings):
    """RFC 9457: `type` and `title` name the kind, `detail` what was seen and what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()


class RefusedError(Exception):
    """A request that the state of the service does not allow."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.problem = plain(status, detail)
        self.headers = headers or {}


def plain(status: int, detail: str) -> Problem:
    """A problem that its status tells all about."""
    return Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)


def problem_of(error: BaseException) -> Problem:
    """Describe a failure for the client; one that Umbra does not explain keeps its details to the log."""
    for kind, name in NAMES.items():
        if isinstance(error, kind):
            return Problem(
                type=f"urn:umbra:problem:{name}",
                title={
                    "request": "The request cannot be carried out",
                    "data": "The data cannot be reduced",
                    "resource": "Something is missing here",
                }[name],
                status=STATUS[kind],
                detail=str(error),
            )
    return plain(500, INTERNAL)


def respond(problem: Problem) -> JSONResponse:
    """A problem as a response."""
    headers = {"Retry-After": "30"} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    content = problem.model_dump(mode="json", exclude_defaults=True)
    return JSONResponse(content, problem.status, headers, MEDIA_TYPE)


Answer = Callable[[Request, Problem], Awaitable[Response]]
"""How a problem is told to who asked."""


async def as_json(_request: Request, problem: Problem) -> Response:
    """A problem as programs take it."""
    return respond(problem)


def install(app: FastAPI, answer: Answer = as_json) -> None:
    """Answer every error of `app` by a problem, and say so in its OpenAPI text."""

    async def explained(request: Request, error: Exception) -> Response:
        if isinstance(error, ResourceError):
            facts = {**_where(request), "why": str(error)}
            _log.error("a request waits: something is missing here", extra={"facts": facts})
        return await answer(request, problem_of(error))

    async def unexplained(request: Request, error: Exception) -> Response:
        facts = _where(request)
        _log.error("a request failed", exc_info=error, extra={"facts": facts})
        response = await answer(request, problem_of(error))
        # this answer is made outside of the guard
        response.headers.update({"X-Request-ID": facts["request"], "Cache-Control": "no-store"})
        return response

    async def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, RefusedError):
            return await answer(request, problem_of(error))
        if error.problem.status == HTTPStatus.INSUFFICIENT_STORAGE:
            _log.error("no room on the disk", extra={"facts": _where(request)})
        response = await answer(request, error.problem)
        response.headers.update(error.headers)
        return response

    async def invalid(request: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else ()
        fields = tuple(FieldProblem(pointer=_pointer(e["loc"]), detail=str(e["msg"])) for e in found)
        detail = "; ".join(f"{field.pointer}: {field.detail}" for field in fields[:5])
        problem = problem_of(RequestError(detail))
        return await answer(request, problem.model_copy(update={"errors": fields}))

    async def http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return await answer(request, problem_of(error))
        if error.status_code == HTTPStatus.BAD_REQUEST:  # the framework's, for bytes that are no text
            return await answer(
                request, problem_of(RequestError(f"body: not JSON in UTF-8 ({error.detail})"))
            )
        response = await answer(request, plain(error.status_code, str(error.detail)))
        response.headers.update(error.headers or {})
        return response

    async def clash(request: Request, error: Exception) -> Response:
        log_failure("a transaction", error)
        told = "somebody else changed the same at this moment; look, and ask again"
        return await answer(request, plain(409, told))

    app.add_exception_handler(UmbraError, explained)
    app.add_exception_handler(IntegrityError, clash)
    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexplained)


def _where(request: Request) -> dict[str, str]:
    """Which request: its id, and its route without what fills it in, which may be a secret."""
    route = getattr(request.scope.get("route"), "path", "no route")
    return {
        "request": request.scope.get("state", {}).get("request_id", ""),
        "route": f"{request.method} {route}",
    }


def _pointer(location: tuple[Any, ...]) -> str:
    """JSON pointer into the body, or the name of a parameter."""
    where, *rest = location
    if where == "body":
        return "#/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in rest)
    return " ".join(map(str, location))


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route, for its OpenAPI text."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def log_failure(what: str, error: BaseException) -> None:
    """Keep the traceback of an error that Umbra does not explain."""
    _log.error("%s failed", what, exc_info=error)
