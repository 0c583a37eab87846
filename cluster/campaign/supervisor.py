"""The supervisor of a campaign: sends orders, has them done, ends them. It alone opens the queue."""

import os
import secrets
import socket
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from cluster.campaign.account import KIND, Account, done_event, failure_of
from cluster.campaign.events import WAITS, Event, Kind, Onlooker, Progress
from cluster.campaign.gate import Gate, all_jobs, is_plan, station_of
from cluster.campaign.hands import Hands
from cluster.campaign.orders import Work, order_of
from cluster.campaign.planning import Planning
from cluster.jobs.job import Claim, FencedError, Job, Order
from cluster.jobs.sql import ROWS
from cluster.jobs.store import JobStore
from cluster.stopping import StoppedError
from cluster.store import Store
from reduction.errors import RequestError, ResourceError, UmbraError

LEASE_S = 60.0
RENEW_S = 1.0
"""Cancelling what runs is noticed after so long."""

IDLE_S = 1.0
"""Between looks at the queue where nothing of it is to be had."""

FEW = 4
"""Jobs that the queue is asked for where one is to be had: each that is named costs it some time."""

TURN_S = 0.25
CLOSE_S = 20.0
MOST_DEATHS = 3
RETRIES = 3
"""How often a job is begun again after its worker died or something was missing; then it has failed."""

AGAIN_S = (1.0, 5.0, 20.0)


@dataclass(slots=True)
class _Running:
    """An order under way."""

    claim: Claim
    work: Work
    future: Future[Account]
    stop: threading.Event
    progress: tuple[str, int, int] = (WAITS, 0, 0)
    stage_began: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Wanted:
    """A job that this run waits for."""

    work: Work
    tries: int = 0


