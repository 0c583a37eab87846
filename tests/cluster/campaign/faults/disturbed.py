"""A campaign that something happens to: its drivers, what is seen of it from outside, and how it must end."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cluster.campaign.gate import all_jobs, is_plan
from cluster.campaign.places import open_queue
from cluster.campaign.queue_cli import standings
from cluster.store import Store, open_store
from tests.cluster.campaign.faults.drive import SPAN_S, UPLOADED_S
from tests.cluster.campaign.faults.ground import LARGE, MANY, ROOT, Ground, Place, results

PATIENCE_S = 240.0
LOOK_S = 0.02


@dataclass(slots=True)
class Driver:
    """A process that runs the campaign; its events."""

    process: "subprocess.Popen[bytes]"
    out: Path
    err: Path

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """Its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not come to its end: {self.said()}") from None

    @property
    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.read_text().splitlines() if line.endswith("}")]

    def said(self) -> str:
        """All that it wrote, for messages."""
        return f"{self.out.read_text()}\n{self.err.read_text()}"


@dataclass(slots=True)
class Disturbed:
    """A campaign of the manifest `manifest`.

    Attributes
    ----------
    ray : str
        As ``--ray`` takes it.
    lost : int
        Workers that the fault took away: as many units of work may be redone.
    """

    ground: Ground
    folder: Path
    name: str
    place: Place
    ray: str = "none"
    manifest: str = "many"
    token: dict[str, str] = field(default_factory=dict)
    lost: int = 0
    drivers: list[Driver] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs, whatever became of the test."""
        for driver in self.drivers:
            with suppress(ProcessLookupError):
                os.killpg(driver.process.pid, signal.SIGKILL)
            driver.process.wait(30)

    @property
    def stations(self) -> tuple[str, ...]:
        return MANY if self.manifest == "many" else LARGE

    @property
    def trace(self) -> Path:
        return self.folder / "trace"

    @property
    def where(self) -> list[str]:
        """Store, campaign and queue as the verbs take them."""
        return [self.place.store, self.name] + (
            [] if self.place.jobs is None else ["--jobs", self.place.jobs]
        )

    def start(self, ray: str | None = None) -> Driver:
        """Start a driver: the same command each time, or elsewhere."""
        number = len(self.drivers)
        out, err = self.folder / f"out{number}", self.folder / f"err{number}"
        store, name, *jobs = self.where
        options = [
            str(self.ground.folder / f"{self.manifest}.csv"),
            "--store",
            store,
            "--campaign",
            name,
            *jobs,
        ]
        command = [sys.executable, "-m", "tests.cluster.campaign.faults.drive", str(self.trace)]
        command += ["campaign", "run", *options, "--ray", ray or self.ray, "--json"]
        if self.manifest == "large":
            scratch = self.folder / "scratch"
            scratch.mkdir(exist_ok=True)
            command += ["--workers", "2", "--scratch", str(scratch)]
        with out.open("wb") as to, err.open("wb") as fro:
            process = subprocess.Popen(
                command,
                stdout=to,
                stderr=fro,
                cwd=ROOT,
                env=self.ground.environment() | self.token,
                start_new_session=True,
            )
        self.drivers.append(Driver(process, out, err))
        return self.drivers[-1]

    def steer(self, verb: str) -> None:
        """Run another verb of the campaign."""
        command = [sys.executable, "-m", "umbra", "campaign", verb, *self.where]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=self.ground.environment())

    def told(self) -> list[tuple[str, str, int]]:
        """What was begun and ended, by whom."""
        text = self.trace.read_text() if self.trace.exists() else ""
        lines = (line.split() for line in text.splitlines())
        return [(what, name, int(pid)) for what, name, pid in lines]

    def _units(self) -> list[tuple[str, str, int]]:
        """What was told of the pieces that are handed to workers: recordings, or segments of a large one."""
        spans = self.manifest == "large" and self.ray != "none"
        return [(what, name, pid) for what, name, pid in self.told() if ("/" in name) != spans]

    def working(self) -> dict[int, str]:
        """Processes that have begun something and not ended it, with its name."""
        found: dict[int, str] = {}
        for what, name, pid in self._units():
            if what == "begun":
                found[pid] = name
            elif found.get(pid) == name:
                del found[pid]
        return {pid: name for pid, name in found.items() if Path(f"/proc/{pid}").exists()}

    def while_it_works(self, rng: random.Random) -> int:
        """Wait until some work was begun, not the last, and then a while; a process that works then.

        In one of three campaigns that is when a result is uploaded and not yet committed.
        """
        if self.manifest == "large":
            what, goal, longest_s = "begun", rng.randint(1, 8), SPAN_S
        elif rng.random() < 0.33:
            what, goal, longest_s = "uploaded", rng.randint(1, len(self.stations) - 1), UPLOADED_S
        else:
            what, goal, longest_s = (
                "begun",
                rng.randint(1, len(self.stations) - 1),
                self.ground.seconds,
            )
        delay = rng.uniform(0.0, longest_s)
        self.until(lambda: len(self._pids(what)) >= goal)
        time.sleep(delay)
        if what == "uploaded" and self._pids(what)[-1] in self.working():
            return self._pids(what)[-1]
        self.until(lambda: bool(self.working()))
        return rng.choice(sorted(self.working()))

    def _pids(self, what: str) -> list[int]:
        """Who told that, in the order of the times it was told."""
        told = self._units() if what == "begun" else self.told()
        return [pid for some, _, pid in told if some == what]

    def leading(self) -> int:
        """The worker that leads a large recording."""
        return next(pid for _, name, pid in self.told() if "/" in name)

    def until(self, seen: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not seen():
            driver = self.drivers[-1]
            assert driver.process.poll() is None, driver.said()
            assert time.monotonic() < ends, driver.said()
            time.sleep(LOOK_S)

    def open(self) -> Store:
        return open_store(self.place.store, make=False)

    def ends_well(self) -> None:
        """Wait until the latest driver has done everything."""
        assert self.drivers[-1].wait() == 0, self._said()

    def check(self) -> "Outcome":
        """It has ended as it would have undisturbed; what it cost."""
        store = self.open()
        self._each_job_once(store)
        found = results(store, self.name, self.stations, self.folder / "found")
        wanted = self.ground.undisturbed[self.manifest]
        assert {place for place in wanted if found.get(place) != wanted[place]} == set()
        orphans = self._no_orphan_is_seen(store)
        assert results(store, self.name, self.stations, self.folder / "after") == found
        return Outcome(self._redone(), orphans, len(self.drivers))

    def _each_job_once(self, store: Store) -> None:
        """Every job is done, its attempts follow each other, and the last one alone came to its end."""
        with open_queue(self.place.store, self.place.jobs, make=False) as queue:
            assert [standing.station for standing in standings(queue, self.name)] == list(self.stations)
            jobs = [job for job in all_jobs(queue, self.name) if not is_plan(job)]
            assert len(jobs) == len(self.stations)
            for job in jobs:
                assert job.state == "done", (job, self._said())
                attempts = queue.attempts(job.id)
                assert [one.number for one in attempts] == list(range(1, job.attempts + 1))
                assert [one.outcome for one in attempts].count("done") == 1, attempts
                assert attempts[-1].outcome == "done"
                assert all(one.outcome in {"failed", "died", "released"} for one in attempts[:-1]), attempts
                for one in attempts:
                    assert one.outcome == "released" or store.log(job.id, one.number), attempts
        keys = [store.versions(self.name, station) for station in self.stations]
        assert all(len(some) == 1 for some in keys), keys
        assert {commit.key for commit in store.published("results")} == {key for (key,) in keys}
        assert store.observations(self.name) == sorted(self.stations)

    def _no_orphan_is_seen(self, store: Store) -> int:
        """Whatever was left half done is found, is no part of any result, and goes; how much there was."""
        states = Counter(finding.state for finding in store.verify(deep=True))
        assert set(states) <= {"ok", "orphan"}, states
        store.collect(0.0)
        states_after = Counter(finding.state for finding in store.verify(deep=True))
        assert set(states_after) == {"ok"}, states_after
        return states["orphan"]

    def _redone(self) -> int:
        """Units of work that were begun again: recordings, or segments of a large one."""
        begun: Counter[str] = Counter()
        for what, name, _ in self._units():
            if what != "uploaded":
                begun[name.partition("/")[0]] += (what == "begun") - (what == "known")
        return sum(count - 1 for count in begun.values())

    def _said(self) -> str:
        return "\n\n".join(driver.said() for driver in self.drivers)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault cost.

    Attributes
    ----------
    redone : int
        Recordings, or segments of a large one, that were begun once more than there are.
    orphans : int
        Objects of uploads that nobody committed.
    runs : int
        How often the command was given.
    """

    redone: int
    orphans: int
    runs: int
