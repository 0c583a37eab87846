"""The local operator: a person at their own computer, while there are no accounts."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.requirements import require

require("server")

from api.settings import ServiceSettings, make_settings  # noqa: E402 - after the check for the extra
from tests.api.access.world import person  # noqa: E402
from tests.api.client import API, Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.api.people.browser import database  # noqa: E402

BODY = {"input": "absent.ser"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", tmp_path / "home", Scripted()) as client:
        yield client


def test_who_sits_there_may_reduce_until_there_is_an_account(client: Client) -> None:
    assert client.ask(BODY).status_code == 422
    assert client.get(f"{API}/users").status_code == 401
    with database(client).writing() as session:
        ann = person("ann")
        session.add(ann)
    assert client.ask(BODY).status_code == 401
    with database(client).writing() as session:
        session.merge(ann).deleted = ann.created
    assert client.ask(BODY).status_code == 401, "it ends for good"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "192.0.2.1"},
        {"Forwarded": "for=192.0.2.1"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "127.0.0.1"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_what_a_proxy_passes_on_is_not_local(client: Client, headers: dict[str, str]) -> None:
    answer = client.post(f"{API}/folder/reductions", json=BODY, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
    ids=["origin", "fetch", "null"],
)
def test_a_web_page_is_not_the_operator(client: Client, headers: dict[str, str]) -> None:
    assert client.post(f"{API}/folder/reductions", json=BODY, headers=headers).status_code == 403


def test_another_machine_is_not_local(client: Client) -> None:
    async def ask(address: str) -> int:
        transport = httpx.ASGITransport(client.app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as other:
            return (await other.post(f"{API}/folder/reductions", json=BODY)).status_code

    assert client.run(ask("192.0.2.9")) == 401
    assert client.run(ask("::1")) == 422


def test_a_service_for_others_trusts_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UMBRA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UMBRA_DATA", str(tmp_path))
    assert make_settings(None, "127.0.0.1").local
    assert not make_settings(None, "0.0.0.0").local
    monkeypatch.setenv("UMBRA_URL", "https://umbra.example.org")
    behind = make_settings(None, "127.0.0.1")
    assert not behind.local, "a proxy stands before it"
    assert behind.hosts is not None
    assert "umbra.example.org" in behind.hosts
    assert behind.secure
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", tmp_path / "other", Scripted(), local=False) as client:
        assert client.ask(BODY).status_code == 401


def test_settings_trust_nobody_unless_told(tmp_path: Path) -> None:
    assert not ServiceSettings(data=tmp_path, home=tmp_path).local
