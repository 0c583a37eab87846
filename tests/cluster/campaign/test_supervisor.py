"""The supervisor, with hands that do as they are told instead of reducing."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.campaign import supervisor as supervisor_module
from cluster.campaign.account import KIND, Account
from cluster.campaign.digests import Digests
from cluster.campaign.events import Silent
from cluster.campaign.manifest import read_manifest
from cluster.campaign.orders import Work
from cluster.campaign.places import open_queue
from cluster.campaign.planning import Planning
from cluster.campaign.queue_cli import standings
from cluster.campaign.supervisor import Supervisor
from cluster.jobs.database import Database
from cluster.jobs.job import Claim
from cluster.jobs.sql import SqlJobStore
from cluster.stopping import DiedError
from cluster.store import Store, open_store
from cluster.store.published import ObjectStore
from reduction.errors import DataError, ResourceError
from reduction.scan import Progress
from tests import postgres
from tests.requirements import require

Deed = Callable[[int], None]
"""What a station's recording does, given the number of the try."""


class Stub:
    """Hands that publish a file of the station's name."""

    workers = 2
    slots = 4

    def __init__(self, store: Store, deeds: dict[str, Deed] | None = None) -> None:
        self._store, self.deeds = store, deeds or {}
        self.started = 0
        self.done: Counter[str] = Counter()
        self.closed = threading.Event()

    def start(self, check: Callable[[], None] | None = None) -> None:  # noqa: ARG002 - as `Hands` has it
        self.started += 1

    def perform(self, work: Work, claim: Claim, report: Progress, check: Callable[[], None]) -> Account:
        self.done[work.station] += 1
        report("measure", 1, 2)
        if work.station == "endless":
            while True:
                check()
                self.closed.wait(0.01)
        self.deeds.get(work.station, doing(int))(self.done[work.station])
        folder = Path(work.request.inputs[0]).parent / f"out-{claim.id[:8]}-{claim.attempt}"
        folder.mkdir()
        (folder / "name").write_text(work.key)
        self._store.publish(KIND, work.key, folder, claim.attempt)
        return Account(work.key, 10, 0.1, 0.1, self._store.put_log(claim.id, claim.attempt, "done\n"))

    def close(self) -> None:
        self.closed.set()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "AGAIN_S", (0.0,))
    monkeypatch.setattr(supervisor_module, "IDLE_S", 0.02)
    monkeypatch.setattr(supervisor_module, "TURN_S", 0.02)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store")


@pytest.fixture
def queue(tmp_path: Path, store: Store) -> Iterator[SqlJobStore]:
    assert store.url
    with open_queue(str(tmp_path / "store"), None) as queue:
        yield queue


class Campaign:
    """A campaign of stations whose recordings are files of their names."""

    def __init__(self, folder: Path, queue: SqlJobStore, store: Store) -> None:
        self.folder, self.queue, self.store = folder, queue, store
        self.events: list[tuple[str, str]] = []
        self.log = Silent()

    def run(self, hands: Stub, *stations: str) -> Counter[str]:
        """Run it; how many observations ended how."""
        for station in stations:
            path = self.folder / f"{station}.ser"
            if not path.exists():
                path.write_bytes(station.encode())
        lines = [f"{station},{station}.ser" for station in stations]
        (self.folder / "m.csv").write_text("station,input\n" + "\n".join(lines) + "\n")
        read = read_manifest(self.folder / "m.csv")
        self.log = Silent()
        supervisor = Supervisor(self.queue, self.store, hands, "c", self.log)
        planning = Planning(read.observations, self.store.url, Digests(None))
        try:
            counts = supervisor.run(planning, len(stations))
        finally:
            supervisor.close()
            planning.close()
            self.events = [(event.kind, event.station) for event in self.log.events]
        return Counter({str(kind): count for kind, count in counts.items()})

    def states(self) -> dict[str, str]:
        return {standing.station: standing.job.state for standing in standings(self.queue, "c")}


@pytest.fixture
def campaign(tmp_path: Path, queue: SqlJobStore, store: Store) -> Campaign:
    return Campaign(tmp_path, queue, store)


def raising(error: Exception, times: int = 10**6) -> Deed:
    """A deed that raises on its first tries."""

    def deed(number: int) -> None:
        if number <= times:
            raise error

    return deed


