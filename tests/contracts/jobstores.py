"""What every queue must do. A subclass gives the fixtures `store` and `clock`."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster.jobs.job import Claim, FencedError, Order
from cluster.jobs.sql import SqlJobStore


class Clock:
    """Instants that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def orders(count: int, owner: str = "ann", campaign: str = "c", first: int = 0) -> list[Order]:
    return [Order(f"{owner}-{i}", f'{{"n": {i}}}', owner, campaign) for i in range(first, first + count)]


def one(store: SqlJobStore, worker: str = "w") -> Claim:
    (claim,) = store.claim(worker, 30.0)
    return claim


class JobStoreContract:
    def test_a_job_from_submission_to_result(self, store: SqlJobStore, clock: Clock) -> None:
        assert store.submit(orders(1)) == [True]
        clock.seconds += 5
        claim = one(store)
        assert (claim.id, claim.payload, claim.attempt, claim.until) == ("ann-0", '{"n": 0}', 1, 1035.0)
        clock.seconds += 5
        store.finish(claim, "results/1", "logs/1")
        job = store.get("ann-0")
        assert (job.state, job.result, job.submitted, job.started, job.finished) == (
            "done", "results/1", 1000.0, 1005.0, 1010.0,
        )  # fmt: skip
        (attempt,) = store.attempts("ann-0")
        assert (attempt.outcome, attempt.worker, attempt.log, attempt.finished) == (
            "done", "w", "logs/1", 1010.0,
        )  # fmt: skip
        assert store.claim("w", 30.0) == []
        assert store.counts() == {"done": 1}

    def test_the_same_again_is_the_same_job(self, store: SqlJobStore) -> None:
        twice = [*orders(1200), *orders(3)]
        assert store.submit(twice) == [True] * 1200 + [False] * 3
        assert store.submit(orders(1201)) == [False] * 1200 + [True]
        assert store.counts() == {"queued": 1201}

    def test_an_unknown_job(self, store: SqlJobStore) -> None:
        with pytest.raises(KeyError):
            store.get("nobody")
        assert store.attempts("nobody") == []

    def test_priority_goes_first_then_who_was_served_least_then_age(self, store: SqlJobStore) -> None:
        store.submit(orders(4, "ann"))
        store.submit(orders(2, "bob"))
        store.submit([Order("urgent", "", "bob", priority=5)])
        taken = [claim.id for _ in range(4) for claim in store.claim("w", 30.0, 2)]
        # bob was served when his urgent one went first; from then on they take turns
        assert taken == ["urgent", "ann-0", "ann-1", "bob-0", "ann-2", "bob-1", "ann-3"]

    def test_a_newcomer_neither_waits_for_all_nor_overtakes_for_long(self, store: SqlJobStore) -> None:
        store.submit(orders(40, "ann"))
        assert len(store.claim("w", 30.0, 20)) == 20
        store.submit(orders(40, "bob"))
        served = Counter(claim.owner for claim in store.claim("w", 30.0, 20))
        assert served == {"ann": 10, "bob": 10}

    def test_who_was_idle_saves_nothing_up(self, store: SqlJobStore) -> None:
        store.submit(orders(1, "bob"))
        store.finish(one(store), "r")
        store.submit(orders(50, "ann"))
        store.claim("w", 30.0, 30)
        store.submit(orders(20, "bob", first=1))
        served = Counter(claim.owner for claim in store.claim("w", 30.0, 10))
        assert served == {"ann": 5, "bob": 5}

    def test_a_silent_worker_loses_its_job_and_may_not_publish(
        self, store: SqlJobStore, clock: Clock
    ) -> None:
        store.submit(orders(1))
        stale = one(store, "asleep")
        clock.seconds += 29
        assert store.expire(3) == []
        clock.seconds += 2
        assert store.expire(3) == ["ann-0"]
        fresh = one(store, "awake")
        assert fresh.attempt == 2
        assert store.renew([stale, fresh], 30.0) == {"ann-0": False}
        with pytest.raises(FencedError):
            store.finish(stale, "old")
        with pytest.raises(FencedError):
            store.fail(stale, "data", "broken")
        with pytest.raises(FencedError):
            store.release(stale)
        store.finish(fresh, "new")
        with pytest.raises(FencedError):
            store.finish(stale, "new")
        assert store.get("ann-0").result == "new"
        assert [(a.worker, a.outcome) for a in store.attempts("ann-0")] == [
            ("asleep", "died"),
            ("awake", "done"),
        ]

    def test_late_but_not_replaced_it_may_still_publish(self, store: SqlJobStore, clock: Clock) -> None:
        store.submit(orders(1))
        claim = one(store)
        clock.seconds += 100
        store.finish(claim, "r")
        assert store.expire(3) == []
        assert store.get("ann-0").state == "done"

    def test_renewal_keeps_a_job(self, store: SqlJobStore, clock: Clock) -> None:
        store.submit(orders(2))
        claims = store.claim("w", 30.0, 2)
        for _ in range(5):
            clock.seconds += 20
            assert store.renew(claims, 30.0) == {"ann-0": False, "ann-1": False}
            assert store.expire(3) == []

    def test_a_job_over_which_workers_die_fails_in_the_end(self, store: SqlJobStore, clock: Clock) -> None:
        store.submit(orders(1))
        for worker in ("a", "b", "c"):
            one(store, worker)
            clock.seconds += 31
            store.expire(3)
        job = store.get("ann-0")
        assert (job.state, job.failure, job.deaths) == ("failed", "crash", 3)
        assert job.error is not None
        assert "3 workers fell silent" in job.error
        assert "the last was c" in job.error

    def test_the_answer_to_an_end_may_be_lost(self, store: SqlJobStore) -> None:
        store.submit(orders(3))
        done, failed, again = store.claim("w", 30.0, 3)
        for _ in range(2):
            store.finish(done, "r")
            store.fail(failed, "data", "broken")
            store.release(again)
        with pytest.raises(FencedError):
            store.finish(done, "another")
        with pytest.raises(FencedError):
            store.fail(done, "data", "x")
        assert store.counts() == {"done": 1, "failed": 1, "queued": 1}

    def test_a_failure_and_its_retry_keep_place_and_logs(self, store: SqlJobStore) -> None:
        store.submit(orders(3))
        first, second, _ = store.claim("w", 30.0, 3)
        store.fail(first, "data", "no stars", "logs/1")
        store.finish(second, "r")
        assert store.get("ann-0").failure == "data"
        assert store.retry(campaign="c") == ["ann-0"]
        again = one(store)
        assert (again.id, again.attempt) == ("ann-0", 2)
        store.finish(again, "r", "logs/2")
        job = store.get("ann-0")
        assert (job.place, job.state, job.error, job.failure) == (1, "done", None, None)
        assert [a.log for a in store.attempts("ann-0")] == ["logs/1", "logs/2"]

    def test_a_job_whose_result_is_gone_is_done_again(self, store: SqlJobStore) -> None:
        store.submit(orders(3))
        first, second, _ = store.claim("w", 30.0, 3)
        store.finish(first, "r", "logs/1")
        store.fail(second, "data", "no stars")
        assert store.redo(["ann-0", "ann-1", "ann-2", "nobody"]) == ["ann-0"]
        assert (store.get("ann-0").state, store.get("ann-0").result) == ("queued", None)
        again = one(store)
        assert (again.id, again.attempt) == ("ann-0", 2)
        store.finish(again, "r")
        assert store.get("ann-0").result == "r"
        assert [a.outcome for a in store.attempts("ann-0")] == ["done", "done"]

    def test_a_resource_that_is_missing_is_waited_for(self, store: SqlJobStore, clock: Clock) -> None:
        store.submit(orders(1))
        store.fail(one(store), "resource", "disk full", again_after_s=60.0)
        assert store.get("ann-0").state == "queued"
        assert store.claim("w", 30.0) == []
        clock.seconds += 61
        assert one(store).attempt == 2

    def test_cancelling(self, store: SqlJobStore) -> None:
        store.submit(orders(4))
        running, finishing = store.claim("w", 30.0, 2)
        assert store.cancel(campaign="c") == 4
        assert store.cancel(campaign="c") == 0
        assert store.counts() == {"cancelled": 2, "running": 2}
        assert store.renew([running, finishing], 30.0) == {"ann-0": True, "ann-1": True}
        store.release(running)
        store.finish(finishing, "r")  # it was done before it noticed
        assert [job.state for job in store.jobs()] == ["cancelled", "done", "cancelled", "cancelled"]
        assert not store.get("ann-0").cancelling
        assert store.retry(["ann-2", "ann-1"]) == ["ann-2"]

    def test_a_worker_that_dies_while_its_job_is_cancelled(self, store: SqlJobStore, clock: Clock) -> None:
        store.submit(orders(1))
        one(store)
        store.cancel(["ann-0"])
        clock.seconds += 31
        assert store.expire(3) == ["ann-0"]
        assert store.get("ann-0").state == "cancelled"

    def test_holding_a_campaign(self, store: SqlJobStore) -> None:
        store.submit(orders(2))
        store.submit(orders(1, "bob", "other"))
        assert store.hold("c") == 2
        assert [claim.id for claim in store.claim("w", 30.0, 5)] == ["bob-0"]
        assert store.resume("c") == 2
        assert len(store.claim("w", 30.0, 5)) == 2

    def test_lists_by_campaign_and_state_page_by_page(self, store: SqlJobStore) -> None:
        store.submit(orders(5))
        store.submit(orders(2, "bob", "other"))
        store.cancel(["ann-1"])
        page = store.jobs("c", limit=2)
        assert [job.id for job in page] == ["ann-0", "ann-1"]
        assert [job.id for job in store.jobs("c", after=page[-1].place)] == ["ann-2", "ann-3", "ann-4"]
        assert [job.id for job in store.jobs(states=["cancelled"])] == ["ann-1"]
        assert store.counts("other") == {"queued": 2}

    def test_many_claimers_take_each_job_once(self, store: SqlJobStore) -> None:
        store.submit(orders(120, "ann"))
        store.submit(orders(80, "bob"))
        start = threading.Barrier(64)

        def take(number: int) -> list[str]:
            start.wait()
            mine: list[str] = []
            while claims := store.claim(f"w{number}", 60.0, 2):
                mine += [claim.id for claim in claims]
            return mine

        with ThreadPoolExecutor(64) as pool:
            taken = [job for jobs in pool.map(take, range(64)) for job in jobs]
        assert len(taken) == len(set(taken)) == 200
        assert store.counts() == {"running": 200}

    def test_ten_thousand_sent_three_times(self, store: SqlJobStore) -> None:
        for sent in range(3):
            assert sum(store.submit(orders(10_000))) == (10_000 if sent == 0 else 0)
        assert store.counts() == {"queued": 10_000}
        assert [claim.id for claim in store.claim("w", 30.0, 3)] == ["ann-0", "ann-1", "ann-2"]

    def test_a_thousand_at_work_or_waiting_are_cancelled(self, store: SqlJobStore) -> None:
        store.submit(orders(1000))
        claims = store.claim("w", 30.0, 100)
        assert store.cancel(campaign="c") == 1000
        assert store.counts() == {"running": 100, "cancelled": 900}
        assert store.renew(claims, 30.0) == {claim.id: True for claim in claims}

    def test_just_the_failed_are_tried_again(self, store: SqlJobStore) -> None:
        store.submit(orders(200))
        claims = store.claim("w", 30.0, 200)
        broken = {claim.id for claim in claims[::6]}
        for claim in claims:
            if claim.id in broken:
                store.fail(claim, "data", "broken", f"logs/{claim.id}")
            else:
                store.finish(claim, "r")
        assert set(store.retry(campaign="c")) == broken
        assert {claim.id for claim in store.claim("w", 30.0, 200)} == broken
