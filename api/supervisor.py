"""The supervisor: takes jobs, has them reduced, keeps what has become of them."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from api.jobs import FolderReductionBody, Job, JobStore, job_id
from api.problems import RefusedError, log_failure, plain, problem_of
from cluster.executors import Executor, ResultRef
from cluster.stopping import StoppedError
from reduction.errors import ResourceError, UmbraError

MOST_CRASHES = 3
Report = tuple[str, int, int]


class Supervisor:
    """Runs jobs on an executor, as many at once as that has workers; the others wait in their order.

    Parameters
    ----------
    store : JobStore
        Where jobs are kept; closed by `close`.
    executor : Executor
        Where they run; closed by `close`.
    data : Path
        Folder of recordings, resolved.
    """

    def __init__(self, store: JobStore, executor: Executor, data: Path) -> None:
        self._store = store
        self._executor = executor
        self._data = data
        self._change = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._keys: dict[str, str] = {}
        self._reports: dict[str, Report] = {}
        self._pool = ThreadPoolExecutor(executor.workers, thread_name_prefix="umbra-job")
        self.stopping = threading.Event()

    @property
    def workers(self) -> int:
        """Reductions at once."""
        return self._executor.workers

    def start(self) -> None:
        """Take up the jobs that are kept: those that a stop or a crash interrupted are begun again.

        Raises
        ------
        ResourceError
            A job cannot be read.
        """
        for job in self._store.load():
            self._jobs[job.id] = job
            self._keys |= dict.fromkeys(job.keys, job.id)
            if job.ended:
                continue
            self._store.tidy(job)
            crashes = job.crashes + (job.status == "running")
            if crashes < MOST_CRASHES:
                self._keep(job.evolve(status="queued", crashes=crashes))
                self._enqueue(job.id)
            else:
                detail = f"the service ended {crashes} times while this ran; ask again to try once more"
                self._keep(job.evolve(status="failed", finished=_now(), error=plain(503, detail)))

    def submit(self, body: FolderReductionBody, key: str | None = None) -> Job:
        """Take a reduction, or find it among those that were asked for.

        A job that failed for want of something on this machine, or whose results were removed, is begun
        again.

        Parameters
        ----------
        body : FolderReductionBody
        key : str, optional
            Idempotency-Key: the job is then the one first asked for under it, even when files have changed.

        Raises
        ------
        RequestError, DataError
            The request cannot be carried out.
        RefusedError
            The key belongs to another request.
        ResourceError
            The job cannot be kept.
        """
        if self.stopping.is_set():
            raise ResourceError("the service is stopping; ask again when it is back")
        with self._change:
            known = None if key is None else self._known_by(key, body)
        identity = job_id(body, self._data) if known is None else known.id
        with self._change:
            job = self._jobs.get(identity)
            begin = job is None or self._again(job)
            if job is None:
                job = Job(id=identity, body=body, status="queued", submitted=_now())
            if begin:
                job = job.evolve(
                    status="queued", error=None, crashes=0, started=None, finished=None, result=None
                )
            if key is not None and key not in job.keys:
                job = job.evolve(keys=(*job.keys, key))
            if begin or job is not self._jobs[identity]:
                self._keep(job)
            if begin:
                self._enqueue(identity)
            return job

    def _known_by(self, key: str, body: FolderReductionBody) -> Job | None:
        known = self._jobs.get(self._keys.get(key, ""))
        if known is not None and known.body.digest != body.digest:
            raise RefusedError(
                422, f"Idempotency-Key {key!r} belongs to another request (job {known.id}); use a new key"
            )
        return known

    def _again(self, job: Job) -> bool:
        if job.status == "done":
            return job.result is None or not (self._store.folder(job.id) / job.result).is_dir()
        return job.status == "failed" and job.error is not None and job.error.status == 503

    def get(self, identity: str) -> Job:
        """Return a job. Raises `RefusedError` (404) without one."""
        with self._change:
            job = self._jobs.get(identity)
        if job is None:
            raise RefusedError(404, f"no job {identity!r} here")
        return job

    def report(self, identity: str) -> Report | None:
        """Latest progress of a job that runs: stage, done, total."""
        return self._reports.get(identity)

    def count(self, status: str) -> int:
        """How many jobs have a status."""
        with self._change:
            return sum(job.status == status for job in self._jobs.values())

    def result(self, identity: str, name: str) -> Path:
        """Path of a file of a finished reduction.

        Raises
        ------
        RefusedError
            There is no such job (404), it is not done (409), or its files were removed (410).
        """
        job = self.get(identity)
        if job.status != "done" or job.result is None:
            why = job.error.detail if job.error is not None else "ask again when it is done"
            raise RefusedError(409, f"job {identity} is {job.status}: {why}")
        path = self._store.folder(identity) / job.result / name
        if not path.is_file():
            raise RefusedError(410, f"{name} of job {identity} was removed from the service's folder")
        return path

    def _keep(self, job: Job) -> None:
        """Make `job` the state of things, on disk first."""
        with self._change:
            self._store.save(job)
            self._jobs[job.id] = job
            self._keys |= dict.fromkeys(job.keys, job.id)

    def _enqueue(self, identity: str) -> None:
        self._pool.submit(self._run, identity).add_done_callback(partial(self._settle, identity))

    def _run(self, identity: str) -> ResultRef:
        job = self.get(identity)
        job = job.evolve(status="running", started=_now(), attempts=job.attempts + 1)
        self._keep(job)
        # A folder of its own for each attempt: a worker of an earlier one may still be alive.
        out = self._store.folder(identity) / f"result-{job.attempts}"

        def report(stage: str, done: int, total: int) -> None:
            self._reports[identity] = (stage, done, total)

        return self._executor.execute(job.body.confined(self._data), out, overwrite=True, progress=report)

    def _settle(self, identity: str, future: "Future[ResultRef]") -> None:
        """Keep how a job ended. One that was not begun, or was stopped, stays for the next start."""
        if future.cancelled():
            return
        error, job = future.exception(), self.get(identity)
        if error is None:
            done = future.result()
            job = job.evolve(status="done", result=done.folder.name, key=done.key)
        elif isinstance(error, StoppedError):
            job = job.evolve(status="queued")
        else:
            job = job.evolve(status="failed", error=problem_of(error))
        if not isinstance(error, UmbraError | None):
            log_failure(f"job {identity}", error)
        self._reports.pop(identity, None)
        try:
            self._keep(job.evolve(finished=_now()) if job.ended else job)
            self._store.tidy(job)
        except ResourceError as unkept:
            log_failure(f"keeping job {identity}", unkept)
            with self._change:
                self._jobs[identity] = job

    def close(self) -> None:
        """Stop what runs; jobs that are not done are begun again by the next start."""
        self.stopping.set()
        self._executor.close()
        self._pool.shutdown(cancel_futures=True)
        self._store.close()


def _now() -> datetime:
    return datetime.now(UTC)
