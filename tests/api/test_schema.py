"""What OpenAPI promises, asked for with what nobody would send: no 5xx, no answer that it does not have."""

import itertools
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.requirements import require

require("server")
require("schemathesis")

import requests  # noqa: E402 - after the check for the extra
import schemathesis  # noqa: E402
from fastapi import FastAPI  # noqa: E402
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import CHECKS, load_all_checks  # noqa: E402

from api.access.declared import routes_of  # noqa: E402
from api.app import ROUTERS  # noqa: E402
from tests.api.access.requests import BUILDERS, JOB  # noqa: E402
from tests.api.access.world import World, make_world, session_of  # noqa: E402
from tests.api.client import Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.contracts.executors import SCENE  # noqa: E402
from tests.scenes.scenes import little_ser  # noqa: E402

CASES = 2000
ROLES = ("anyone", "observer", "responsible", "staff", "superuser")
PROMISES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ENDLESS = "text/event-stream"

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


def declared() -> list[tuple[str, str]]:
    """(method, path) of every route that OpenAPI describes and that ends by itself."""
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    return [
        (method, route.path)
        for route in routes_of(app)
        if route.include_in_schema and ENDLESS not in str(getattr(route.response_class, "media_type", ""))
        for method in sorted(route.methods or ())
    ]


ROUTES = declared()
EACH = -(-CASES // (len(ROUTES) * len(ROLES)))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("schema")
    (folder / "data").mkdir()
    little_ser(SCENE, folder / "data").rename(folder / "data" / "a.ser")
    limits: dict[str, Any] = {"rate_visitor": "999999/second", "rate_address": "999999/second"}
    with serving(folder / "data", folder / "home", Scripted(), **limits) as client:
        JOB["id"] = client.ask({"input": "a.ser"}).json()["id"]
        client.ended(JOB["id"])
        yield client


@pytest.fixture(scope="module")
def world(client: Client) -> World:
    return make_world(client.app.state.database)


@pytest.fixture(scope="module")
def schema(client: Client) -> Any:
    load_all_checks()
    return schemathesis.openapi.from_dict(client.app.openapi())


def _may_be_wrong(described: dict[str, Any]) -> bool:
    """Whether a request can break what is said of it: any bytes are an upload's, any text a path's."""
    return "application/json" in described.get("requestBody", {}).get("content", {}) or any(
        parameter["in"] == "query" or "pattern" in parameter["schema"]
        for parameter in described.get("parameters", ())
    )


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_promises_are_kept(
    client: Client, world: World, schema: Any, route: tuple[str, str], role: str
) -> None:
    method, path = route
    secret = f"secret-of-{role}-{method}-{path}"
    if role != "anyone":
        world.secrets[role] = secret
        world.add(session_of(world.people[role], secret))
    numbers = itertools.count()

    there = BUILDERS[route](world, role).path

    def ask(case: Any) -> None:
        turn = next(numbers)
        known = there if turn % 2 == 0 else {}
        case.path_parameters = {**(case.path_parameters or {}), **known}
        if case.query and "wait" in case.query:
            case.query["wait"] = 0
        case.cookies = {}
        for condition in ("If-Match", "If-None-Match"):  # they would keep most cases from the route
            if turn % 4 and case.headers:
                case.headers.pop(condition, None)
        wire = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
        headers = {**wire.headers, **world.headers(role)}
        client.forget()
        answer = client.send(method, str(wire.url), headers=headers, content=wire.body)
        case.validate_response(answer, checks=[CHECKS.get_one(name) for name in PROMISES])

    asked = schema[path][method]
    described = client.app.openapi()["paths"][path][method.lower()]
    wrong = EACH // 3 if _may_be_wrong(described) else 0
    for mode, most in ((GenerationMode.POSITIVE, EACH - wrong), (GenerationMode.NEGATIVE, wrong)):
        if most:
            trial = settings(
                max_examples=most,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
                derandomize=False,  # by the seed: other cases for each role
            )
            draw = seed(zlib.crc32(f"{method} {path} {role} {mode}".encode()))
            draw(trial(given(case=asked.as_strategy(generation_mode=mode))(ask)))()
