"""Jobs outlive the service: stops, crashes, broken files, two services."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.requirements import require

require("server")

from api.jobs import FolderReductionBody, Job  # noqa: E402 - after the check for the extra
from api.store import FolderStore  # noqa: E402
from api.supervisor import MOST_CRASHES, Supervisor  # noqa: E402
from ingest.writers import write_ser  # noqa: E402
from reduction.errors import ResourceError  # noqa: E402
from tests.api.client import API, serving  # noqa: E402
from tests.api.executors import FILES, Scripted  # noqa: E402

BODY = {"input": "a.ser"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_ser(folder / "a.ser", list(np.random.default_rng(1).integers(0, 255, (4, 8, 8), np.uint8)))
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def state_file(home: Path) -> Path:
    (path,) = home.glob("jobs/*/job.json")
    return path


def test_finished_jobs_are_there_after_a_restart(data: Path, home: Path) -> None:
    with serving(data, home, Scripted()) as client:
        job = client.ask(BODY, key="k").json()["id"]
        before = client.ended(job)
    executor = Scripted()
    with serving(data, home, executor) as client:
        assert client.get(f"{API}/folder/jobs/{job}").json() == before
        assert client.get(f"{API}/folder/reductions/{job}/lightcurve.csv").text == FILES["lightcurve.csv"]
        assert client.ask(BODY).json()["id"] == job
        (data / "a.ser").touch()
        assert client.ask(BODY, key="k").json()["id"] == job
    assert not executor.seen


def test_stopped_jobs_are_begun_again(data: Path, home: Path) -> None:
    stopped = Scripted(hold=True)
    with serving(data, home, stopped) as client:
        running = client.ask(BODY).json()["id"]
        waiting = client.ask(BODY | {"plan": {"frame": 1}}).json()["id"]
        assert stopped.begun.wait(300)
        (home / "jobs" / running / ".umbra-left").mkdir()
    assert json.loads((home / "jobs" / running / "job.json").read_text())["status"] == "queued"
    executor = Scripted()
    with serving(data, home, executor) as client:
        assert client.ended(running)["status"] == "done"
        assert client.ended(waiting)["status"] == "done"
    assert len(executor.seen) == 2
    assert stopped.seen[0][1] != executor.seen[0][1], "a worker of the first attempt may still write"
    assert not (home / "jobs" / running / ".umbra-left").exists()


def crash(home: Path) -> None:
    """Leave the files as a service that was killed does."""
    path = state_file(home)
    state = json.loads(path.read_text())
    path.write_text(json.dumps(state | {"status": "running"}))


def test_a_job_that_ends_the_service_again_and_again_fails(data: Path, home: Path) -> None:
    with serving(data, home, Scripted(hold=True)) as client:
        job = client.ask(BODY).json()["id"]
    for _ in range(MOST_CRASHES - 1):
        crash(home)
        with serving(data, home, Scripted(hold=True)) as client:
            assert client.get(f"{API}/folder/jobs/{job}").json()["status"] in {"queued", "running"}
    crash(home)
    with serving(data, home, Scripted()) as client:
        view = client.get(f"{API}/folder/jobs/{job}").json()
        assert view["status"] == "failed"
        assert f"{MOST_CRASHES} times" in view["error"]["detail"]
        client.ask(BODY)
        assert client.ended(job)["status"] == "done"


def test_orderly_stops_are_no_crashes(data: Path, home: Path) -> None:
    for _ in range(MOST_CRASHES + 1):
        executor = Scripted(hold=True)
        with serving(data, home, executor) as client:
            job = client.ask(BODY).json()["id"]
            assert executor.begun.wait(300)
    with serving(data, home, Scripted()) as client:
        assert client.ended(job)["status"] == "done"


def test_an_input_that_went_away(data: Path, home: Path) -> None:
    with serving(data, home, Scripted(hold=True)) as client:
        job = client.ask(BODY).json()["id"]
    (data / "a.ser").rename(data / "b.ser")
    (data / "a.ser").symlink_to(home / "lock")
    executor = Scripted()
    with serving(data, home, executor) as client:
        view = client.ended(job)
    assert view["status"] == "failed"
    assert "leads out" in view["error"]["detail"]
    assert not executor.seen


def test_unacknowledged_and_broken_jobs(data: Path, home: Path) -> None:
    with serving(data, home, Scripted()) as client:
        client.ended(client.ask(BODY).json()["id"])
    half = home / "jobs" / ("0" * 32)
    half.mkdir()
    (half / ".job.json").write_text('{"id": "00')
    with serving(data, home, Scripted()):
        assert not half.exists()
    state_file(home).write_text("{")
    with pytest.raises(ResourceError, match=r"job\.json: cannot be read"), serving(data, home, Scripted()):
        pass


@pytest.fixture
def store(home: Path) -> Iterator[FolderStore]:
    home.mkdir()
    opened = FolderStore(home)
    yield opened
    opened.close()


def test_one_service_for_a_folder(store: FolderStore, home: Path) -> None:
    with pytest.raises(ResourceError, match="another Umbra service"):
        FolderStore(home)


def test_a_job_that_cannot_be_kept_is_not_accepted(
    data: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_store: FolderStore, job: Job) -> None:
        raise ResourceError(f"{job.id}: no space")

    executor = Scripted()
    with serving(data, home, executor) as client:
        with monkeypatch.context() as patch:
            patch.setattr(FolderStore, "save", full)
            answer = client.ask(BODY)
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
        assert client.get(f"{API}/health").json()["queued"] == 0
        assert not executor.seen
        assert client.ended(client.ask(BODY).json()["id"])["status"] == "done"


def test_a_service_that_stops_takes_no_more(store: FolderStore, data: Path) -> None:
    supervisor = Supervisor(store, Scripted(), data)
    supervisor.stopping.set()
    with pytest.raises(ResourceError, match="stopping"):
        supervisor.submit(FolderReductionBody(input="a.ser"))
