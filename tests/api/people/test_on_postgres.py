"""Accounts on a database server, where transactions really run side by side."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.requirements import require

require("server")
require("postgres")

from api.people.tables import Person  # noqa: E402 - after the check for the extra
from tests.api.client import Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.api.migrated import fresh  # noqa: E402
from tests.api.people.browser import (  # noqa: E402
    PASSWORD,
    Browser,
    actions,
    count,
    registered,
    token_of,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("postgres")
    (folder / "data").mkdir()
    free: dict[str, Any] = {"rate_visitor": "999999/second", "rate_address": "999999/second"}
    with (
        fresh() as url,
        serving(folder / "data", folder / "home", Scripted(), database=url, **free) as client,
    ):
        yield client


def test_an_account_from_registration_to_deletion(client: Client) -> None:
    boss = registered(client, "boss@example.org", "superuser")
    ann = registered(client, "ann@example.org", name="Ann Ünal 🔭")
    assert ann.send("PATCH", "/account", {"affiliation": "天文台"}).json()["affiliation"] == "天文台"
    key = ann.send("POST", "/keys", {"name": "k", "scopes": ["account:read"]}).json()["key"]
    assert Browser(client).send("GET", "/account", X_API_Key=key).json()["name"] == "Ann Ünal 🔭"
    first = boss.send("GET", "/users?limit=1").json()
    second = boss.send("GET", f"/users?limit=1&cursor={first['next']}").json()
    assert [first["items"][0]["email"], second["items"][0]["email"]] == [
        "ann@example.org",
        "boss@example.org",
    ]
    assert second["next"] is None
    identity = ann.send("GET", "/account").json()["id"]
    level = boss.send("PUT", f"/users/{identity}/level", {"level": "staff"})
    assert level.json()["level"] == "staff"
    assert ann.send("GET", "/account/export").json()["account"]["level"] == "staff"
    assert ann.send("POST", "/account/deletion", {"password": PASSWORD}).status_code == 204
    assert Browser(client).send("GET", "/account", X_API_Key=key).status_code == 401
    assert actions(client)[-1] == "account deleted"


def test_one_address_has_one_account_whoever_comes_first(client: Client) -> None:
    """Two registrations of an address, both proven at the same moment."""
    tokens = []
    for _ in range(2):
        body = {"email": "twin@example.org", "password": PASSWORD, "name": "Twin"}
        Browser(client).send("POST", "/accounts", body)
        tokens.append(token_of(client, "twin@example.org", "activation"))
    before = count(client, Person)
    codes: list[int] = []
    together = threading.Barrier(2)

    def prove(token: str) -> None:
        import asyncio

        import httpx

        async def ask() -> int:
            transport = httpx.ASGITransport(client.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as other:
                proof = {"token": token, "password": PASSWORD}
                return (await other.post("/api/v1/accounts/activation", json=proof)).status_code

        together.wait()
        codes.append(asyncio.run(ask()))

    threads = [threading.Thread(target=prove, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [201, 409]
    assert count(client, Person) == before + 1
