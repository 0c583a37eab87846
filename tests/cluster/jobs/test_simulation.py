"""The queue against the simplest thing that could be right, through random histories."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cluster.jobs.database import Database
from cluster.jobs.job import Claim, FencedError, Order
from cluster.jobs.sql import SqlJobStore
from tests.contracts.jobstores import Clock

LEASE_S = 30.0
MOST_DEATHS = 3
JOBS = st.integers(0, 7)


@dataclass
class Simple:
    """What is known of one job."""

    state: str = "queued"
    attempts: int = 0
    deaths: int = 0
    until: float = 0.0
    cancelling: bool = False
    published: list[str] = field(default_factory=list)


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.store = SqlJobStore(Database(Path(self.folder.name) / "q.db", clock=self.clock))
        self.model: dict[str, Simple] = {}
        self.claims: list[Claim] = []

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def holds(self, claim: Claim) -> bool:
        job = self.model[claim.id]
        return job.state == "running" and job.attempts == claim.attempt

    @rule(number=JOBS, owner=st.sampled_from(["ann", "bob"]))
    def submit(self, number: int, owner: str) -> None:
        name = f"{owner}{number}"
        assert self.store.submit([Order(name, "", owner)]) == [name not in self.model]
        self.model.setdefault(name, Simple())

    @rule(most=st.integers(1, 4))
    def claim(self, most: int) -> None:
        waiting = sum(job.state == "queued" for job in self.model.values())
        claims = self.store.claim("w", LEASE_S, most)
        assert len(claims) == min(most, waiting)
        for claim in claims:
            job = self.model[claim.id]
            assert job.state == "queued"
            job.state, job.attempts = "running", job.attempts + 1
            job.until, job.cancelling = self.clock() + LEASE_S, False
            assert claim.attempt == job.attempts
        self.claims += claims

    @rule(seconds=st.sampled_from([1.0, 10.0, 31.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @rule()
    def expire(self) -> None:
        silent = {k for k, j in self.model.items() if j.state == "running" and j.until < self.clock()}
        assert set(self.store.expire(MOST_DEATHS)) == silent
        for name in silent:
            job = self.model[name]
            job.deaths += 1
            job.state = "failed" if job.deaths >= MOST_DEATHS else "queued"
            if job.cancelling:
                job.state = "cancelled"

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from(["finish", "fail", "release", "renew"]))
    def end(self, data: st.DataObject, how: str) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        job, held = self.model[claim.id], self.holds(claim)
        if how == "renew":
            assert self.store.renew([claim], LEASE_S) == ({claim.id: job.cancelling} if held else {})
            job.until = self.clock() + LEASE_S if held else job.until
            return
        result = f"{claim.id}/{claim.attempt}"
        try:
            if how == "finish":
                self.store.finish(claim, result)
            elif how == "fail":
                self.store.fail(claim, "data", "broken")
            else:
                self.store.release(claim)
        except FencedError:
            assert not held
            return
        if not held:
            return  # the same end a second time
        if how == "finish":
            job.state = "done"
            job.published.append(result)
        elif how == "fail":
            job.state = "failed"
        else:
            job.state = "cancelled" if job.cancelling else "queued"

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        job = self.model[name]
        open_ones = job.state == "queued" or (job.state == "running" and not job.cancelling)
        assert self.store.cancel([name]) == int(open_ones)
        if job.state == "queued":
            job.state = "cancelled"
        elif job.state == "running":
            job.cancelling = True

    @rule()
    def retry(self) -> None:
        again = {name for name, job in self.model.items() if job.state in {"failed", "cancelled"}}
        assert set(self.store.retry()) == again
        for name in again:
            self.model[name].state, self.model[name].deaths = "queued", 0

    @invariant()
    def states_agree(self) -> None:
        kept = {job.id: (job.state, job.attempts) for job in self.store.jobs()}
        assert kept == {name: (job.state, job.attempts) for name, job in self.model.items()}

    @invariant()
    def nothing_is_published_twice(self) -> None:
        for name, job in self.model.items():
            assert len(job.published) <= 1
            assert self.store.get(name).result == (job.published[0] if job.published else None)


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