def doing(work: Callable[[], object]) -> Deed:
    """A deed that does something else on each try."""

    def deed(_: int) -> None:
        work()

    return deed


def test_a_campaign_is_done_once(campaign: Campaign, store: Store) -> None:
    hands = Stub(store)
    names = [f"s{number}" for number in range(20)]
    assert campaign.run(hands, *names) == {"done": 20}
    assert set(hands.done.values()) == {1}
    assert campaign.states() == dict.fromkeys(names, "done")
    for name in names:
        (key,) = store.versions("c", name)
        assert store.find(KIND, key) is not None
    again = Stub(store)
    assert campaign.run(again, *names) == {"done": 20}
    assert (again.started, again.done) == (0, Counter())
    assert {kind for kind, _ in campaign.events} == {"done"}
    assert all(event.before for event in campaign.log.events)


def test_a_change_makes_a_new_version_and_leaves_the_others(
    campaign: Campaign, store: Store, tmp_path: Path
) -> None:
    campaign.run(Stub(store), "a", "b")
    (tmp_path / "a.ser").write_bytes(b"other")
    hands = Stub(store)
    campaign.run(hands, "a", "b")
    assert hands.done == {"a": 1}
    assert len(store.versions("c", "a")) == 2
    assert len(store.versions("c", "b")) == 1


def test_data_fail_alone_and_are_never_tried_again(campaign: Campaign, store: Store) -> None:
    hands = Stub(store, {"bad": raising(DataError("bad.ser: frame 3 is short"))})
    assert campaign.run(hands, "a", "bad", "b") == {"done": 2, "failed": 1}
    assert hands.done == {"a": 1, "bad": 1, "b": 1}
    (job,) = [standing.job for standing in standings(campaign.queue, "c") if standing.station == "bad"]
    assert (job.failure, job.error, job.attempts) == ("data", "bad.ser: frame 3 is short", 1)
    again = Stub(store)
    assert campaign.run(again, "a", "bad", "b") == {"done": 2, "failed": 1}
    assert not again.done


@pytest.mark.parametrize(
    ("error", "failure"), [(DiedError("its worker died"), "crash"), (ResourceError("disk full"), "resource")]
)
def test_what_may_pass_is_tried_again_and_then_fails(
    campaign: Campaign, store: Store, error: Exception, failure: str
) -> None:
    hands = Stub(store, {"twice": raising(error, 2), "always": raising(error)})
    assert campaign.run(hands, "twice", "always") == {"done": 1, "failed": 1}
    assert hands.done == {"twice": 3, "always": supervisor_module.RETRIES + 1}
    jobs = {standing.station: standing.job for standing in standings(campaign.queue, "c")}
    assert (jobs["twice"].state, jobs["twice"].attempts) == ("done", 3)
    assert jobs["always"].failure == failure
    logs = [store.log(jobs["twice"].id, number) or "" for number in (1, 2, 3)]
    assert [str(error) in log for log in logs] == [True, True, False]


def test_what_nobody_explains_fails_alone_without_retries(campaign: Campaign, store: Store) -> None:
    hands = Stub(store, {"odd": raising(ZeroDivisionError("a bug"))})
    assert campaign.run(hands, "odd", "a") == {"done": 1, "failed": 1}
    (job,) = [standing.job for standing in standings(campaign.queue, "c") if standing.station == "odd"]
    assert (job.failure, job.error) == ("crash", "ZeroDivisionError: a bug")
    assert hands.done["odd"] == 1


def test_retry_failed_runs_exactly_those(campaign: Campaign, store: Store) -> None:
    names = [f"s{number}" for number in range(9)]
    bad = {name: raising(DataError("no")) for name in names[::3]}
    campaign.run(Stub(store, bad), *names)
    failed = [
        standing.job.id for standing in standings(campaign.queue, "c") if standing.job.state == "failed"
    ]
    assert len(campaign.queue.retry(failed)) == 3
    hands = Stub(store)
    assert campaign.run(hands, *names) == {"done": 9}
    assert set(hands.done) == set(names[::3])


