"""Batches: manifests of many lines, all or the sound ones, cancelled and retried as one."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from sqlalchemy import func, select, update  # noqa: E402 - after the check for the extra

from api.observations.tables import Observation  # noqa: E402
from api.results.following import Topic  # noqa: E402
from api.results.manifest import MOST_LINES, read_lines  # noqa: E402
from api.results.tables import Batch, Reduction  # noqa: E402
from api.results.transitions import BEGINNING, position_of  # noqa: E402
from cluster.executors import InProcess  # noqa: E402
from cluster.jobs.tables import JobRow  # noqa: E402
from reduction.errors import RequestError  # noqa: E402
from tests.api.access.world import World, make_world  # noqa: E402
from tests.api.client import Client, serving  # noqa: E402
from tests.api.results.things import ABSENT, Caller, events_of, file_of  # noqa: E402
from tests.fuzzing import COUNT, endure, mutations  # noqa: E402


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    with serving(folder / "data", folder / "home", InProcess()) as client:
        client.app.state.reducing.worker.close()  # jobs stay as the tests put them
        yield client


@pytest.fixture
def world(client: Client) -> World:
    return make_world(client.app.state.database)


def rows(world: World, table: type) -> int:
    with world.database.reading() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def put(world: World, jobs: list[str], **values: object) -> None:
    with world.database.writing() as session:
        session.execute(update(JobRow).where(JobRow.id.in_(jobs)).values(**values))


def ids_of(world: World, batch: str) -> list[str]:
    with world.database.reading() as session:
        found = select(Reduction.id).where(Reduction.batch == batch).order_by(Reduction.line)
        return list(session.scalars(found))


def lines_of(files: list[str]) -> str:
    return "".join(json.dumps({"file": file}) + "\n" for file in files)


def test_ten_thousand_lines_with_one_percent_bad(client: Client, world: World) -> None:
    row = file_of(world.strict["observation"], ABSENT)
    world.add(row)
    staff, campaign = Caller(client, world, "staff"), world.strict["campaign"]
    lines = [json.dumps({"file": row.id, "plan": {"frame": n}}) for n in range(MOST_LINES)]
    bad = sorted(random.Random(3).sample(range(MOST_LINES), 100))
    wrong = ['{"file": "x"}', "{", json.dumps({"file": row.id, "plan": {"aperture_px": -1}}), '{"plam": {}}']
    for n, line in enumerate(bad):
        lines[line] = wrong[n % 4]
    before = (rows(world, Reduction), rows(world, Batch), rows(world, JobRow))
    text = "\n".join(lines)
    dry = staff.batch(campaign, text, dry_run=True)
    assert dry.status_code == 200, dry.text
    assert dry.json()["lines"] == MOST_LINES - 100
    assert sorted({fault["line"] for fault in dry.json()["faults"]}) == [n + 1 for n in bad]
    refused = staff.batch(campaign, text)
    assert refused.status_code == 422
    assert len(refused.json()["errors"]) >= 100
    assert (rows(world, Reduction), rows(world, Batch), rows(world, JobRow)) == before
    key = {"Idempotency-Key": f"night-{campaign}"}
    views = [staff.batch(campaign, text, mode="partial", headers=key) for _ in range(3)]
    assert [view.status_code for view in views] == [202] * 3, views[0].text
    assert len({view.json()["id"] for view in views}) == 1
    view = views[0].json()
    assert view["total"] == MOST_LINES - 100
    assert len({fault["line"] for fault in view["faults"]}) == 100
    assert rows(world, JobRow) == before[2] + MOST_LINES - 100
    assert staff.batch(campaign, lines[1], headers=key).status_code == 422
    page = staff.get(f"/batches/{view['id']}/jobs", params={"limit": 200}).json()
    assert [item["line"] for item in page["items"]] == [n for n in range(1, 301) if n - 1 not in bad][:200]
    assert staff.post(f"/batches/{view['id']}:cancel").json() == {"jobs": MOST_LINES - 100}
    assert staff.get(f"/batches/{view['id']}").json()["counts"] == {"cancelled": MOST_LINES - 100}
    told = events_of(staff.get(f"/batches/{view['id']}/events").text)
    assert Counter(event["event"] for event in told) == {"queued": 9900, "cancelled": 9900}
    positions = [position_of(event["id"]) for event in told]
    assert positions == sorted(set(positions))
    middle = staff.get(f"/batches/{view['id']}/events", headers={"Last-Event-ID": told[14_321]["id"]})
    assert events_of(middle.text) == told[14_322:]


def test_retrying_runs_what_failed_and_nothing_else(client: Client, world: World) -> None:
    row = file_of(world.strict["observation"], ABSENT)
    world.add(row)
    staff = Caller(client, world, "staff")
    batch = staff.batch(world.strict["campaign"], lines_of([row.id] * 1000)).json()["id"]
    jobs = ids_of(world, batch)
    failed = random.Random(1).sample(jobs, 37)
    put(world, jobs, state="done", finished=1.0)
    put(world, failed, state="failed", failure="data", error="bad")
    listed = staff.get(f"/batches/{batch}/jobs", params={"state": "failed", "limit": 50}).json()
    assert {item["id"] for item in listed["items"]} == set(failed)
    assert staff.post(f"/batches/{batch}:retry-failed").json() == {"jobs": 37}
    assert staff.get(f"/batches/{batch}").json()["counts"] == {"done": 963, "queued": 37}
    with world.database.reading() as session:
        queued = select(JobRow.id).where(JobRow.state == "queued", JobRow.id.in_(jobs))
        assert set(session.scalars(queued)) == set(failed)


def test_a_table_says_the_same_as_lines(client: Client, world: World) -> None:
    row, dark = file_of(world.strict["observation"], ABSENT), file_of(world.strict["observation"], ABSENT)
    world.add(row, dark)
    table = (
        "file,dark,target,references,plan.aperture_px,times.start_utc,times.cadence_s,calibration,plan\n"
        f'{row.id},{dark.id},"60.4,55.2","1,2;3,4",4.5,2026-03-14T21:17:00Z,0.04,no,"{{""frame"": 7}}"\n'
    )
    plan = {
        "target": {"x": 60.4, "y": 55.2},
        "references": [{"x": 1, "y": 2}, {"x": 3, "y": 4}],
        "aperture_px": 4.5,
        "frame": 7,
    }
    line = {
        "file": row.id, "dark": dark.id, "plan": plan, "calibration": False,
        "times": {"start_utc": "2026-03-14T21:17:00Z", "cadence_s": 0.04},
    }  # fmt: skip
    (of_table,), none = read_lines(table, "csv")
    (of_line,), _ = read_lines(json.dumps(line), "jsonl")
    assert none == []
    assert of_table.ask == of_line.ask
    staff = Caller(client, world, "staff")
    assert staff.batch(world.strict["campaign"], table, "text/csv").status_code == 202
    assert staff.batch(world.strict["campaign"], table, "text/plain").status_code == 415
    assert staff.batch(world.strict["campaign"], "", "text/csv").status_code == 422
    assert staff.batch(world.strict["campaign"], "file,apperture\n", "text/csv").status_code == 422


def test_whose_files_a_batch_may_name(client: Client, world: World) -> None:
    """Files of another campaign, or of another person for one who may reduce their own, are not there."""
    mine, others = file_of(world.open["observation"], ABSENT), file_of(world.strict["observation"], ABSENT)
    world.add(mine, others)
    others_here = select(Observation.id).where(
        Observation.campaign == world.open["campaign"], Observation.id != world.open["observation"]
    )
    with world.database.reading() as session:
        of_participant = session.scalars(others_here).one()
    theirs = file_of(of_participant, ABSENT)
    world.add(theirs)
    text, campaign = lines_of([mine.id, others.id, theirs.id]), world.open["campaign"]
    reducer = Caller(client, world, "reducer").batch(campaign, text, dry_run=True)
    assert [fault["line"] for fault in reducer.json()["faults"]] == [2, 3]
    staff = Caller(client, world, "staff").batch(campaign, text, dry_run=True)
    assert [fault["line"] for fault in staff.json()["faults"]] == [2]
    assert Caller(client, world, "observer").batch(campaign, text).status_code == 404
    assert Caller(client, world, "owner").batch(world.strict["campaign"], text).status_code in {403, 404}


def test_five_hundred_listeners_hear_each_move_once_and_in_order(client: Client, world: World) -> None:
    row = file_of(world.strict["observation"], ABSENT)
    world.add(row)
    staff = Caller(client, world, "staff")
    batch = staff.batch(world.strict["campaign"], lines_of([row.id] * 8)).json()["id"]
    jobs = ids_of(world, batch)
    following = client.app.state.reducing.following

    async def listen(number: int) -> list[tuple[str, str]]:
        heard: list[tuple[str, str]] = []
        after = BEGINNING
        while len(heard) < 24:  # some are cut, and come back with the last that they heard
            topic = Topic(batch=batch)
            async for move in following.follow(topic, after):
                heard.append((move.job, move.state))
                after = move.position
                if number % 3 == 0 and len(heard) % 5 == 0:
                    break
        return heard

    async def all_of_it() -> list[list[tuple[str, str]]]:
        listeners = [asyncio.create_task(listen(number)) for number in range(500)]
        await asyncio.sleep(1.0)
        for state in ("running", "done"):
            for job in jobs:
                await asyncio.to_thread(put, world, [job], state=state)
                await asyncio.sleep(0.05)
        return await asyncio.gather(*listeners)

    heard = client.run(all_of_it())
    expected = [(job, state) for state in ("queued", "running", "done") for job in jobs]
    assert all(each == expected for each in heard)


def test_mutated_inputs_of_manifests(tmp_path: Path) -> None:
    table = (
        b'file,target,plan.aperture_px,plan\n5e0f2c7a9b1d4e6f8a0b1c2d3e4f5a6b,"1,2",4.5,"{""frame"": 7}"\n'
    )
    line = b'{"file": "5e0f2c7a9b1d4e6f8a0b1c2d3e4f5a6b", "plan": {"frame": 4}, "times": {"cadence_s": 1}}\n'

    def read(path: Path) -> None:
        text = path.read_bytes().decode(errors="surrogateescape")
        for form in ("csv", "jsonl"):
            try:
                lines, faults = read_lines(text, form)
            except RequestError as error:
                raise RequestError(f"{path.name}: {error}") from error
            assert all(line.ask.file for line in lines)
            assert all(fault.reason for fault in faults)

    endure(tmp_path / "m", mutations([table, line], COUNT, 200), read, "batch manifest")
