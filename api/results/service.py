"""What the routes of reductions and results share."""

import threading
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from api.database.transactions import Database
from api.results.cache import ResultCache
from api.results.following import Following
from api.results.kept import Stacks
from api.results.transitions import watch_queue
from api.results.worker import Worker
from api.settings import ServiceSettings
from cluster.executors import Executor
from cluster.jobs.database import Database as QueueDatabase
from cluster.jobs.sql import SqlJobStore
from cluster.store.published import ObjectStore
from reduction.errors import ResourceError


@dataclass(frozen=True, slots=True)
class Reducing:
    """Queue, worker, listeners and results of a running service."""

    queue: SqlJobStore
    worker: Worker
    following: Following
    cache: ResultCache
    stacks: Stacks
    workers: int
    executor: Executor

    @property
    def gpus(self) -> float:
        """GPUs that reductions may be computed on, now."""
        return self.executor.gpus

    def close(self) -> None:
        """Give back what runs, and let go of the queue."""
        self.worker.close()
        self.stacks.close()
        self.queue.close()


def reducing(
    settings: ServiceSettings,
    database: Database,
    store: ObjectStore,
    executor: Executor,
    stopping: threading.Event,
) -> Reducing:
    """Open the queue; its jobs begin with `Reducing.worker.start`.

    Raises
    ------
    ResourceError
        The database or the folders cannot be used.
    """
    queue = SqlJobStore(QueueDatabase(settings.where))
    watch_queue(database.engine)
    cache = ResultCache(store, settings.home / "cache" / "results")
    scratch = settings.home / "scratch"
    try:
        scratch.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{scratch}: cannot be made: {error.strerror}") from error
    stacks = Stacks(store, settings.home / "cache" / "stacks")
    worker = Worker(database, queue, store, cache, executor, scratch, settings.lease_s)
    return Reducing(queue, worker, Following(database, stopping), cache, stacks, executor.workers, executor)


def reducing_of(request: Request) -> Reducing:
    """That of the app."""
    app: FastAPI = request.app
    found: Reducing = app.state.reducing
    return found


ReducingDep = Annotated[Reducing, Depends(reducing_of)]
