"""ETags and conditions, through the routes: 304, 412, and of two changes at once one."""

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.requirements import require

require("server")

from tests.api.access.requests import BUILDERS  # noqa: E402 - after the check for the extra
from tests.api.access.world import make_world  # noqa: E402
from tests.api.backends import service_on  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.client import API, Client  # noqa: E402


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from service_on(request.param, tmp_path_factory.mktemp("service"))


@pytest.fixture
def callers(client: Client) -> Callers:
    return Callers(client, make_world(client.app.state.database))


@pytest.fixture
def campaign(callers: Callers) -> str:
    return f"/campaigns/{callers.world.strict['campaign']}"


def rename(callers: Callers, campaign: str, name: str, who: str = "staff", **headers: str) -> httpx.Response:
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    return callers.ask(who, "PATCH", campaign, json={"name": name}, headers=sent)


def test_what_is_read_has_an_etag_and_is_not_sent_twice(callers: Callers, campaign: str) -> None:
    first = callers.ask("staff", "GET", campaign)
    etag = first.headers["ETag"]
    assert etag == f'"{hashlib.sha256(first.content).hexdigest()}"'
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["Vary"] == "Cookie, X-API-Key"
    for condition in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        again = callers.ask("staff", "GET", campaign, headers={"If-None-Match": condition})
        assert (again.status_code, again.content) == (304, b""), condition
        assert again.headers["ETag"] == etag
        assert "content-type" not in again.headers
    assert callers.ask("staff", "GET", campaign, headers={"If-None-Match": '"x"'}).content == first.content
    assert rename(callers, campaign, "Other").status_code == 200
    changed = callers.ask("staff", "GET", campaign, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


def test_lists_too(callers: Callers) -> None:
    etag = callers.ask("staff", "GET", "/campaigns").headers["ETag"]
    assert callers.ask("staff", "GET", "/campaigns", headers={"If-None-Match": etag}).status_code == 304


def test_one_s_account_stays_out_of_caches(callers: Callers) -> None:
    answer = callers.ask("observer", "GET", "/account")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" in answer.headers
    refused = callers.ask("anyone", "GET", "/account")
    assert (refused.status_code, refused.headers["Cache-Control"]) == (401, "no-store")
    assert "ETag" not in refused.headers


def test_a_change_under_a_condition(callers: Callers, campaign: str) -> None:
    etag = callers.ask("staff", "GET", campaign).headers["ETag"]
    assert rename(callers, campaign, "First", If_Match=etag).status_code == 200
    lost = rename(callers, campaign, "Second", If_Match=etag)
    assert lost.status_code == 412
    assert lost.headers["Content-Type"] == "application/problem+json"
    assert "look at it again" in lost.json()["detail"]
    assert lost.headers["ETag"] == callers.ask("staff", "GET", campaign).headers["ETag"]
    assert callers.get("staff", campaign)["name"] == "First"
    now = lost.headers["ETag"]
    assert rename(callers, campaign, "Second", If_Match=f"W/{now}").status_code == 412, (
        "weak ones do not count"
    )
    assert rename(callers, campaign, "Second", If_None_Match=now).status_code == 412
    assert rename(callers, campaign, "Second", If_None_Match="*").status_code == 412
    assert rename(callers, campaign, "Third", If_Match=f'"x", {now}').status_code == 200
    assert rename(callers, campaign, "Fourth", If_Match="*").status_code == 200
    assert rename(callers, campaign, "Fifth").status_code == 200, "a condition is nobody's duty"


def test_what_the_view_tells_besides_the_row_counts_too(callers: Callers, campaign: str) -> None:
    """An event responsible who is appointed is part of what GET tells, and of no column of the campaign."""
    etag = callers.ask("staff", "GET", campaign).headers["ETag"]
    somebody = callers.world.people["observer"].id
    assert (
        callers.ask("staff", "POST", f"{campaign}/responsibles", json={"person": somebody}).status_code == 200
    )
    assert rename(callers, campaign, "Second", If_Match=etag).status_code == 412


def test_who_may_not_is_told_that(callers: Callers, campaign: str) -> None:
    etag = callers.ask("observer", "GET", campaign).headers["ETag"]
    assert rename(callers, campaign, "x", "observer", If_Match=etag).status_code == 403
    assert rename(callers, campaign, "x", "anyone", If_Match=etag).status_code == 401
    absent = callers.ask("staff", "PATCH", f"/campaigns/{'0' * 32}", json={}, headers={"If-Match": "*"})
    assert absent.status_code == 404


def test_where_nothing_is_read_there_is_no_condition(callers: Callers) -> None:
    ask = BUILDERS[("PUT", f"{API}/users/{{user_id}}/level")](callers.world, "superuser")
    path = f"/users/{ask.path['user_id']}/level"
    answer = callers.ask("superuser", "PUT", path, headers={"If-Match": "*"}, **ask.options)
    assert answer.status_code == 412
    assert "no ETag" not in answer.text or "leave it out" in answer.text
    assert callers.ask("superuser", "PUT", path, **ask.options).status_code == 200


THINGS = [
    ("PATCH", "/observations/{observation_id}"),
    ("DELETE", "/observations/{observation_id}"),
    ("PUT", "/equipment/{equipment_id}"),
    ("DELETE", "/equipment/{equipment_id}"),
    ("PUT", "/sites/{site_id}"),
    ("DELETE", "/sites/{site_id}"),
    ("PUT", "/predictions/{prediction_id}"),
    ("DELETE", "/predictions/{prediction_id}"),
]


@pytest.mark.parametrize("route", THINGS, ids=" ".join)
def test_everything_that_changes(callers: Callers, route: tuple[str, str]) -> None:
    method, template = route
    who = "staff" if "prediction" in template else "owner"
    ask = BUILDERS[(method, API + template)](callers.world, who)
    path = template.format(**ask.path)
    etag = callers.ask(who, "GET", path).headers["ETag"]
    wrong = callers.ask(who, method, path, headers={"If-Match": '"other"'}, **ask.options)
    assert wrong.status_code == 412
    assert callers.ask(who, "GET", path).headers["ETag"] == etag, "nothing was done"
    right = callers.ask(who, method, path, headers={"If-Match": etag}, **ask.options)
    assert right.is_success, right.text


ROUNDS = 5
WRITERS = 6


@pytest.mark.parametrize("kind", ["campaign", "observation", "prediction"])
def test_of_changes_at_once_one_is_done(callers: Callers, campaign: str, kind: str) -> None:
    """All saw the same: each would write over the others."""
    body: dict[str, Any] = {}
    who, method, path, field = "staff", "PATCH", campaign, "name"
    if kind == "observation":
        who, field = "owner", "role"
        path = f"/observations/{callers.world.strict['observation']}"
    elif kind == "prediction":
        ask = BUILDERS[("PUT", f"{API}/predictions/{{prediction_id}}")](callers.world, "staff")
        path, method, field = f"/predictions/{ask.path['prediction_id']}", "PUT", "object_name"
        body = ask.options["json"]

    async def at_once(etag: str, turn: int) -> list[int]:
        transport = httpx.ASGITransport(callers.client.app)
        headers = {**callers.world.headers(who), "If-Match": etag}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            asked = [
                client.request(
                    method, API + path, json={**body, field: f"{turn} by {number}"}, headers=headers
                )
                for number in range(WRITERS)
            ]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    for turn in range(ROUNDS):  # other names each time: who changes nothing is in nobody's way
        etag = callers.ask(who, "GET", path).headers["ETag"]
        assert sorted(callers.client.run(at_once(etag, turn))) == [200] + [412] * (WRITERS - 1)


def test_openapi_tells_of_it(client: Client) -> None:
    text: Any = client.app.openapi()
    see, change = (text["paths"][f"{API}/campaigns/{{campaign_id}}"][method] for method in ("get", "patch"))
    assert {"304", "200"} <= set(see["responses"])
    assert "ETag" in see["responses"]["200"]["headers"]
    assert "If-None-Match" in {one["name"] for one in see["parameters"]}
    assert "412" in change["responses"]
    assert "If-Match" in {one["name"] for one in change["parameters"]}
