"""Who does the work of a campaign: this process, or Ray's workers. Nobody starts before there is work."""

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cluster.campaign.account import Account
from cluster.campaign.orders import Work
from cluster.jobs.job import Claim
from reduction.errors import ResourceError
from reduction.scan import Progress

if TYPE_CHECKING:
    from cluster.executors import RayExecutor

RECORDING_BYTES = 1 << 30
"""Memory that a recording's task declares: blocks and findings stay below it whatever its length."""

PER_WORKER = 2
"""Recordings handed to each worker: one that it reduces, one that waits for it."""


class Hands(Protocol):
    """Does orders. `perform` is called from threads, up to `slots` at once."""

    def start(self) -> None:
        """Get ready; called before the first order, from the main thread."""
        ...

    @property
    def workers(self) -> int:
        """How many recordings are reduced at once."""
        ...

    @property
    def slots(self) -> int:
        """How many orders to give at once."""
        ...

    def perform(
        self, work: Work, claim: Claim, whole: bool, report: Progress, check: Callable[[], None]
    ) -> Account:
        """Do an order.

        Parameters
        ----------
        work : Work
        claim : Claim
        whole : bool
            By one worker; otherwise its frames may be measured by all.
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

    def start(self) -> None:
        """Nothing has to be started."""

    def perform(
        self, work: Work, claim: Claim, whole: bool, report: Progress, check: Callable[[], None]
    ) -> Account:
        """Do it here. Raises as `Hands.perform`."""
        from cluster.campaign.performing import perform  # all that a reduction needs is imported with it

        del whole

        def told(stage: str, done: int, total: int) -> None:
            if self._closed:
                raise ResourceError(f"{work.station}: stopped while at {stage}; run the campaign again")
            check()
            report(stage, done, total)

        return perform(work, claim.id, claim.attempt, self._scratch, told)

    def close(self) -> None:
        """End what runs at its next report."""
        self._closed = True


class OnRay:
    """Orders are tasks of Ray: whole recordings, or pass 2 of one by segments.

    Parameters
    ----------
    address : str
        ``local``, ``auto``, or a cluster's.
    workers : int, optional
        Recordings at once; the CPUs of this process, or of the cluster.
    scratch : Path, optional
        As `cluster.campaign.performing.perform`.
    """

    def __init__(self, address: str, workers: int | None, scratch: Path | None) -> None:
        self._address, self._asked, self._scratch = address, workers, scratch
        self._executor: RayExecutor | None = None
        self._workers = workers or len(os.sched_getaffinity(0))
        self._memory = RECORDING_BYTES
        self._news = tempfile.TemporaryDirectory(prefix="umbra-news-")

    def start(self) -> None:
        """Start or join Ray.

        Raises
        ------
        ResourceError
            It does not start, or cannot be reached.
        """
        if self._executor is not None:
            return
        from cluster.executors import RayExecutor

        self._executor = RayExecutor(self._address, self._asked)
        if self._asked is None and self._address != "local":
            self._workers = max(1, self._executor.cpus)
        offered = self._executor.memory_bytes
        if offered:  # a machine with less than that for each worker shares what it has
            self._memory = min(RECORDING_BYTES, offered // (self._workers + 1))

    @property
    def workers(self) -> int:
        """Recordings at once."""
        return self._workers

    @property
    def slots(self) -> int:
        """Orders at once: each worker's next one waits for it."""
        return PER_WORKER * self._workers

    def perform(
        self, work: Work, claim: Claim, whole: bool, report: Progress, check: Callable[[], None]
    ) -> Account:
        """Do it by tasks. Raises as `Hands.perform`."""
        assert self._executor is not None
        if not whole:
            from cluster.campaign.performing import perform

            def told(stage: str, done: int, total: int) -> None:
                check()
                report(stage, done, total)

            return perform(work, claim.id, claim.attempt, self._scratch, told, self._executor.spread)
        news = Path(self._news.name) / f"{claim.id}.{claim.attempt}"

        def follow() -> None:
            check()
            with suppress(FileNotFoundError, ValueError):  # not written yet
                report(*json.loads(news.read_text(encoding="utf-8")))

        scratch = None if self._scratch is None else str(self._scratch)
        arguments = (work.text, claim.id, claim.attempt, scratch, str(news))
        try:
            account = self._executor.call(
                "perform_order_task",
                arguments,
                work.station,
                memory_bytes=self._memory,
                retries=0,
                meanwhile=follow,
            )
        finally:
            news.unlink(missing_ok=True)
        return Account(**json.loads(account))

    def close(self) -> None:
        """End all tasks, and the Ray that was started."""
        if self._executor is not None:
            self._executor.close()
        self._news.cleanup()
