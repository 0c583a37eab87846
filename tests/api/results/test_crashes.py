"""`umbra serve` is killed while it works through a batch: all jobs end, and the results are the same."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")
require("ray")
require("mail")

import httpx  # noqa: E402 - after the check for the extra
from sqlalchemy import select, update  # noqa: E402

from api.database.migrate import migrate  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.mail.tables import Message  # noqa: E402
from cluster.recording import reduce_to_folder  # noqa: E402
from cluster.store import open_store  # noqa: E402
from tests.api.access.world import World, make_world  # noqa: E402
from tests.api.mail.sink import Sink, listening  # noqa: E402
from tests.api.results.things import events_of, uploaded  # noqa: E402
from tests.contracts.executors import PLAN, SCENE, request_of  # noqa: E402
from tests.scenes.scenes import little_ser  # noqa: E402

ROOT = Path(__file__).parents[3]
API = "/api/v1"
PLANS = [PLAN.model_copy(update={"aperture_px": radius}) for radius in (3.0, 3.5, 4.0, 4.5)]
LEASE_S = "4"
STARTS = 3
"""On a busy machine Ray gives up to start now and then."""


class Server:
    """A running `umbra serve`, and a member of staff who asks it."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, headers: dict[str, str]) -> None:
        self.process, self.url, self.headers = process, url + API, headers

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=300, **options)

    def counts(self, batch: str) -> dict[str, int]:
        found: dict[str, int] = self.send("GET", f"/batches/{batch}").json()["counts"]
        return found

    def until(self, batch: str, **wanted: int) -> None:
        """Until at least so many jobs are in each state."""
        ends = time.monotonic() + 3000
        while time.monotonic() < ends:
            counts = self.counts(batch)
            if all(counts.get(state, 0) >= number for state, number in wanted.items()):
                return
            time.sleep(0.1)
        raise AssertionError(f"{counts}: not {wanted}")


@contextmanager
def served(home: Path, world: World, **settings: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "umbra", "serve", "--port", "0", "--data", str(home), "--workers", "1"]
    environment = os.environ | {"UMBRA_HOME": str(home), "UMBRA_LEASE_S": LEASE_S} | settings
    for _ in range(STARTS):
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if line:
            break
        said = process.communicate()[1]
        assert "timed out during startup" in said, said
    try:
        found = re.match(r"umbra serve: (http://127\.0\.0\.1:\d+)/api/v1\n", line)
        assert found is not None, line
        yield Server(process, found[1], world.headers("staff"))
    finally:
        process.kill()
        process.communicate()


