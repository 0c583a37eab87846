"""A route is found as if one after the other had been tried."""

import asyncio
import re
from typing import Any

import pytest

from tests.requirements import require

require("server")

import httpx  # noqa: E402 - after the check for the extra
from fastapi import APIRouter, FastAPI  # noqa: E402
from fastapi.routing import APIRoute  # noqa: E402
from starlette.routing import Match  # noqa: E402
from starlette.types import Scope  # noqa: E402

from api.app import ROUTERS  # noqa: E402
from api.directory import Directory, add_routes  # noqa: E402

ROUTES = [route for router in ROUTERS for route in router.routes]
VALUES = ("0" * 32, "7", "limb.png", "ids", "new", "chords")
"""What may stand for a parameter, some of it the fixed word of another route."""


def scope_of(method: str, path: str) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}


def in_turn(scope: Scope) -> tuple[Match, Scope]:
    """The obvious way."""
    for route in ROUTES:
        match, more = route.matches(dict(scope))
        if match == Match.FULL:
            return match, more
    return Match.NONE, {}


@pytest.mark.parametrize("value", VALUES)
def test_every_route_is_found_as_in_turn(value: str) -> None:
    directory = Directory(ROUTES)
    for route in ROUTES:
        assert isinstance(route, APIRoute)
        path = re.sub(r"{[^}]+}", value, route.path)
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            scope = scope_of(method, path)
            match, more = in_turn(scope)
            if match == Match.FULL and ":path}" in more["route"].path:
                match, more = Match.NONE, {}  # any number of words: left to the routes themselves
            assert directory.matches(dict(scope)) == (match, more), (method, path)


@pytest.mark.parametrize("path", ["", "//", "/api/v1", "/api/v1/campaigns/", "/api/v1/campaigns//x", "//\n"])
def test_what_is_not_there_is_not_found(path: str) -> None:
    assert Directory(ROUTES).matches(scope_of("GET", path)) == in_turn(scope_of("GET", path))
    assert Directory(ROUTES).matches(scope_of("GET", path))[0] == Match.NONE


def test_of_routes_that_fit_the_first_answers_and_others_stay_reachable() -> None:
    router = APIRouter()

    @router.get("/x/{name}")
    def first(name: str) -> str:
        return f"first {name}"

    @router.get("/x/fixed")
    def second() -> str:
        return "second"

    @router.get("/files/{rest:path}")
    def deep(rest: str) -> str:
        return f"deep {rest}"

    app = FastAPI()
    add_routes(app, [router])

    @app.get("/later")
    def later() -> str:
        return "later"

    async def ask(method: str, path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path)

    assert asyncio.run(ask("GET", "/x/fixed")).json() == "first fixed"
    assert asyncio.run(ask("GET", "/files/a/b/c")).json() == "deep a/b/c"
    assert asyncio.run(ask("GET", "/later")).json() == "later"
    assert asyncio.run(ask("GET", "/x/a/b")).status_code == 404
    assert asyncio.run(ask("POST", "/x/a")).status_code == 405
    assert set(app.openapi()["paths"]) == {"/x/{name}", "/x/fixed", "/files/{rest}", "/later"}
