"""Who does the work of a campaign: this process, or Ray's workers. Nobody starts before there is work."""

import json
import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cluster.campaign.account import Account
from cluster.campaign.batches import MOST, Batches, Order
from cluster.campaign.orders import Work
from cluster.jobs.job import Claim
from cluster.store import open_store
from ingest.formats import recognise
from reduction.errors import ResourceError, UmbraError
from reduction.scan import Progress

if TYPE_CHECKING:
    from cluster.executors import RayExecutor

RECORDING_BYTES = 1 << 30
"""Memory that a recording's task declares: blocks and findings stay below it whatever its length."""

SHARED_BYTES = 1 << 30
"""A recording of this size is decoded, looked at and measured by all workers."""

SHARED_VIDEO_BYTES = 64 << 20
"""The same of a video: it has to be decoded."""

GPU_SHARE = 0.25
"""Share of a GPU that a task declares: so many recordings are read while others are measured there."""


class Hands(Protocol):
    """Does orders. `perform` is called from threads, up to `slots` at once."""

    def start(self, check: Callable[[], None] | None = None) -> None:
        """Get ready; called before the first order. What `check` raises, called meanwhile, ends the wait."""
        ...

    @property
    def workers(self) -> int:
        """How many recordings are reduced at once."""
        ...

    @property
    def slots(self) -> int:
        """How many orders to give at once."""
        ...

    def perform(self, work: Work, claim: Claim, report: Progress, check: Callable[[], None]) -> Account:
        """Do an order.

        Parameters
        ----------
        work : Work
        claim : Claim
        report : callable
            Told how far it is.
        check : callable
            Called again and again; what it raises ends the work.

        Raises
        ------
        UmbraError
            As `cluster.campaign.performing.perform`; `DiedError` where a worker died.
        """
        ...

    def close(self) -> None:
        """Stop everything."""
        ...


class Here:
    """Orders are done in this process, one after the other, by all its cores."""

    workers = 1
    slots = 1

    def __init__(self, scratch: Path | None) -> None:
        self._scratch = scratch
        self._closed = False

    def start(self, check: Callable[[], None] | None = None) -> None:
        """Nothing has to be started."""

    def perform(self, work: Work, claim: Claim, report: Progress, check: Callable[[], None]) -> Account:
        """Do it here. Raises as `Hands.perform`."""
        from cluster.campaign.performing import perform  # all that a reduction needs is imported with it

        def told(stage: str, done: int, total: int) -> None:
            if self._closed:
                raise ResourceError(f"{work.station}: stopped while at {stage}; run the campaign again")
            check()
            report(stage, done, total)

        return perform(work, claim.id, claim.attempt, self._scratch, told)

    def close(self) -> None:
        """End what runs at its next report."""
        self._closed = True


def is_large(work: Work) -> bool:
    """Whether all workers are to share a recording: by its size, and whether it has to be decoded."""
    size = work.bytes
    with suppress(UmbraError):  # what is wrong with it is told by who reduces it
        raw = [text.removeprefix("raw:") for text in work.request.inputs if text.startswith("raw:")]
        if raw:
            return size + open_store(work.store, make=False).raw_size(raw[0]) >= SHARED_BYTES
        if SHARED_VIDEO_BYTES <= size < SHARED_BYTES:
            return recognise(Path(work.request.inputs[0])).name == "video"
    return size >= SHARED_BYTES


def gpu_share(device: str, offered: bool) -> float:
    """Share of a GPU that a recording's task declares.

    ``auto`` takes one wherever the cluster offers any, so that a result does not depend on which node was
    free. Where none is offered a task that asks for one would wait for ever: it asks for nothing, and
    ``cuda:N`` fails with the reason.
    """
    return GPU_SHARE if offered and device != "cpu" else 0.0