class Night:
    """A service's folder with people and a recording, and a batch that reduces it in four ways."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir()
        self.recording = little_ser(SCENE, folder)
        self.database = Database(self.home / "umbra.sqlite")
        migrate(self.database.engine)
        self.world, self.store = make_world(self.database), open_store(self.home / "store")
        file = uploaded(self.world, self.store, self.recording, self.world.strict["observation"])
        lines = [{"file": file, "plan": plan.model_dump(mode="json", exclude_unset=True)} for plan in PLANS]
        self.asked = {
            "params": {"campaign": self.world.strict["campaign"]},
            "content": "\n".join(map(json.dumps, lines)),
            "headers": {"Content-Type": "application/jsonl", "Idempotency-Key": "night"},
        }

    def ask(self, server: Server) -> str:
        answer = server.send("POST", "/batches", **self.asked)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def check(self, server: Server, batch: str) -> None:
        """All jobs are done, once each, and the results are those of an undisturbed reduction."""
        told = events_of(server.send("GET", f"/batches/{batch}/events").text)
        jobs = server.send("GET", f"/batches/{batch}/jobs").json()["items"]
        views = [server.send("GET", f"/jobs/{job['id']}").json() for job in jobs]
        observation = self.world.strict["observation"]
        kept = server.send("GET", f"/observations/{observation}/results").json()["items"]
        keys = {each["id"]: each["key"] for each in kept}
        versions = self.store.versions(self.world.strict["campaign"], observation)
        assert sorted(keys.values()) == sorted(versions)
        assert sorted(view["version"] for view in views) == [1, 2, 3, 4]
        assert sum(event["event"] == "done" for event in told) == len(PLANS)
        for number, view in enumerate(views):
            request = request_of(self.recording, plan=PLANS[number])
            reduce_to_folder(request, self.folder / f"expected-{number}")
            self.store.fetch("results", keys[view["result"]], self.folder / f"kept-{number}")
            for name in ("lightcurve.csv", "stars.parquet"):
                same = [self.folder / f"{kind}-{number}" / name for kind in ("kept", "expected")]
                assert same[0].read_bytes() == same[1].read_bytes(), (number, name)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    night = Night(tmp_path)
    yield night
    night.database.close()


@pytest.mark.parametrize("moment", ["acknowledged", "running", "done"])
def test_a_killed_service_ends_its_batch(night: Night, moment: str) -> None:
    with served(night.home, night.world) as server:
        batch = night.ask(server)
        if moment != "acknowledged":
            server.until(batch, **{moment: 1})
        server.process.kill()
        server.process.wait()
    with served(night.home, night.world) as server:
        assert night.ask(server) == batch
        server.until(batch, done=len(PLANS))
        night.check(server, batch)


class Killing(Sink):
    """A mail server at which senders die: after it has a message, before they hear so."""

    process: "subprocess.Popen[str] | None" = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        if self.process is not None and "batch of" in str(self.mails[-1]["Subject"]):
            self.process.kill()
            self.process.wait()
            self.process = None
        return answer


def worker_of(server: int) -> int | None:
    """The process that reduces for a service: one of Ray's, below it, with an order under way."""
    parents: dict[int, int] = {}
    titles: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError, IndexError):
            text = (folder / "stat").read_text()
            parents[int(folder.name)] = int(text.rpartition(")")[2].split()[1])
            titles[int(folder.name)] = (folder / "cmdline").read_text().strip("\0")
    for pid, title in titles.items():
        above = pid
        while above > 1 and above != server:
            above = parents.get(above, 0)
        if above == server and title.startswith("ray::perform_order"):
            return pid
    return None


def test_killed_workers_and_a_killed_sender(night: Night) -> None:
    """Two workers die, then the service with an e-mail on the way: all ends, and all are told once."""
    with listening(Killing()) as sink:
        assert isinstance(sink, Killing)
        mail = {
            "UMBRA_SMTP_HOST": "127.0.0.1", "UMBRA_SMTP_PORT": str(sink.port), "UMBRA_SMTP_SECURITY": "none",
        }  # fmt: skip
        with served(night.home, night.world, **mail) as server:
            batch = night.ask(server)
            killed: set[int] = set()
            ends = time.monotonic() + 3000
            while len(killed) < 2 and time.monotonic() < ends:
                worker = worker_of(server.process.pid)
                if worker is not None and worker not in killed:
                    os.kill(worker, signal.SIGKILL)
                    killed.add(worker)
                time.sleep(0.05)
            assert len(killed) == 2
            sink.process = server.process
            assert server.process.wait(600) == -signal.SIGKILL
        with night.database.writing() as session:  # as if the dead sender's two minutes were over
            session.execute(update(Message).values(until=None))
        with served(night.home, night.world, **mail) as server:
            assert night.ask(server) == batch
            assert server.counts(batch) == {"done": len(PLANS)}
            tries = [
                attempt["outcome"]
                for job in server.send("GET", f"/batches/{batch}/jobs").json()["items"]
                for attempt in server.send("GET", f"/jobs/{job['id']}/logs").json()
            ]
            assert len(tries) >= len(PLANS) + len(killed)
            night.check(server, batch)
            ends = time.monotonic() + 300
            while time.monotonic() < ends:
                with night.database.reading() as session:
                    rows = list(session.scalars(select(Message)))
                if rows and all(row.state == "sent" for row in rows):
                    break
                time.sleep(0.2)
    people = night.world.people
    about = [(row.kind, row.person) for row in rows if row.kind in {"batch", "reduced"}]
    assert sorted(about) == sorted(
        [("batch", people["staff"].id), ("batch", people["responsible"].id), ("reduced", people["owner"].id)]
    )
    assert any("a worker died" in row.text for row in rows if row.kind == "faults")
    times = Counter(sink.ids)
    assert set(times) == {row.message_id for row in rows}, "none is lost"
    assert sum(times.values()) - len(rows) == 1, "one kill between the mail server and the outbox: one twice"