def test_a_result_that_was_removed_is_made_again(campaign: Campaign, store: Store, tmp_path: Path) -> None:
    campaign.run(Stub(store), "a", "b")
    (key,) = store.versions("c", "a")
    shutil.rmtree(tmp_path / "store" / "results" / key)
    hands = Stub(store)
    assert campaign.run(hands, "a", "b") == {"done": 2}
    assert hands.done == {"a": 1}
    assert store.versions("c", "a") == [key]
    store.fetch(KIND, key, tmp_path / "fetched")


def test_whoever_finds_a_silent_supervisors_jobs_logs_it(
    campaign: Campaign, store: Store, tmp_path: Path
) -> None:
    hands = Stub(store, {"a": doing(lambda: campaign.queue.hold("c"))})
    hands.slots = 1
    campaign.run(hands, "a", "b")
    campaign.queue.resume("c")
    (job,) = [standing.job.id for standing in standings(campaign.queue, "c") if standing.station == "b"]
    assert campaign.queue.claim("somebody", 0.0, jobs=[job])
    assert campaign.run(Stub(store), "a", "b") == {"done": 2}
    assert [one.outcome for one in campaign.queue.attempts(job)] == ["died", "done"]
    assert store.log(job, 1) == "b: somebody fell silent: killed, out of memory, or cut off\n"
    assert store.log(job, 2) == "done\n"


def test_jobs_behind_those_that_others_hold_are_begun(campaign: Campaign, store: Store) -> None:
    names = [f"s{number}" for number in range(40)]

    def hold() -> None:
        deadline = time.monotonic() + 300.0
        while len(standings(campaign.queue, "c")) < len(names):  # orders are still being sent
            assert time.monotonic() < deadline
            time.sleep(0.01)
        campaign.queue.hold("c")

    hands = Stub(store, {"s0": doing(hold)})
    hands.slots = 1
    campaign.run(hands, *names)
    campaign.queue.resume("c")
    waiting = [standing for standing in standings(campaign.queue, "c") if standing.job.state == "queued"]
    taken = campaign.queue.claim("somebody", 60.0, 30, [standing.job.id for standing in waiting])
    held = {standing.station for standing in waiting if standing.job.id in {one.id for one in taken}}
    free = [standing.station for standing in waiting if standing.station not in held]
    assert len(held) == 30

    def release() -> None:
        for claim in taken:
            campaign.queue.release(claim)

    hands = Stub(store, {free[-1]: doing(release)})
    hands.slots = 1
    assert campaign.run(hands, *names) == {"done": 40}
    begun = [station for kind, station in campaign.events if kind == "started"]
    assert begun[: len(free)] == free
    assert sorted(begun[len(free) :]) == sorted(held)


