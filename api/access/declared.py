"""See that every route says what it does."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.access.matrix import MATRIX, Operation
from api.access.permit import May


def routes_of(app: FastAPI) -> Iterator[APIRoute]:
    """Every route of our own; included routers are looked into."""
    waiting: list[Any] = list(app.routes)
    while waiting:
        route = waiting.pop(0)
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            waiting += route.original_router.routes


def operation_of(route: APIRoute) -> Operation | None:
    """The operation that a route declares by `may`."""
    return _declared(route.dependant)


def _declared(dependant: Dependant) -> Operation | None:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, May):
            return dependency.call.operation
    return None


def check_declared(app: FastAPI) -> None:
    """Refuse to start with a route that names no operation, or one without a row in the matrix.

    Raises
    ------
    RuntimeError
        There is one.
    """
    for route in routes_of(app):
        operation = operation_of(route)
        if operation is None or operation not in MATRIX:
            which = f"{sorted(route.methods or ())} {route.path}"
            raise RuntimeError(f"{which}: names no operation of the matrix; give it `may(Operation.X)`")
