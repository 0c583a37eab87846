"""`umbra serve` is killed while it works through a batch: all jobs end, and the results are the same."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")
require("ray")

import httpx  # noqa: E402 - after the check for the extra

from api.database.migrate import migrate  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from cluster.recording import reduce_to_folder  # noqa: E402
from cluster.store import open_store  # noqa: E402
from tests.api.access.world import World, make_world  # noqa: E402
from tests.api.results.things import events_of, uploaded  # noqa: E402
from tests.contracts.executors import PLAN, SCENE, request_of  # noqa: E402
from tests.scenes.scenes import little_ser  # noqa: E402

ROOT = Path(__file__).parents[3]
API = "/api/v1"
PLANS = [PLAN.model_copy(update={"aperture_px": radius}) for radius in (3.0, 3.5, 4.0, 4.5)]
LEASE_S = "4"


class Server:
    """A running `umbra serve`, and a member of staff who asks it."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, headers: dict[str, str]) -> None:
        self.process, self.url, self.headers = process, url + API, headers

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=90, **options)

    def counts(self, batch: str) -> dict[str, int]:
        found: dict[str, int] = self.send("GET", f"/batches/{batch}").json()["counts"]
        return found

    def until(self, batch: str, **wanted: int) -> None:
        """Until at least so many jobs are in each state."""
        ends = time.monotonic() + 240
        while time.monotonic() < ends:
            counts = self.counts(batch)
            if all(counts.get(state, 0) >= number for state, number in wanted.items()):
                return
            time.sleep(0.1)
        raise AssertionError(f"{counts}: not {wanted}")


@contextmanager
def served(home: Path, world: World) -> Iterator[Server]:
    command = [sys.executable, "-m", "umbra", "serve", "--port", "0", "--data", str(home), "--workers", "1"]
    environment = os.environ | {"UMBRA_HOME": str(home), "UMBRA_LEASE_S": LEASE_S}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        found = re.match(r"umbra serve: (http://127\.0\.0\.1:\d+)/api/v1\n", line)
        assert found is not None, line + process.stderr.read()
        yield Server(process, found[1], world.headers("staff"))
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("moment", ["acknowledged", "running", "done"])
def test_a_killed_service_ends_its_batch(tmp_path: Path, moment: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    recording = little_ser(SCENE, tmp_path)
    database = Database(home / "umbra.sqlite")
    migrate(database.engine)
    world, store = make_world(database), open_store(home / "store")
    file = uploaded(world, store, recording, world.strict["observation"])
    lines = [{"file": file, "plan": plan.model_dump(mode="json", exclude_unset=True)} for plan in PLANS]
    asked = {
        "params": {"campaign": world.strict["campaign"]},
        "content": "\n".join(map(json.dumps, lines)),
        "headers": {"Content-Type": "application/jsonl", "Idempotency-Key": "night"},
    }
    with served(home, world) as server:
        answer = server.send("POST", "/batches", **asked)
        assert answer.status_code == 202, answer.text
        batch = answer.json()["id"]
        if moment != "acknowledged":
            server.until(batch, **{moment: 1})
        server.process.kill()
        server.process.wait()
    with served(home, world) as server:
        assert server.send("POST", "/batches", **asked).json()["id"] == batch
        server.until(batch, done=len(PLANS))
        told = events_of(server.send("GET", f"/batches/{batch}/events").text)
        jobs = server.send("GET", f"/batches/{batch}/jobs").json()["items"]
        views = [server.send("GET", f"/jobs/{job['id']}").json() for job in jobs]
        kept = server.send("GET", f"/observations/{world.strict['observation']}/results").json()["items"]
        keys = {each["id"]: each["key"] for each in kept}
    assert sorted(keys.values()) == sorted(
        store.versions(world.strict["campaign"], world.strict["observation"])
    )
    assert sorted(view["version"] for view in views) == [1, 2, 3, 4]
    assert sum(event["event"] == "done" for event in told) == len(PLANS)
    for number, view in enumerate(views):
        reduce_to_folder(request_of(recording, plan=PLANS[number]), tmp_path / f"expected-{number}")
        key = keys[view["result"]]
        store.fetch("results", key, tmp_path / f"kept-{number}")
        for name in ("lightcurve.csv", "stars.parquet"):
            kept, expected = (tmp_path / f"{kind}-{number}" / name for kind in ("kept", "expected"))
            assert kept.read_bytes() == expected.read_bytes(), (number, name)
    database.close()
