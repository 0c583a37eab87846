"""Errors of the service: RFC 9457, ``application/problem+json``."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
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


def install(app: FastAPI) -> None:
    """Answer every error of `app` by a problem, and say so in its OpenAPI text."""

    async def explained(_request: Request, error: Exception) -> JSONResponse:
        return respond(problem_of(error))

    async def refused(_request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, RefusedError):
            return respond(problem_of(error))
        response = respond(error.problem)
        response.headers.update(error.headers)
        return response

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        found = error.errors() if isinstance(error, RequestValidationError) else ()
        fields = tuple(FieldProblem(pointer=_pointer(e["loc"]), detail=str(e["msg"])) for e in found)
        detail = "; ".join(f"{field.pointer}: {field.detail}" for field in fields[:5])
        problem = problem_of(RequestError(detail))
        return respond(problem.model_copy(update={"errors": fields}))

    async def http(_request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, HTTPException):
            return respond(problem_of(error))
        if error.status_code == HTTPStatus.BAD_REQUEST:  # the framework's, for bytes that are no text
            return respond(problem_of(RequestError(f"body: not JSON in UTF-8 ({error.detail})")))
        response = respond(plain(error.status_code, str(error.detail)))
        response.headers.update(error.headers or {})
        return response

    async def clash(_request: Request, error: Exception) -> JSONResponse:
        log_failure("a transaction", error)
        return respond(plain(409, "somebody else changed the same at this moment; look, and ask again"))

    app.add_exception_handler(UmbraError, explained)
    app.add_exception_handler(IntegrityError, clash)
    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, explained)  # Starlette logs its traceback


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
