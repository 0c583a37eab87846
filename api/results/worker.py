"""The thread that has the service's reductions done: the queue's own supervisor, and what a service adds."""

import logging
import threading
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from api.database.tables import now
from api.database.transactions import Database
from api.results.cache import ResultCache
from api.results.orders import orders_again
from api.results.tables import Reduction
from api.results.versions import settle
from api.standards.coverage import catch_up
from cluster.campaign.attending import Attendant
from cluster.campaign.events import Event, Progress
from cluster.campaign.hands import Hands, Here, OnRay
from cluster.executors import Executor, RayExecutor
from cluster.jobs.sql import SqlJobStore
from cluster.jobs.tables import JobRow
from cluster.store.published import ObjectStore
from reduction.errors import ResourceError, UmbraError

SWEEP_S = 30.0
CLOSE_S = 60.0
SENT_AFTER = timedelta(seconds=10)
"""So long after it was acknowledged, a reduction without a job was left by a service that died."""

_log = logging.getLogger("umbra.api")


class Worker:
    """Runs reductions of the queue on an executor, and writes the versions of their results.

    Parameters
    ----------
    database : Database
    queue : SqlJobStore
    store : ObjectStore
    cache : ResultCache
    executor : Executor
        Closed by `close`, as by its other users.
    scratch : Path
        Folder for what is fetched and unpacked.
    lease_s : float
        As of `Attendant`.
    """

    def __init__(
        self,
        database: Database,
        queue: SqlJobStore,
        store: ObjectStore,
        cache: ResultCache,
        executor: Executor,
        scratch: Path,
        lease_s: float,
    ) -> None:
        self._database, self._queue, self._store, self._cache = database, queue, store, cache
        self._attendant = Attendant(queue, store, hands_of(executor, scratch), self, lease_s)
        self._stop = threading.Event()
        self._swept = 0.0
        self._uncovered = True
        self._thread = threading.Thread(target=self._run, name="umbra-worker", daemon=True)

    def start(self) -> None:
        """Begin; what a service that died had left is taken up."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def report(self, job: str) -> tuple[str, int, int] | None:
        """How far a job is that runs in this service: stage, done, total."""
        return self._attendant.report(job)

    def stage_s(self, job: str) -> float:
        """Seconds since that job began the stage it is at."""
        return self._attendant.stage_s(job)

    def _run(self) -> None:
        try:
            self._attendant.attend(self._stop, _trouble)
        finally:
            self._attendant.close()

    def tell(self, event: Event) -> None:
        """Take what happened to a job: one that is done gets its version."""
        if event.kind == "done":
            self._settle(event.job)
        elif event.kind == "retried":
            facts = {"facts": {"job": event.job, "why": event.error}}
            if event.failure == "crash":
                _log.error("a worker died; its job is begun again", extra=facts)
            else:
                _log.error("a job waits: something is missing here", extra=facts)
        elif event.kind == "failed" and event.failure == "crash":
            _log.error("job %s failed: %s", event.job, event.error)

    def show(self, progress: Progress) -> None:
        """Take the state of things; now and then, look for what was left undone."""
        del progress
        at = time.monotonic()
        if self._swept and at - self._swept < SWEEP_S:
            return
        self._swept = at
        try:
            self._sweep()
            self._cover()
        except SQLAlchemyError as error:
            _log.error("looking for what was left undone", exc_info=error)

    def _settle(self, job: str) -> None:
        try:
            settle(self._database, self._cache, job)
        except (UmbraError, SQLAlchemyError) as error:  # the next look finds it again
            _log.error("the result of job %s gets no version yet", job, exc_info=error)

    def _sweep(self) -> None:
        """Versions of jobs that are done, and jobs of reductions that were acknowledged."""
        with_job = select(Reduction.id).join(JobRow, JobRow.id == Reduction.id)
        done = with_job.where(Reduction.result.is_(None), JobRow.state == "done").limit(200)
        lost = (
            select(Reduction)
            .outerjoin(JobRow, JobRow.id == Reduction.id)
            .where(Reduction.result.is_(None), JobRow.id.is_(None), Reduction.created < now() - SENT_AFTER)
            .limit(500)
        )
        with self._database.reading() as session:
            unsettled = list(session.scalars(done))
            orders = orders_again(session, session.scalars(lost), self._store.url)
        if orders:
            self._queue.submit(orders)
        for job in unsettled:
            self._settle(job)

    def _cover(self) -> None:
        """Coverage of results that a service before had made, some at a time; then never again."""
        if self._uncovered:
            try:
                self._uncovered = catch_up(self._database, self._cache)
            except ResourceError as error:
                _log.error("what older results cover is not known yet: %s", error)

    def close(self) -> None:
        """Give back what runs, and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():  # its jobs are taken up when their leases are over
                _log.error("the queue or the store keeps the worker from ending")


def hands_of(executor: Executor, scratch: Path) -> Hands:
    """Hands that do orders on an executor."""
    if isinstance(executor, RayExecutor):
        return OnRay("local", executor.workers, scratch, executor, together=1)
    return Here(scratch)


def _trouble(error: UmbraError) -> None:
    _log.error("the queue or the store cannot be reached: %s", error)