class Supervisor:
    """Runs a campaign.

    Parameters
    ----------
    queue : JobStore
    store : Store
    hands : Hands
        Started when there is work; closed by `close`.
    campaign : str
    onlooker : Onlooker
    owner : str
        To whom the queue counts the jobs.
    lease_s : float
        A job of a supervisor that says nothing for so long is begun again by others.
    """

    def __init__(
        self,
        queue: JobStore,
        store: Store,
        hands: Hands,
        campaign: str,
        onlooker: Onlooker,
        owner: str = "",
        lease_s: float = LEASE_S,
    ) -> None:
        self._queue, self._store, self._hands = queue, store, hands
        self._campaign, self._onlooker, self._owner = campaign, onlooker, owner
        self._lease_s = lease_s
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._wanted: dict[str, Wanted] = {}
        self._known: dict[str, Job] = {}
        self._running: dict[str, _Running] = {}
        self._counts: Counter[Kind] = Counter()
        self._pool: ThreadPoolExecutor | None = None
        self._began, self._first = time.monotonic(), 0.0
        self._frames = self._ended_here = self._planned = self._total = 0
        self._renewed = self._looked = self._began
        self._next_claim = 0.0
        self._earlier: dict[str, list[str]] | None = None
        self._owed: list[tuple[str, int, str]] = []
        self._started = False

    def run(self, planning: Planning, total: int) -> Counter[Kind]:
        """Do all that `planning` brings and is not done yet; how many observations ended how.

        It ends early, with observations neither done nor failed, when all that is left is held.

        Raises
        ------
        ResourceError
            The queue or the store cannot be reached, or Ray not be started.
        """
        self._total = total
        self._known = {job.id: job for job in all_jobs(self._queue, self._campaign)}
        gate = Gate(self._queue, self._campaign)
        while True:
            state = gate.state(planning.over)
            if state == "open":
                self._take_plans(planning, gate)
            elif state == "cancelled":
                self._cancel_unplanned(planning)
            self._settle()
            self._renew()
            if planning.over and not self._wanted:
                break
            if not self._fill() and not self._running and (state == "held" or self._all_held(planning.over)):
                break
            self._onlooker.show(self.progress())
            self._wait([*(each.future for each in self._running.values()), *planning.futures])
        self._keep_logs()
        self._onlooker.show(self.progress())
        return self._counts

    @staticmethod
    def _wait(futures: "list[Future[Any]]") -> None:
        """Until one is over, at most a turn."""
        if futures:
            wait(futures, TURN_S, FIRST_COMPLETED)
        else:
            time.sleep(TURN_S)

    def progress(self) -> Progress:
        """How far it is."""
        now = time.monotonic()
        under_way = {each.work.station: each.progress for each in self._running.values()}
        measured = sum(done for stage, done, _ in under_way.values() if stage == "measure")
        return Progress(
            total=self._total,
            planned=self._planned,
            counts=dict(self._counts),
            running=under_way,
            frames=self._frames + measured,
            seconds=now - self._began,
            busy_s=now - self._first if self._first else 0.0,
            left=len(self._wanted),
            workers=self._hands.workers,
            ended_here=self._ended_here,
        )

    def _take_plans(self, planning: Planning, gate: Gate) -> None:
        """Send the orders that are planned, and settle what has ended before."""
        fresh: list[Order] = []
        for observation, planned in planning.take():
            self._planned += 1
            if isinstance(planned, UmbraError):
                failure = failure_of(planned)
                self._end(Event("failed", observation.station, failure=failure, error=str(planned)))
                continue
            order = order_of(self._campaign, planned, self._owner)
            self._drop_superseded(planned.station, order.id)
            known = self._known.get(order.id)
            if known is not None and known.ended and self._end_known(planned, known, before=True):
                continue
            if known is None:
                fresh.append(order)
            self._wanted[order.id] = Wanted(planned)
        if fresh:
            gate.submit(fresh)
            for order in fresh:
                self._onlooker.tell(Event("queued", self._wanted[order.id].work.station, job=order.id))

    def _cancel_unplanned(self, planning: Planning) -> None:
        """The campaign was cancelled while it was planned: what has no job yet gets none."""
        for observation in planning.drop():
            self._end(Event("cancelled", observation.station))

    def _drop_superseded(self, station: str, identity: str) -> None:
        """Cancel what still waits of a station by an earlier manifest, or earlier files."""
        for job in [job for job in self._waiting().get(station, ()) if job != identity]:
            self._queue.cancel([job])
            self._waiting()[station].remove(job)

    def _waiting(self) -> dict[str, list[str]]:
        """Jobs that waited when the run began, by station."""
        if self._earlier is None:
            self._earlier = {}
            for job in self._known.values():
                if job.state in {"queued", "held"}:
                    self._earlier.setdefault(station_of(job), []).append(job.id)
        return self._earlier

    def _fill(self) -> bool:
        """Begin as many orders as there is room for; whether any was begun."""
        waiting = list(islice((job for job in self._wanted if job not in self._running), ROWS))
        now = time.monotonic()
        if not waiting or now < self._next_claim:
            return False
        if not self._started:
            self._onlooker.show(replace(self.progress(), starting=True))
            self._hands.start()
            self._started = True
        room = self._hands.slots - len(self._running)
        if room < 1:
            return False
        claims = self._claims(waiting, room)
        if not claims:
            self._next_claim = now + IDLE_S
        for claim in claims:
            self._begin(claim)
        return bool(claims)

    def _claims(self, waiting: list[str], room: int) -> list[Claim]:
        """Claim some of the next jobs; of those behind them only where none of these is to be had."""
        for some in (waiting[: FEW * room], waiting[FEW * room :]):
            claims = self._queue.claim(self._name, self._lease_s, room, some) if some else []
            if claims:
                return claims
        return []

    def _begin(self, claim: Claim) -> None:
        """Hand an order over."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._hands.slots, "umbra-order")
        work, stop = self._wanted[claim.id].work, threading.Event()
        running = _Running(claim, work, Future(), stop)

        def report(stage: str, done: int, total: int) -> None:
            if stage != running.progress[0]:
                running.stage_began = time.monotonic()
            running.progress = (stage, done, total)

        def check() -> None:
            if stop.is_set():
                raise StoppedError(f"{work.station}: stopped; the queue has it again")

        self._first = self._first or time.monotonic()
        running.future = self._pool.submit(self._hands.perform, work, claim, report, check)
        self._running[claim.id] = running
        self._onlooker.tell(Event("started", work.station, claim.id, work.key, claim.attempt))

    def _settle(self) -> None:
        """End what is over."""
        for job, running in list(self._running.items()):
            if not running.future.done():
                continue
            del self._running[job]
            error = running.future.exception()
            try:
                if error is None:
                    self._finish(running, running.future.result())
                else:
                    self._fail(running, error)
            except FencedError as refused:
                self._onlooker.tell(Event("lost", running.work.station, job, error=str(refused)))

    def _finish(self, running: _Running, account: Account) -> None:
        """Publish: the queue's transaction checks the token, then the result becomes a version."""
        work, claim = running.work, running.claim
        self._queue.finish(claim, account.result, account.log)
        self._store.add_version(claim.campaign, work.station, account.result)
        self._keep_logs()
        self._frames += account.frames
        self._ended_here += 1
        self._end(done_event(account, work.station, claim))

    def _fail(self, running: _Running, error: BaseException) -> None:
        """Fail an order, or have it done again: what its data or its request are to blame for is not."""
        work, claim = running.work, running.claim
        wanted = self._wanted[claim.id]
        if isinstance(error, StoppedError):
            self._queue.release(claim)
            self._onlooker.tell(Event("released", work.station, claim.id, attempt=claim.attempt))
            return
        failure = failure_of(error)
        text = str(error) if isinstance(error, UmbraError) else f"{type(error).__name__}: {error}"
        log = self._log_of(claim.id, claim.attempt, f"{work.station}: {text}")
        told = Event("failed", work.station, claim.id, work.key, claim.attempt, failure=failure, error=text)
        passing = isinstance(error, ResourceError)
        if passing and wanted.tries < RETRIES:
            pause = AGAIN_S[min(wanted.tries, len(AGAIN_S) - 1)]
            wanted.tries += 1
            self._queue.fail(claim, failure, text, log, again_after_s=pause)
            self._onlooker.tell(replace(told, kind="retried"))
            return
        self._queue.fail(claim, failure, text, log)
        self._ended_here += 1
        self._end(told)

    def _log_of(self, job: str, attempt: int, text: str) -> str | None:
        """Name of the attempt's log; of a worker that died, one that says so. None: there is no room yet."""
        self._owed.append((job, attempt, f"{text}\n"))
        return self._keep_logs()

    def _keep_logs(self) -> str | None:
        """Keep the logs that could not be kept before; the name of the latest, None where it could not."""
        name = None
        with suppress(ResourceError):
            while self._owed:
                job, attempt, text = self._owed[0]
                name = self._store.put_log(job, attempt, self._store.log(job, attempt) or text)
                del self._owed[0]
        return None if self._owed else name

    def _end_known(self, work: Work, job: Job, before: bool) -> bool:
        """Settle an observation whose job somebody ended; False: its result is gone, it is queued again."""
        event = Event("done", work.station, job.id, work.key, job.attempts, before=before)
        if job.state == "done":
            try:
                self._store.add_version(self._campaign, work.station, work.key)
            except RequestError:
                if self._store.find(KIND, work.key) is not None:
                    raise
                self._queue.redo([job.id])
                self._onlooker.tell(Event("queued", work.station, job=job.id))
                return False
        elif job.state == "cancelled":
            event = replace(event, kind="cancelled")
        else:
            event = replace(event, kind="failed", failure=job.failure, error=job.error or "")
        self._end(event)
        return True

    def _end(self, event: Event) -> None:
        """Count an observation that is over."""
        self._wanted.pop(event.job, None)
        self._counts[event.kind] += 1
        self._onlooker.tell(event)

    def _renew(self) -> None:
        """Keep what runs; stop what is to be cancelled, and what others have by now."""
        now = time.monotonic()
        if now - self._renewed < min(RENEW_S, self._lease_s / 4) or not self._running:
            return
        self._renewed = now
        kept = self._queue.renew([each.claim for each in self._running.values()], self._lease_s)
        for job, running in self._running.items():
            if kept.get(job, True):
                running.stop.set()

    def _all_held(self, planned: bool) -> bool:
        """Look at the queue for what others did; whether all that is left waits to be released."""
        now = time.monotonic()
        if not planned or now - self._looked < IDLE_S:
            return False
        self._looked = now
        self._expire()
        held = 0
        for job in all_jobs(self._queue, self._campaign):
            wanted = self._wanted.get(job.id)
            if wanted is None:
                continue
            if job.ended:
                self._end_known(wanted.work, job, before=False)
            held += job.state == "held"
        return 0 < held == len(self._wanted)

    def _expire(self) -> None:
        """Queue again what silent supervisors had, with a log of each attempt that says so."""
        for identity in self._queue.expire(MOST_DEATHS):
            job = self._queue.get(identity)
            if not self._concerns(job):
                continue
            last = [one for one in self._queue.attempts(identity) if one.outcome == "died"][-1]
            text = f"{last.worker} fell silent: killed, out of memory, or cut off"
            self._log_of(identity, last.number, f"{station_of(job)}: {text}")

    def _concerns(self, job: Job) -> bool:
        """Whether a job that fell silent is of those that are run here."""
        return job.campaign == self._campaign and not is_plan(job)

    def close(self) -> None:
        """Stop what runs and give it back to the queue; safe to call at any time, also after an error."""
        for running in self._running.values():
            running.stop.set()
        self._hands.close()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._running:
            wait([each.future for each in self._running.values()], CLOSE_S)
        for running in self._running.values():
            with suppress(FencedError):
                self._queue.release(running.claim)
            self._onlooker.tell(Event("released", running.work.station, running.claim.id))
        self._running.clear()
