"""Cancelling and retrying by the commands, while a supervisor works."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cluster.campaign import supervisor as supervisor_module
from cluster.campaign.account import Account
from cluster.campaign.cli import campaign as command
from cluster.campaign.orders import Work
from cluster.campaign.queue_cli import standings
from cluster.jobs.job import Claim
from cluster.store import open_store
from reduction.errors import DataError
from tests import postgres
from tests.cluster.campaign.steered import Endless, queue_of, supervise
from tests.requirements import require

MANY = 1000


class Failing(Endless):
    """Hands that fail the stations that they are told to, with a log of each attempt."""

    def __init__(self, store: str, broken: set[str]) -> None:
        super().__init__()
        self._store, self._broken = open_store(store), broken
        self.done: list[str] = []

    def perform(self, *order: Any) -> Account:
        work: Work = order[0]
        claim: Claim = order[1]
        self.done.append(work.station)
        if work.station in self._broken:
            raise DataError(f"{work.station}: broken")
        folder = Path(work.request.inputs[0]).parent / f"out-{claim.id}"
        folder.mkdir()
        (folder / "name").write_text(work.station)
        self._store.publish("results", work.key, folder, claim.attempt)
        return Account(work.key, 1, 0.1, 0.1, self._store.put_log(claim.id, claim.attempt, "done\n"))


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """A store and its queue, as the commands take them."""
    with ExitStack() as closing:
        jobs: list[str] = []
        if request.param == "postgres":
            require("postgres")
            jobs = ["--jobs", closing.enter_context(postgres.fresh())]
        yield [str(tmp_path / "store"), "c", *jobs]


def test_a_thousand_that_run_and_wait_are_cancelled(
    where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hands, counts = Endless(), Counter[str]()
    stations = [f"s{number}" for number in range(MANY)]
    running = threading.Thread(target=lambda: counts.update(supervise(tmp_path, where, hands, stations)))
    running.start()
    for _ in range(hands.slots):
        assert hands.busy.acquire(timeout=300.0)
    assert command(["cancel", *where, "--json"]) == 0
    running.join(300.0)
    assert not running.is_alive()
    assert counts == {"cancelled": MANY}
    said = json.loads(capsys.readouterr().out)
    assert hands.slots <= said["cancelled"] <= MANY + 1  # those planned by then, and the planning itself
    with queue_of(where) as queue:
        found = standings(queue, "c")
        assert {standing.job.state for standing in found} == {"cancelled"}
        begun = [standing.job for standing in found if standing.job.attempts]
        assert len(begun) == hands.slots
        assert {one.outcome for job in begun for one in queue.attempts(job.id)} == {"cancelled"}


def test_just_the_failed_are_run_again_and_logs_stay(
    where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "IDLE_S", 0.02)
    stations = [f"s{number}" for number in range(20)]
    first = Failing(where[0], set(stations[::5]))
    assert supervise(tmp_path, where, first, stations) == {"done": 16, "failed": 4}
    with queue_of(where) as queue:
        jobs = {standing.station: standing.job for standing in standings(queue, "c")}
        assert queue.redo([jobs["s1"].id]) == [jobs["s1"].id]
        assert queue.cancel([jobs["s1"].id]) == 1
    assert command(["retry-failed", *where]) == 0
    assert "4 jobs queued" in capsys.readouterr().out
    second = Failing(where[0], set())
    assert supervise(tmp_path, where, second, stations) == {"done": 19, "cancelled": 1}
    assert sorted(second.done) == sorted(stations[::5])
    store = open_store(where[0])
    for station in stations[::5]:
        logs = [store.log(jobs[station].id, number) for number in (1, 2)]
        assert logs == [f"{station}: {station}: broken\n", "done\n"]
    assert command(["retry-failed", *where, "--cancelled"]) == 0
    assert "1 job queued" in capsys.readouterr().out