class OnRay:
    """Orders are tasks of Ray: some recordings each; one large recording at a time makes tasks of its own.

    Parameters
    ----------
    address : str
        ``local``, ``auto``, or a cluster's.
    workers : int, optional
        Recordings at once; the CPUs of this process, or of the cluster.
    scratch : Path, optional
        As `cluster.campaign.performing.perform`.
    executor : RayExecutor, optional
        One that runs already, instead of one at `address`; closed by `close` as well.
    together : int
        Recordings that a worker is given at once, at most; few where jobs may come that go first.
    """

    def __init__(
        self,
        address: str,
        workers: int | None,
        scratch: Path | None,
        executor: "RayExecutor | None" = None,
        together: int = MOST,
    ) -> None:
        self._together = together
        self._address, self._asked, self._scratch = address, workers, scratch
        self._executor, self._started = executor, False
        self._workers = workers or len(os.sched_getaffinity(0))
        self._memory, self._has_gpus = RECORDING_BYTES, False
        self._making = threading.Lock()
        self._sharing = threading.Lock()  # two who wait for tasks could keep all memory from them
        self._news = tempfile.TemporaryDirectory(prefix="umbra-news-")
        self._batches: Batches | None = None

    def start(self, check: Callable[[], None] | None = None) -> None:
        """Start or join Ray; its workers have loaded what they need where it was started here.

        Raises
        ------
        ResourceError
            It does not start, or cannot be reached. What `check` raises: the workers get ready by themselves.
        """
        if self._started:
            return
        if self._executor is None:
            from cluster.executors import RayExecutor

            self._executor = RayExecutor(self._address, self._asked)
        self._started = True
        if self._asked is None and self._address != "local":
            self._workers = max(1, self._executor.cpus)
        self._has_gpus = self._executor.gpus > 0
        offered = self._executor.memory_bytes
        if offered:  # a machine with less than that for each worker shares what it has
            self._memory = min(RECORDING_BYTES, offered // (self._workers + 1))
        if self._address == "local":  # elsewhere others may keep them busy for long
            self._executor.get_ready(check)

    @property
    def workers(self) -> int:
        """Recordings at once."""
        return self._workers

    @property
    def slots(self) -> int:
        """Orders at once, for each worker: a batch, and one that waits, with others, for the next."""
        return (self._together + 1) * self._workers

    def perform(self, work: Work, claim: Claim, report: Progress, check: Callable[[], None]) -> Account:
        """Do it by a task, of which a large recording makes others. Raises as `Hands.perform`."""
        large = is_large(work)
        if not (large and self._may_share and self._sharing.acquire(blocking=False)):
            gpus = gpu_share(work.request.device, self._has_gpus)
            return self._in_batches.perform(Order(work, claim, large, gpus, report, check))
        try:
            return self._task(work, claim, report, check)
        finally:
            self._sharing.release()

    @property
    def _may_share(self) -> bool:
        """Whether workers see each other's scratch."""
        return self._workers > 1 and (self._scratch is not None or self._address == "local")

    @property
    def _in_batches(self) -> Batches:
        with self._making:
            if self._batches is None:
                self._batches = Batches(self._workers, self._do, self._together)
            return self._batches

    def _do(self, left: "deque[Order]") -> Iterator[Account | UmbraError]:
        """Do the orders of a batch, in turn, by one task. See `cluster.campaign.batches.Doing`."""
        assert self._executor is not None
        names = " ".join(order.work.station for order in left)
        orders = [
            (order.work.text, order.claim.id, order.claim.attempt, str(self._place(order.claim)))
            for order in left
        ]

        def follow() -> None:
            for order in left:
                order.stopped()
            if left:
                left[0].check()
                self._tell(left[0].claim, left[0].report)

        try:
            for found in self._executor.stream(
                "perform_orders_task",
                (orders, self._room),
                names,
                memory_bytes=self._memory,
                gpus=left[0].gpus,
                meanwhile=follow,
            ):
                yield found if isinstance(found, UmbraError) else Account(**json.loads(found))
        finally:
            for *_, place in orders:
                Path(place).unlink(missing_ok=True)

    def _task(self, work: Work, claim: Claim, report: Progress, check: Callable[[], None]) -> Account:
        """Do an order by a task that has all workers share it."""
        assert self._executor is not None

        def follow() -> None:
            check()
            self._tell(claim, report)

        place = self._place(claim)
        arguments = (
            work.text, claim.id, claim.attempt, self._room, str(place), self._workers, self._memory,
        )  # fmt: skip
        try:
            account = self._executor.call(
                "perform_order_task",
                arguments,
                work.station,
                memory_bytes=self._memory,
                gpus=gpu_share(work.request.device, self._has_gpus),
                retries=0,
                meanwhile=follow,
                helpers=self._workers - 1,
            )
        finally:
            place.unlink(missing_ok=True)
        return Account(**json.loads(account))

    @property
    def _room(self) -> str | None:
        return None if self._scratch is None else str(self._scratch)

    def _place(self, claim: Claim) -> Path:
        """File in which a worker tells how far it is."""
        return Path(self._news.name) / f"{claim.id}.{claim.attempt}"

    def _tell(self, claim: Claim, report: Progress) -> None:
        """Pass on how far it is."""
        with suppress(FileNotFoundError, ValueError):  # not written yet
            report(*json.loads(self._place(claim).read_text(encoding="utf-8")))

    def close(self) -> None:
        """End all tasks, and the Ray that was started."""
        if self._batches is not None:
            self._batches.close()
        if self._executor is not None:
            self._executor.close()
        self._news.cleanup()
