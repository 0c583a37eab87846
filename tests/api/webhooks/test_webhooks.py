"""Webhooks against a receiver on this machine: signed, tried again, never elsewhere, each event once."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.requirements import require

require("server")

from api.audit.tables import Entry  # noqa: E402 - after the check for the extra
from api.client import verify_webhook  # noqa: E402
from api.database.tables import now  # noqa: E402
from api.people.export import PARTS  # noqa: E402
from api.people.tables import Person  # noqa: E402
from api.webhooks.delivering import GIVEN_UP, Deliverer  # noqa: E402
from api.webhooks.tables import Delivery, Webhook  # noqa: E402
from api.webhooks.telling import announce  # noqa: E402
from cluster.jobs.tables import JobRow  # noqa: E402
from tests.api.access.reduction_builders import reduced  # noqa: E402
from tests.api.access.webhook_requests import PUBLIC, webhook_of  # noqa: E402
from tests.api.access.world import make_world  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.client import Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402
from tests.api.migrated import fresh  # noqa: E402

PATIENCE_S = 120.0


class Receiver:
    """A receiver; `answers` are its statuses, one after the other, then 204."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/umbra?a=b"
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []

    def events(self, secret: str) -> list[dict[str, Any]]:
        return [verify_webhook(secret, headers["Umbra-Signature"], body) for headers, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.got.append((dict(self.headers.items()), body))
            status = heard.answers.pop(0) if heard.answers else 204
            self.send_response(status)
            if status == 302:
                self.send_header("Location", heard.url)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard = Receiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield heard
        server.shutdown()
        thread.join()


@contextmanager
def _served(backend: str, folder: Path, webhooks: str) -> Iterator[Client]:
    (folder / "data").mkdir()
    options: dict[str, Any] = {"webhooks": webhooks}
    if backend == "sqlite":
        with serving(folder / "data", folder / "home", Scripted(), **options) as client:
            yield client
        return
    require("postgres")
    with (
        fresh() as url,
        serving(folder / "data", folder / "home", Scripted(), database=url, **options) as client,
    ):
        yield client


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with _served(request.param, tmp_path_factory.mktemp("service"), "anywhere") as client:
        yield client


@pytest.fixture
def callers(client: Client) -> Callers:
    client.forget()
    return Callers(client, make_world(client.app.state.database))


def made(callers: Callers, receiver: Receiver, *events: str, who: str = "owner") -> Any:
    return callers.make(who, "/webhooks", {"url": receiver.url, "events": list(events or ["fit.ended"])})


def until(found: Callable[[], bool], told: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < ends, told()
        time.sleep(0.05)


def deliveries(callers: Callers, hook: Any, who: str = "owner") -> list[Any]:
    items: list[Any] = callers.get(who, f"/webhooks/{hook['id']}/deliveries")["items"]
    return items


def settled(callers: Callers, hook: Any, count: int = 1) -> list[Any]:
    """Its deliveries, once so many were tried."""

    def tried() -> bool:
        found = deliveries(callers, hook)
        over = [one["state"] != "waiting" or one["error"] is not None for one in found]
        return over.count(True) >= count

    until(tried, lambda: deliveries(callers, hook))
    return deliveries(callers, hook)


def until_answered(callers: Callers, hook: Any, status: int) -> None:
    until(
        lambda: deliveries(callers, hook)[0]["status"] == status,
        lambda: deliveries(callers, hook),
    )


def happen(callers: Callers, event: str = "fit.ended", who: str = "owner", **told: Any) -> int:
    with callers.world.database.writing() as session:
        return announce(session, event, [callers.world.people[who].id], **told)


def again(callers: Callers) -> None:
    """The time of what waits has come."""
    with callers.world.database.writing() as session:
        session.execute(update(Delivery).where(Delivery.state == "waiting").values(not_before=now()))


def test_an_event_is_signed_and_sent(callers: Callers, receiver: Receiver) -> None:
    hook = made(callers, receiver)
    assert hook["secret"].startswith("whsec_")
    listed = callers.ask("owner", "GET", "/webhooks")
    assert hook["secret"] not in listed.text
    assert [one["id"] for one in listed.json()["items"]] == [hook["id"]]
    assert (happen(callers, name="Ξ"), happen(callers, "batch.ended"), happen(callers, who="staff")) == (
        1,
        0,
        0,
    )
    (one,) = settled(callers, hook)
    assert (one["state"], one["status"], one["attempts"], one["error"]) == ("sent", 204, 1, None)
    (event,) = receiver.events(hook["secret"])
    assert (event["event"], event["data"], event["id"]) == ("fit.ended", {"name": "Ξ"}, one["id"])
    headers = receiver.got[0][0]
    assert headers["Umbra-Delivery"] == one["id"]
    assert headers["Host"] == receiver.url.split("/")[2]
    with callers.world.database.reading() as session:
        entry = session.scalars(select(Entry).where(Entry.thing == hook["id"])).one()
        exported = PARTS["webhooks"](session, callers.world.people["owner"].id)
    assert entry.action == "webhook made"
    assert exported[0]["url"] == receiver.url
    assert "secret" not in exported[0]


def test_what_is_not_taken_is_sent_again_and_no_redirection_is_followed(
    callers: Callers, receiver: Receiver
) -> None:
    hook = made(callers, receiver)
    receiver.answers = [500, 302]
    happen(callers)
    (one,) = settled(callers, hook)
    assert (one["state"], one["status"], one["attempts"]) == ("waiting", 500, 1)
    assert one["next"] > one["created"]
    for status in (302, 204):
        again(callers)
        until_answered(callers, hook, status)
    assert deliveries(callers, hook)[0]["state"] == "sent"
    assert len(receiver.got) == 3
    assert len({headers["Umbra-Delivery"] for headers, _ in receiver.got}) == 1


def test_what_nobody_takes_is_given_up(callers: Callers, receiver: Receiver) -> None:
    gone, old, test = made(callers, receiver), made(callers, receiver, "batch.ended"), made(callers, receiver)
    receiver.answers = [410]
    happen(callers)
    until(lambda: not receiver.answers, lambda: receiver.got)
    states = {one["state"] for hook in (gone, test) for one in settled(callers, hook)}
    assert states == {"failed", "sent"}
    receiver.answers = [500]
    with callers.world.database.writing() as session:
        announce(session, "batch.ended", [callers.world.people["owner"].id])
        ours = update(Delivery).where(Delivery.webhook == old["id"])
        session.execute(ours.values(created=now() - GIVEN_UP - timedelta(seconds=1)))
    assert settled(callers, old)[0]["state"] == "failed"
    receiver.answers = [503]
    answer = callers.ask("owner", "POST", f"/webhooks/{test['id']}/test")
    assert (answer.status_code, answer.json()["event"]) == (202, "test")
    until(
        lambda: {one["event"]: one["state"] for one in deliveries(callers, test)}.get("test") == "failed",
        lambda: deliveries(callers, test),
    )


def test_a_webhook_that_is_removed_hears_nothing_more(callers: Callers, receiver: Receiver) -> None:
    hook = made(callers, receiver)
    receiver.answers = [500]
    happen(callers)
    settled(callers, hook)
    assert callers.ask("staff", "DELETE", f"/webhooks/{hook['id']}").status_code == 404
    assert callers.ask("owner", "DELETE", f"/webhooks/{hook['id']}").status_code == 204
    with callers.world.database.reading() as session:
        assert session.scalars(select(Delivery).where(Delivery.webhook == hook["id"])).all() == []
    assert happen(callers) == 0


def test_who_is_kept_out_is_told_nothing(callers: Callers, receiver: Receiver) -> None:
    made(callers, receiver)
    owner = update(Person).where(Person.id == callers.world.people["owner"].id)
    with callers.world.database.writing() as session:
        session.execute(owner.values(suspended=now()))
    assert happen(callers) == 0


def test_the_end_of_a_job_is_told_once(callers: Callers, receiver: Receiver) -> None:
    """By the queue's own moves, to who asked for it."""
    hook = made(callers, receiver, "job.ended")
    world = callers.world
    made_before = reduced(world, "owner")
    job = reduced(world, "owner")
    with world.database.writing() as session:
        for identity, state in ((made_before.id, "cancelled"), (job.id, "done")):
            session.execute(update(JobRow).where(JobRow.id == identity).values(state=state))
    wanted = {(made_before.id, "cancelled"), (job.id, "done")}

    def told() -> set[tuple[str, str]]:
        return {(one["data"]["job"], one["data"]["state"]) for one in receiver.events(hook["secret"])}

    until(lambda: wanted <= told(), told)
    event = receiver.events(hook["secret"])[-1]["data"]
    assert (event["observation"], event["result"]) == (job.observation, None)
    happen(callers, "job.ended", marker=1)
    until(lambda: any("marker" in one["data"] for one in receiver.events(hook["secret"])), told)
    ids = [headers["Umbra-Delivery"] for headers, _ in receiver.got]
    assert len(ids) == len(set(ids)) == 5  # two jobs that fail as they are made, two moves, and the marker


def test_limits(callers: Callers, receiver: Receiver) -> None:
    def refused(url: str, *events: str) -> int:
        return callers.ask("owner", "POST", "/webhooks", json={"url": url, "events": events}).status_code

    assert refused("ftp://example.org", "fit.ended") == 422
    assert refused(receiver.url) == 422
    assert refused(receiver.url, "fit.ended", "nothing") == 422
    for _ in range(20):
        webhook_of(callers.world, callers.world.people["owner"].id)
    assert refused(receiver.url, "fit.ended") == 409


def test_private_addresses_are_refused_when_made_and_when_sent(tmp_path: Path, receiver: Receiver) -> None:
    with _served("sqlite", tmp_path, "public") as client:
        callers = Callers(client, make_world(client.app.state.database))
        for url in (receiver.url, receiver.url.replace("http:", "https:"), "https://localhost/"):
            answer = callers.ask("owner", "POST", "/webhooks", json={"url": url, "events": ["fit.ended"]})
            assert answer.status_code == 422, url
        hook = callers.make("owner", "/webhooks", {"url": PUBLIC, "events": ["fit.ended"]})
        with callers.world.database.writing() as session:  # what its name leads to has changed meanwhile
            inside = receiver.url.replace("http:", "https:")
            session.execute(update(Webhook).where(Webhook.id == hook["id"]).values(url=inside))
        happen(callers)
        (one,) = settled(callers, hook)
        assert (one["state"], one["status"]) == ("waiting", None)
        assert "no public address" in one["error"]
        assert receiver.got == []


def test_off(tmp_path: Path) -> None:
    with _served("sqlite", tmp_path, "off") as client:
        callers = Callers(client, make_world(client.app.state.database))
        answer = callers.ask("owner", "POST", "/webhooks", json={"url": PUBLIC, "events": ["fit.ended"]})
        assert answer.status_code == 409
        assert not any(isinstance(one, Deliverer) for one in client.app.state.threads.values())
