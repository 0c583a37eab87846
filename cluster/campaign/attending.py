"""A supervisor that attends to whatever the queue holds of owners, until it is told to stop: a service's."""

import threading
import time
from collections.abc import Callable

from cluster.campaign.events import Onlooker
from cluster.campaign.gate import is_plan
from cluster.campaign.hands import Hands
from cluster.campaign.orders import work_of
from cluster.campaign.supervisor import IDLE_S, LEASE_S, TURN_S, Supervisor, Wanted
from cluster.jobs.job import Claim, Job
from cluster.jobs.store import JobStore
from cluster.stopping import StoppedError
from cluster.store import Store
from reduction.errors import RequestError, UmbraError

PAUSE_S = 2.0
"""After the queue or the store could not be reached."""


class Attendant(Supervisor):
    """Runs jobs of any campaign that others have sent; each has its owner.

    Parameters
    ----------
    queue : JobStore
    store : Store
    hands : Hands
        Closed by `close`.
    onlooker : Onlooker
        Told in the thread of `attend`.
    lease_s : float
        As of `Supervisor`.
    """

    def __init__(
        self, queue: JobStore, store: Store, hands: Hands, onlooker: Onlooker, lease_s: float = LEASE_S
    ) -> None:
        super().__init__(queue, store, hands, "", onlooker, lease_s=lease_s)

    def attend(self, stop: threading.Event, trouble: Callable[[UmbraError], None]) -> None:
        """Work until `stop` is set; what runs then is given back by `close`.

        `trouble` is told where queue or store cannot be reached; then it goes on.
        """

        def check() -> None:
            if stop.is_set():
                raise StoppedError("the queue is no longer attended to")

        started = False
        while not stop.is_set():
            try:
                if not started:
                    self._hands.start(check)
                    started = True
                self._turn()
            except UmbraError as error:
                if not stop.is_set():
                    trouble(error)
                    stop.wait(PAUSE_S)

    def _turn(self) -> None:
        self._settle()
        self._renew()
        now = time.monotonic()
        if now - self._looked >= IDLE_S:
            self._looked = now
            self._expire()
            self._keep_logs()
        self._fill()
        self._onlooker.show(self.progress())
        self._wait([each.future for each in self._running.values()])

    def _fill(self) -> bool:
        """Begin as many jobs as there is room for; whether any was begun."""
        now = time.monotonic()
        room = self._hands.slots - len(self._running)
        if room < 1 or now < self._next_claim:
            return False
        claims = self._queue.claim(self._name, self._lease_s, room, owned=True)
        if not claims:
            self._next_claim = now + min(IDLE_S, 2 * TURN_S)
            return False
        for claim in claims:
            self._accept(claim)
        return True

    def _accept(self, claim: Claim) -> None:
        """Begin a job, or fail one that says nothing."""
        try:
            work = work_of(claim.payload)
        except RequestError as error:
            self._queue.fail(claim, "request", str(error))
            return
        self._wanted.setdefault(claim.id, Wanted(work))
        self._begin(claim)

    def _settle(self) -> None:
        """End what is over; what cannot be ended now is left to its lease."""
        super()._settle()
        for job in [job for job in self._wanted if job not in self._running]:
            if self._wanted[job].tries == 0:
                del self._wanted[job]

    def report(self, job: str) -> tuple[str, int, int] | None:
        """How far a job is that runs here: stage, done, total. For any thread."""
        running = self._running.get(job)
        return None if running is None else running.progress

    def stage_s(self, job: str) -> float:
        """Seconds since a job that runs here began the stage it is at; 0 for others. For any thread."""
        running = self._running.get(job)
        return 0.0 if running is None else time.monotonic() - running.stage_began

    def _concerns(self, job: Job) -> bool:
        return bool(job.owner) and not is_plan(job)
