"""Every route for every kind of caller: allowed as the table says, and what is not theirs is not there."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.requirements import require

require("server")

from fastapi import APIRouter, FastAPI  # noqa: E402 - after the check for the extra
from fastapi.routing import APIRoute  # noqa: E402
from sqlalchemy import update  # noqa: E402

from api.access.declared import check_declared, operation_of, routes_of  # noqa: E402
from api.access.matrix import MATRIX, Operation, Standing  # noqa: E402
from api.access.permit import Permit, may  # noqa: E402
from api.app import ROUTERS  # noqa: E402
from api.database.tables import now  # noqa: E402
from api.people.tables import Person  # noqa: E402
from tests.api.access.requests import BUILDERS, JOB  # noqa: E402
from tests.api.access.table1 import cells  # noqa: E402
from tests.api.access.world import CALLERS, World, make_world  # noqa: E402
from tests.api.client import Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.contracts.executors import SCENE  # noqa: E402
from tests.scenes.scenes import little_ser  # noqa: E402

CELLS = cells()
FREE = "999999/second"
PROBES = 10_000
OF_A_THING = frozenset({"edition", "form", "frame", "name", "star", "topic", "version"})
"""Parameters of paths that say which part of a thing is meant, and are no ids."""


def declared() -> dict[tuple[str, str], APIRoute]:
    """(method, path) -> route, of all routers of the app."""
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    return {
        (method, route.path_format): route
        for route in routes_of(app)
        for method in sorted(route.methods or ())
    }


ROUTES = declared()
IDS = [f"{method} {path}" for method, path in ROUTES]
OF_THINGS = [route for route in ROUTES if set(re.findall(r"{(\w+)}", route[1])) - OF_A_THING]
"""Routes with the id of a thing."""


def status_of(answer: httpx.Response) -> int:
    """What an answer says; a page that leads to the log-in says: log in."""
    to_log_in = answer.status_code == 303 and answer.headers["location"].startswith("/login?next=")
    return 401 if to_log_in else answer.status_code


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("access")
    (folder / "data").mkdir()
    little_ser(SCENE, folder / "data").rename(folder / "data" / "a.ser")
    limits: dict[str, Any] = {"rate_visitor": FREE, "rate_address": FREE}
    with serving(folder / "data", folder / "home", Scripted(), **limits) as client:
        JOB["id"] = client.ask({"input": "a.ser"}).json()["id"]
        assert client.ended(JOB["id"])["status"] == "done"
        yield client


@pytest.fixture
def world(client: Client) -> World:
    """A new one; those before it have left, for what goes to everybody would go to more and more."""
    client.forget()
    database = client.app.state.database
    with database.writing() as session:
        session.execute(update(Person).where(Person.suspended.is_(None)).values(suspended=now()))
    return make_world(database)


def send(client: Client, world: World, caller: str, route: tuple[str, str], **path: str) -> httpx.Response:
    """Ask a route; `path` replaces what the builder fills in."""
    ask = BUILDERS[route](world, caller)
    client.forget()
    headers = {**world.headers(caller), **ask.options.get("headers", {})}
    options = {key: value for key, value in ask.options.items() if key != "headers"}
    return client.send(route[0], route[1].format(**{**ask.path, **path}), headers=headers, **options)


def test_every_route_has_an_operation_and_a_request(client: Client) -> None:
    assert set(ROUTES) == set(BUILDERS), "tests/api/access/requests.py: a line for each route"
    described = {
        (method.upper(), path)
        for path, methods in client.get("/api/v1/openapi.json").json()["paths"].items()
        for method in methods
    }
    assert described <= set(ROUTES), "a route that the walk over the routes does not find"
    for route in ROUTES.values():
        assert operation_of(route) in MATRIX


@pytest.mark.parametrize("route", list(ROUTES), ids=IDS)
def test_every_caller(client: Client, world: World, route: tuple[str, str]) -> None:
    operation = operation_of(ROUTES[route])
    assert operation is not None
    for caller in CALLERS:
        answer = send(client, world, caller, route)
        told = f"{route} by {caller}: {status_of(answer)} {answer.text}"
        assert status_of(answer) < 500, told
        if CELLS[operation.name, caller]:
            assert status_of(answer) not in {401, 403, 404}, told
        elif caller == "anyone":
            assert status_of(answer) == 401, told
        else:
            assert status_of(answer) in {403, 404}, told


@pytest.mark.parametrize("route", OF_THINGS, ids=[f"{method} {path}" for method, path in OF_THINGS])
def test_what_is_not_theirs_is_as_what_is_not_there(
    client: Client, world: World, route: tuple[str, str]
) -> None:
    operation = operation_of(ROUTES[route])
    assert operation is not None
    for caller in CALLERS:
        known = send(client, world, caller, route)
        there = BUILDERS[route](world, caller).path
        absent = {name: was if name in OF_A_THING else secrets.token_hex(16) for name, was in there.items()}
        unknown = send(client, world, caller, route, **absent)
        if CELLS[operation.name, caller]:
            assert unknown.status_code in {404, 422}, f"{caller}: {unknown.text}"
        elif status_of(known) != 403 or MATRIX[operation].seen_by is None:
            assert (known.status_code, known.content) == (unknown.status_code, unknown.content), caller


def test_random_ids_leak_nothing(client: Client, world: World) -> None:
    """10,000, over all routes with an id: one answer, byte for byte, for each route and caller."""
    routes = [route for route in OF_THINGS if route[0] == "GET"]
    asks = {route: BUILDERS[route](world, "staff") for route in routes}
    seen: dict[tuple[str, str], set[tuple[int, bytes]]] = {}
    callers = ("anyone", "observer", "owner", "staff", "superuser")

    async def probe() -> None:
        for number in range(PROBES):
            route, caller = routes[number % len(routes)], callers[number // len(routes) % len(callers)]
            path = route[1]
            while "{" in path:
                name = path[path.index("{") + 1 : path.index("}")]
                filled = asks[route].path[name] if name in OF_A_THING else secrets.token_hex(16)
                path = path.replace(f"{{{name}}}", filled, 1)
            query = urlencode(asks[route].options.get("params", {}))
            status, text = await client.bare(path, world.headers(caller), query)
            for part in path.split("/"):
                if len(part) == 32:
                    text = text.replace(part.encode(), b"ID")
            seen.setdefault((route[1], caller), set()).add((status, text))

    client.run(probe())
    for who, answers in seen.items():
        assert len(answers) == 1, who
        status, text = next(iter(answers))
        leads_on = status == 303 and not text and who[1] == "anyone" and not who[0].startswith("/api")
        assert leads_on or status in {401, 403, 404}, who


def test_a_route_that_does_not_ask_for_its_thing_answers_nothing(
    client: Client, world: World, tmp_path: Path
) -> None:
    """A programmer's mistake must not open what is somebody's."""
    del world
    router = APIRouter()

    @router.get("/forgetful")
    def forgetful(permit: Annotated[Permit, may(Operation.SEE_OBSERVATION)]) -> str:
        del permit
        return "somebody's data"

    other = make_world(client.app.state.database)
    app = client.app
    app.include_router(router)
    answer = client.get("/forgetful", headers=other.headers("observer"))
    client.forget()
    assert answer.status_code == 500
    assert "somebody" not in answer.text
    assert client.get("/forgetful", headers=other.headers("staff")).json() == "somebody's data"


def test_the_app_does_not_start_with_a_route_that_declares_nothing() -> None:
    app = FastAPI()
    router = APIRouter(prefix="/x")

    @router.get("/open")
    def open_to_all() -> str:
        return "hello"

    app.include_router(router)
    with pytest.raises(RuntimeError, match="names no operation"):
        check_declared(app)


def test_nobody_backs_up_over_the_network() -> None:
    assert MATRIX[Operation.BACK_UP].allowed == Standing(0)
    assert not any(operation_of(route) is Operation.BACK_UP for route in ROUTES.values())
    assert not any("backup" in path for _, path in ROUTES)
