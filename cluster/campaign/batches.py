"""Orders put together: a worker is given a few, and does one after the other."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial

from cluster.campaign.account import Account
from cluster.campaign.orders import Work
from cluster.jobs.job import Claim
from cluster.stopping import StoppedError
from reduction.errors import UmbraError
from reduction.scan import Progress

MOST = 4
"""Orders of a batch: a worker that is given its next one has begun to bring its recording by then."""

LOOK_S = 0.5
"""Between looks whether an order that waits is to be stopped."""


@dataclass(slots=True, eq=False)
class Order:
    """An order on its way through a worker.

    Attributes
    ----------
    alone : bool
        It shares its worker's time with no other: a large recording.
    gpus : float
        Share of a GPU that its task declares.
    report, check : callable
        As `cluster.campaign.hands.Hands.perform`.
    account : Future
        What becomes of it.
    """

    work: Work
    claim: Claim
    alone: bool
    gpus: float
    report: Progress
    check: Callable[[], None]
    account: "Future[Account]" = field(default_factory=Future)

    def stopped(self) -> bool:
        """Whether it is over, or to be stopped; who waits for it is told."""
        if self.account.done():
            return True
        try:
            self.check()
        except StoppedError as error:
            self.account.set_exception(error)
            return True
        return False


Doing = Callable[["deque[Order]"], Iterator["Account | UmbraError"]]
"""Does the orders of a batch, in turn: of each, when it is over, its account, or why it failed.

What it raises concerns the first of those that were not over; those behind that one were not begun.
"""


class Batches:
    """Puts orders together, one batch for each worker.

    The fewer wait, the smaller the batches: at the end of a campaign all workers have something to do.

    Parameters
    ----------
    workers : int
    do : callable
        See `Doing`.
    most : int
        Orders of a batch at most.
    """

    def __init__(self, workers: int, do: Doing, most: int = MOST) -> None:
        self._most = most
        self._workers = self._free = workers
        self._do = do
        self._lock = threading.Lock()
        self._waiting: deque[Order] = deque()
        self._pool = ThreadPoolExecutor(workers, "umbra-batch")
        self._closed = False

    def perform(self, order: Order) -> Account:
        """Have an order done, and wait for it; raises what it fails of, and what its `check` raises."""
        with self._lock:
            self._waiting.append(order)
        self._begin()
        while not wait([order.account], LOOK_S).done:
            with self._lock:
                if order in self._waiting and order.stopped():
                    self._waiting.remove(order)
        return order.account.result()

    def _begin(self) -> None:
        """Give each worker that is free a batch."""
        with self._lock:
            while self._closed and self._waiting:
                order = self._waiting.popleft()
                _settle(order, StoppedError(f"{order.work.station}: stopped before it began"))
            batches = [self._next() for _ in range(self._free) if self._waiting]
            self._free -= len(batches)
        for batch in batches:  # what is over at once calls back at once
            self._pool.submit(self._lead, batch).add_done_callback(partial(self._over, batch))

    def _next(self) -> "deque[Order]":
        """Take the orders of a batch from those that wait."""
        size = max(1, min(self._most, len(self._waiting) // self._workers))
        batch = deque([self._waiting.popleft()])
        while (
            len(batch) < size
            and not (batch[0].alone or self._waiting[0].alone)
            and self._waiting[0].gpus == batch[0].gpus
        ):
            batch.append(self._waiting.popleft())
        return batch

    def _lead(self, left: "deque[Order]") -> None:
        """Have a batch done, and tell those who wait."""
        for found in self._do(left):
            _settle(left.popleft(), found)

    def _over(self, left: "deque[Order]", led: "Future[None]") -> None:
        """A worker is free: what it could not begin waits again, before the others."""
        error = led.exception()
        if error is not None and left:
            _settle(left.popleft(), error)
        with self._lock:
            self._free += 1
            self._waiting.extendleft(reversed([order for order in left if not order.account.done()]))
        self._begin()

    def close(self) -> None:
        """Let nothing more begin; those who wait are told. What is under way ends by itself."""
        self._closed = True
        self._begin()


def _settle(order: Order, found: Account | BaseException) -> None:
    """Tell who waits for an order what became of it, unless it was stopped before."""
    if order.account.done():
        return
    if isinstance(found, BaseException):
        order.account.set_exception(found)
    else:
        order.account.set_result(found)
