"""Results in the archive: the last of each recording, whole, or named as lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

from api.database.tables import new_id, now  # noqa: E402 - after the check for the extra
from api.fits.tables import Fit  # noqa: E402
from api.observations.tables import ObservationFile  # noqa: E402
from api.results.tables import Reduction, Result  # noqa: E402
from tests.api.bundles.served import Team, contents  # noqa: E402
from tests.api.client import Client, serving  # noqa: E402
from tests.api.executors import Scripted  # noqa: E402


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    with serving(folder / "data", folder / "home", Scripted()) as client:
        yield client


@pytest.fixture
def team(client: Client, tmp_path: Path) -> Team:
    return Team(client, tmp_path)


def reduced(team: Team, file: ObservationFile, version: int, files: dict[str, bytes]) -> str:
    """A version of a recording's result; its id."""
    key, folder = new_id() + new_id(), team.folder / new_id()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    team.store.publish("results", key, folder)
    owner, at = team.world.people["owner"].id, now()
    same: dict[str, Any] = {
        "campaign": team.campaign, "observation": team.observation, "person": owner, "key": key,
        "created": at,
    }  # fmt: skip
    reduction = Reduction(id=new_id(), file=file.id, line=0, asker=owner, priority=0, request={}, **same)
    team.world.add(reduction)
    result = Result(
        id=new_id(), reduction=reduction.id, version=version, edition="umbra 1", figures={}, **same
    )
    team.world.add(result)
    return result.id


CURVE = {"lightcurve.csv": b"frame,value\n0,1\n", "summary.json": b"{}", "figures/a b.png": b"\x89PNG"}


def test_the_last_result_of_each_recording(team: Team) -> None:
    first, second = team.add(b"1", "one.ser"), team.add(b"2", "two.ser")
    reduced(team, first, 1, {"lightcurve.csv": b"old"})
    reduced(team, first, 2, CURVE)
    reduced(team, second, 3, {"lightcurve.csv": b"two"})
    plain = contents(team.bundle(team.asked()).content)
    assert not any("/results/" in path for path in plain)
    view = team.asked(results=True)
    assert view["results"] is True
    files = contents(team.bundle(view).content)
    found = {path.partition("results/")[2]: content for path, content in files.items() if "/results/" in path}
    assert found == {
        **{f"one.ser v2/{name}": content for name, content in CURVE.items()},
        "two.ser v3/lightcurve.csv": b"two",
    }
    assert "the last reduction of each recording" in files["README.txt"].decode()
    ranged = team.bundle(view, Range="bytes=100-5000")
    assert ranged.content == team.bundle(view).content[100:5001]


def test_the_last_limb(team: Team) -> None:
    """Of two that were done; a third is still being computed."""
    folder = team.folder / "limb"
    folder.mkdir()
    for version, state in ((1, "done"), (2, "done"), (3, "running")):
        key = new_id() + new_id()
        (folder / "limb.json").write_bytes(b"%d" % version)
        if state == "done":
            team.store.publish("results", key, folder)
        row = Fit(
            id=new_id(), campaign=team.campaign, version=version, key=key, request={}, inputs={}, attempts=1,
            person=team.world.people["staff"].id, edition="umbra 1", state=state, outcome={}, created=now(),
            finished=now(),
        )  # fmt: skip
        team.world.add(row)
    files = contents(team.bundle(team.asked(results=True)).content)
    assert files["limb/limb.json"] == b"2"
    assert "1 files of the limb" in files["README.txt"].decode()
    assert json.loads(files["manifest.json"])["limb"][0]["version"] == 2
    assert not any(path.startswith("limb/") for path in contents(team.bundle(team.asked()).content))


def test_a_result_that_the_store_has_lost(team: Team) -> None:
    result = reduced(team, team.add(b"3", "three.ser"), 1, CURVE)
    with team.world.database.reading() as session:
        commit = team.store.find("results", session.get_one(Result, result).key)
    assert commit is not None
    team.store._objects.delete([team.store.object_of(commit, "summary.json")])
    refused = team.ask(results=True)
    assert refused.status_code == 409
    assert "results/three.ser v1/summary.json is not in the store any more" in refused.json()["detail"]
    assert team.ask().status_code == 201, "without results nothing is amiss"
    view = team.asked(results=True, missing="list")
    assert [one["name"] for one in view["absent"]] == ["results/three.ser v1/summary.json"]
    assert len([path for path in contents(team.bundle(view).content) if "/results/" in path]) == 2


def test_what_never_changes_is_sent_once(team: Team) -> None:
    """The file of a result, sent in many pieces, and its light curve as another program writes it."""
    result = reduced(team, team.add(b"4", "four.ser"), 1, CURVE)
    for name in ("files/lightcurve.csv", "lightcurve.csv"):
        path = f"/results/{result}/{name}"
        first = team.send("staff", "GET", path)
        assert first.content == CURVE["lightcurve.csv"]
        assert "immutable" in first.headers["Cache-Control"]
        etag = first.headers["ETag"]
        again = team.send("staff", "GET", path, headers={"If-None-Match": etag})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        assert "immutable" in again.headers["Cache-Control"]
        assert team.send("staff", "GET", path, headers={"If-None-Match": '"x"'}).content == first.content
