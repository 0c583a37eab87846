"""Reductions of uploaded recordings: asked for, followed, done, with a version of the result."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

from sqlalchemy import func, select  # noqa: E402 - after the check for the extra

from api.audit.tables import Entry  # noqa: E402
from api.database.tables import new_id  # noqa: E402
from api.results.tables import Reduction, Result  # noqa: E402
from cluster.executors import InProcess  # noqa: E402
from cluster.jobs.tables import JobRow  # noqa: E402
from cluster.recording import reduce_to_folder  # noqa: E402
from tests.api.access.world import World, make_world  # noqa: E402
from tests.api.client import Client, serving  # noqa: E402
from tests.api.results.things import ABSENT, Caller, events_of, file_of, uploaded  # noqa: E402
from tests.contracts.executors import PLAN, SCENE, request_of  # noqa: E402
from tests.scenes.scenes import little_ser  # noqa: E402

PLANNED = PLAN.model_dump(mode="json", exclude_unset=True)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return little_ser(SCENE, tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    with serving(folder / "data", folder / "home", InProcess()) as client:
        yield client


@pytest.fixture
def world(client: Client) -> World:
    return make_world(client.app.state.database)


def count(world: World, table: type) -> int:
    with world.database.reading() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def test_from_request_to_version(client: Client, world: World, recording: Path, tmp_path: Path) -> None:
    file = uploaded(world, client.app.state.store, recording, world.strict["observation"])
    staff = Caller(client, world, "staff")
    asked = staff.ask(file, plan=PLANNED)
    assert asked.status_code == 202, asked.text
    job = asked.json()["id"]
    assert asked.headers["location"].endswith(f"/jobs/{job}")
    assert asked.json()["state"] in {"queued", "running"}
    view = staff.ended(job)
    assert (view["state"], view["version"], view["attempts"]) == ("done", 1, 1), view
    assert view["links"]["result"] == f"/api/v1/results/{view['result']}"

    reduce_to_folder(request_of(recording), tmp_path / "expected")
    with world.database.reading() as session:
        result = session.get(Result, view["result"])
    assert result is not None
    assert result.figures["frames"] == SCENE.frames
    client.app.state.store.fetch("results", result.key, tmp_path / "kept")
    for name in ("lightcurve.csv", "stars.parquet"):
        assert (tmp_path / "kept" / name).read_bytes() == (tmp_path / "expected" / name).read_bytes()

    told = events_of(staff.get(f"/jobs/{job}/events").text)
    assert [event["event"] for event in told] == ["queued", "running", "done"]
    assert [json.loads(event["data"])["attempt"] for event in told] == [0, 1, 1]
    rest = staff.get(f"/jobs/{job}/events", headers={"Last-Event-ID": told[0]["id"]})
    assert events_of(rest.text) == told[1:]
    last = staff.get(f"/jobs/{job}/events", headers={"Last-Event-ID": told[-1]["id"]})
    assert events_of(last.text) == []
    (attempt,) = staff.get(f"/jobs/{job}/logs").json()
    assert attempt["outcome"] == "done"
    assert "reduced; publishing" in attempt["log"]  # it is kept before the commit

    again = staff.ended(staff.ask(file, plan=PLANNED).json()["id"])
    assert again["id"] != job
    assert (again["version"], again["result"]) == (1, view["result"])
    other = staff.ended(staff.ask(file, plan=PLANNED | {"aperture_px": 3.5}).json()["id"])
    assert other["version"] == 2
    listed = staff.get(f"/observations/{world.strict['observation']}/jobs").json()["items"]
    assert [each["id"] for each in listed] == [other["id"], again["id"], job]


def test_a_dry_run_writes_nothing(client: Client, world: World) -> None:
    seen = {"input": {"format": "ser", "frames": 1000, "width": 640, "height": 480}}
    found = [{"role": "dark", "inspection": {"input": {"frames": 9}}}, {"role": "light", "inspection": seen}]
    row = file_of(world.strict["observation"], ABSENT, recordings=found)
    world.add(row)
    tables = (Reduction, JobRow, Entry)
    before = [count(world, table) for table in tables]
    told = Caller(client, world, "staff").ask(row.id, dry_run=True, plan={"aperture_px": 4.0})
    assert told.status_code == 200, told.text
    assert told.json()["estimate"]["frames"] == 1000
    assert told.json()["known"] is False
    assert told.json()["request"]["plan"] == {"aperture_px": 4.0}
    assert [count(world, table) for table in tables] == before


def test_the_same_key_is_the_same_job(client: Client, world: World) -> None:
    row = file_of(world.strict["observation"], ABSENT)
    world.add(row)
    staff, key = Caller(client, world, "staff"), new_id()
    jobs = {staff.ask(row.id, key).json()["id"] for _ in range(3)}
    assert len(jobs) == 1
    assert staff.ask(row.id, key, plan={"aperture_px": 9.0}).status_code == 422
    assert Caller(client, world, "superuser").ask(row.id, key).json()["id"] not in jobs


def test_what_fails_can_be_retried_and_keeps_its_logs(client: Client, world: World) -> None:
    row = file_of(world.strict["observation"], ABSENT)
    world.add(row)
    staff = Caller(client, world, "staff")
    job = staff.ask(row.id).json()["id"]
    view = staff.ended(job)
    assert (view["state"], view["failure"], view["result"]) == ("failed", "data", None)
    assert "SHA-256" in view["error"]
    assert staff.post(f"/jobs/{job}:retry").json()["state"] in {"queued", "running", "failed"}
    assert staff.ended(job)["attempts"] == 2
    told = events_of(staff.get(f"/jobs/{job}/events").text)
    assert [event["event"] for event in told] == [
        "queued",
        "running",
        "failed",
        "queued",
        "running",
        "failed",
    ]
    logs = staff.get(f"/jobs/{job}/logs").json()
    assert [each["number"] for each in logs] == [1, 2]
    assert all("SHA-256" in each["log"] for each in logs)
    assert staff.post(f"/jobs/{job}:cancel").json()["state"] == "failed"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"plan": {"aperture": 3}}, "plan"),
        ({"times": {"table": "/etc/passwd"}}, "table"),
        ({"dark": "/etc/passwd"}, "dark"),
        ({"member": "a\0b"}, "text"),
        ({"sky": {"wcs": "x"}}, "wcs"),
        ({"priority": 11}, "priority"),
        ({"unknown": 1}, "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_requests_that_are_refused(client: Client, world: World, fields: dict[str, Any], word: str) -> None:
    row = file_of(world.strict["observation"], ABSENT)
    world.add(row)
    answer = Caller(client, world, "staff").ask(row.id, **fields)
    assert answer.status_code == 422, answer.text
    assert word in answer.text


def test_files_that_cannot_be_reduced(client: Client, world: World) -> None:
    here, there = world.strict["observation"], world.open["observation"]
    good, other = file_of(here, ABSENT), file_of(there, ABSENT)
    quarantined, extra = file_of(here, ABSENT, state="quarantined"), file_of(here, ABSENT, role="additional")
    world.add(good, other, quarantined, extra)
    staff = Caller(client, world, "staff")
    assert "quarantined" in staff.ask(quarantined.id).json()["detail"]
    assert "no recording" in staff.ask(extra.id).json()["detail"]
    assert "no such file" in staff.ask(good.id, dark=other.id).json()["detail"]
    assert staff.ask(good.id, dark=extra.id, dry_run=True).status_code == 200
    assert staff.ask(new_id()).status_code == 404
    reducer = Caller(client, world, "reducer")
    assert reducer.ask(good.id).status_code == 404
    assert reducer.ask(other.id, priority=1).status_code == 422
    assert reducer.ask(other.id).status_code == 202


def test_last_event_ids_that_are_none(client: Client, world: World) -> None:
    row = file_of(world.strict["observation"], ABSENT)
    world.add(row)
    staff = Caller(client, world, "staff")
    job = staff.ended(staff.ask(row.id).json()["id"])["id"]
    for wrong in ("x", "1", "-1-2", "1-" + "9" * 30):
        answer = staff.get(f"/jobs/{job}/events", headers={"Last-Event-ID": wrong})
        assert answer.status_code == 422, wrong
    far = f"{sys.maxsize // 10}-1"
    assert events_of(staff.get(f"/jobs/{job}/events", headers={"Last-Event-ID": far}).text) == []