@pytest.mark.parametrize("refusals", [1, 3])
def test_logs_that_find_no_room_are_kept_later(
    campaign: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    put, left = ObjectStore.put_log, [refusals]

    def refusing(self: ObjectStore, job: str, attempt: int, text: str) -> str:
        if "full" in text and left[0]:
            left[0] -= 1
            raise ResourceError("no space left")
        return put(self, job, attempt, text)

    monkeypatch.setattr(ObjectStore, "put_log", refusing)
    hands = Stub(store, {"a": raising(ResourceError("disk full"), 2)})
    assert campaign.run(hands, "a") == {"done": 1}
    (standing,) = standings(campaign.queue, "c")
    logs = [store.log(standing.job.id, number) for number in (1, 2, 3)]
    assert logs == ["a: disk full\n", "a: disk full\n", "done\n"]


def test_stopping_gives_back_what_runs(
    campaign: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Stub(store)
    turns = 0

    def interrupted(futures: object) -> None:
        nonlocal turns
        turns += 1
        threading.Event().wait(0.01)
        if turns > 500 or "endless" in hands.done:
            raise KeyboardInterrupt

    monkeypatch.setattr(Supervisor, "_wait", staticmethod(interrupted))
    with pytest.raises(KeyboardInterrupt):
        campaign.run(hands, "endless")
    assert ("released", "endless") in campaign.events
    assert campaign.states() == {"endless": "queued"}
    (attempt,) = campaign.queue.attempts(standings(campaign.queue, "c")[0].job.id)
    assert attempt.outcome == "released"


def test_cancelling_ends_what_runs_and_what_waits(
    campaign: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "RENEW_S", 0.02)
    hands = Stub(store)

    cancelled = threading.Event()

    def cancel(_: int) -> None:
        campaign.queue.cancel(campaign="c")
        cancelled.set()

    names = [f"s{number}" for number in range(30)]
    hands.deeds = {name: doing(lambda: cancelled.wait(300.0)) for name in names} | {"a": cancel}
    counts = campaign.run(hands, "endless", "a", *names)
    assert counts["cancelled"] + counts["done"] == 32
    assert campaign.states()["endless"] == "cancelled"
    assert counts["done"] <= hands.slots  # what was under way
    assert set(campaign.states().values()) <= {"cancelled", "done"}
    assert ("cancelled", "s29") in campaign.events


def test_a_paused_campaign_ends_early_and_goes_on_later(campaign: Campaign, store: Store) -> None:
    hands = Stub(store, {"a": doing(lambda: campaign.queue.hold("c"))})
    names = ["a", *(f"s{number}" for number in range(30))]
    counts = campaign.run(hands, *names)
    assert 0 < counts["done"] < 31
    assert sum(counts.values()) == counts["done"]
    assert campaign.queue.resume("c") > 0
    assert campaign.run(Stub(store), *names) == {"done": 31}


def test_who_lost_its_lease_publishes_nothing(campaign: Campaign, store: Store) -> None:
    other: list[Claim] = []

    def sleep(number: int) -> None:
        if number > 1:
            return
        (job,) = [s.job for s in standings(campaign.queue, "c") if s.station == "a"]
        mine = Claim(job.id, job.payload, "", "c", job.attempts, 0.0)
        campaign.queue.release(mine)
        other.extend(campaign.queue.claim("another", 60.0, jobs=[job.id]))
        campaign.queue.finish(other[0], "by another")

    counts = campaign.run(Stub(store, {"a": sleep}), "a", "b")
    assert ("lost", "a") in campaign.events
    assert counts == {"done": 2}
    assert campaign.queue.get(other[0].id).result == "by another"


def test_a_file_that_is_gone_fails_alone(campaign: Campaign, store: Store, tmp_path: Path) -> None:
    for name in ("a", "gone"):
        (tmp_path / f"{name}.ser").write_bytes(b"x")
    (tmp_path / "m.csv").write_text("station,input\na,a.ser\ngone,gone.ser\n")
    read = read_manifest(tmp_path / "m.csv")
    (tmp_path / "gone.ser").unlink()
    log = Silent()
    supervisor = Supervisor(campaign.queue, store, Stub(store), "c", log)
    planning = Planning(read.observations, store.url, Digests(None))
    assert supervisor.run(planning, 2) == {"done": 1, "failed": 1}
    supervisor.close()
    planning.close()
    assert [event.error for event in log.events if event.kind == "failed"]


def test_what_waits_by_an_earlier_manifest_is_dropped(
    campaign: Campaign, store: Store, tmp_path: Path
) -> None:
    hands = Stub(store, {"first": doing(lambda: campaign.queue.hold("c"))})
    hands.slots = 1
    campaign.run(hands, "first", "a")
    assert campaign.states() == {"first": "done", "a": "held"}
    held = standings(campaign.queue, "c")[1].job.id
    (tmp_path / "a.ser").write_bytes(b"second")
    assert campaign.run(Stub(store), "a") == {"done": 1}
    assert campaign.queue.get(held).state == "cancelled"
    assert campaign.states()["a"] == "done"


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_two_supervisors_share_a_campaign(database: str, tmp_path: Path, store: Store) -> None:
    names = [f"s{number}" for number in range(24)]
    with ExitStack() as closing:
        url = str(tmp_path / "queue.db")
        if database == "postgres":
            require("postgres")
            url = closing.enter_context(postgres.fresh())
        hands = [Stub(store), Stub(store)]
        counts: list[Counter[str]] = []

        def work(number: int) -> None:
            folder = tmp_path / str(number)
            folder.mkdir()
            with SqlJobStore(Database(url)) as queue:
                counts.append(Campaign(folder, queue, store).run(hands[number], *names))

        threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts == [{"done": 24}, {"done": 24}]
    assert hands[0].done + hands[1].done == Counter(names)
    assert all(len(store.versions("c", name)) == 1 for name in names)
