"""Where reductions run: in this process, or as tasks on Ray. The results are the same, byte for byte."""

import atexit
import json
import logging
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from cluster.edition import edition
from cluster.ray_processes import fewer_processes, one_thread_each
from cluster.requests import ReductionRequest
from cluster.stopping import RETRIES, StoppedError
from reduction.errors import RequestError, ResourceError
from reduction.scan import Progress

if TYPE_CHECKING:
    from cluster.crew import Crew, Tasks

CLOSE_S = 10.0
OBJECT_STORE_BYTES = 512 * 2**20
KEPT_PER_WORKER = 2
"""Processes that Ray keeps while they have nothing to do.

By default it ends some of those that share a recording when the one that leads does something alone for a
second; the next ones would have to load everything again.
"""


@dataclass(frozen=True, slots=True)
class ResultRef:
    """A finished reduction: its folder and its key."""

    folder: Path
    key: str


class Executor(Protocol):
    """Runs reductions. `execute` is safe from several threads."""

    @property
    def workers(self) -> int:
        """How many recordings or segments run at once."""
        ...

    @property
    def gpus(self) -> float:
        """GPUs that reductions may be computed on, together."""
        ...

    @property
    def crew(self) -> "Crew":
        """Who shares the work on one recording, for `reduce_to_folder`."""
        ...

    def execute(
        self,
        request: ReductionRequest,
        out: Path,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> ResultRef:
        """Reduce a whole recording into `out`, all or nothing.

        Raises
        ------
        UmbraError
            As `reduce_to_folder`; `StoppedError` when the executor is closed meanwhile.
        """
        ...

    def close(self) -> None:
        """Stop all work and release what was started; may be called again."""
        ...


class InProcess:
    """Runs everything in this process."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._closed = threading.Event()

    @property
    def workers(self) -> int:
        """How many recordings may be given at once."""
        return self._workers

    @property
    def gpus(self) -> float:
        """CUDA devices of this machine."""
        from gpu_kernels.device import accelerators

        return float(len(accelerators()))

    @property
    def crew(self) -> "Crew":
        """Nobody but this process."""
        from cluster.crew import Alone

        return Alone()

    def execute(
        self,
        request: ReductionRequest,
        out: Path,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> ResultRef:
        """Reduce here. Raises as `Executor.execute`."""
        from cluster.recording import reduce_to_folder  # all that a reduction needs is imported with it

        def report(stage: str, done: int, total: int) -> None:
            if self._closed.is_set():
                raise StoppedError(f"{request.inputs[0]}: stopped while at {stage}; reduce it again")
            if progress is not None:
                progress(stage, done, total)

        result = reduce_to_folder(request, out, overwrite, report)
        return ResultRef(out, result.provenance.key)

    def close(self) -> None:
        """Stop what other threads execute at its next report."""
        self._closed.set()


class RayExecutor:
    """Runs segments, or whole recordings, as Ray tasks.

    Parameters
    ----------
    address : str
        ``local`` starts a Ray of its own, whatever else runs on this machine; otherwise that of a cluster.
    workers : int, optional
        Tasks at once; the CPUs of this process by default.
    retries : int
        How often a task is begun again when its worker dies. Errors of Umbra are never retried.

    Raises
    ------
    RequestError
        `workers` is below one.
    ResourceError
        Ray is not installed, runs already in this process, or does not start.
    """

    def __init__(self, address: str = "local", workers: int | None = None, retries: int = RETRIES) -> None:
        self._workers = len(os.sched_getaffinity(0)) if workers is None else workers
        if self._workers < 1:
            raise RequestError(f"{workers} workers: give one or more")
        self._retries = retries
        self._closed = threading.Event()
        self._left = threading.Condition()
        self._inside = 0
        self._ray = _start(address, self._workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def workers(self) -> int:
        """Tasks at once."""
        return self._workers

    @property
    def crew(self) -> "Crew":
        """Tasks for the shards, spans and segments of one recording."""
        from cluster.crew import RayCrew

        return RayCrew(self._tasks)

    @property
    def _tasks(self) -> "Tasks":
        from cluster.crew import Tasks

        return Tasks(
            self._ray, self._workers, self._retries, in_use=self._in_use, stopped=self._closed.is_set
        )

    def execute(
        self,
        request: ReductionRequest,
        out: Path,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> ResultRef:
        """Reduce a whole recording as one task. Raises as `Executor.execute`."""
        out, name = out.absolute(), request.inputs[0]
        out.parent.mkdir(parents=True, exist_ok=True)
        news = out.parent / f".{out.name}.{secrets.token_hex(4)}.progress"
        last: list[Any] = []

        def follow() -> None:
            nonlocal last
            report = json.loads(news.read_text(encoding="utf-8")) if news.exists() else last
            if report != last and progress is not None:
                progress(*report)
            last = report

        arguments = (request.model_dump_json(), str(out), overwrite, str(news))
        try:
            key: str = self.call("reduce_whole_task", arguments, name, meanwhile=follow)
        finally:
            news.unlink(missing_ok=True)
        return ResultRef(out, key)

    def call(
        self,
        task: str,
        arguments: Sequence[Any],
        what: str,
        *,
        memory_bytes: int = 0,
        gpus: float = 0.0,
        retries: int | None = None,
        meanwhile: Callable[[], None] | None = None,
        helpers: int = 0,
    ) -> Any:
        """Run one of `cluster.tasks` and wait for its value.

        Parameters
        ----------
        task : str
            Its name there; the edition goes before `arguments`.
        what : str
            What it works on, for messages.
        memory_bytes : int
            What it declares to need; Ray lets no more run at once than a node has memory for.
        gpus : float
            Share of a GPU that it declares; the process sees the one that it is given, as ``cuda:0``.
        retries : int, optional
            How often it is begun again when its worker dies, instead of the executor's figure.
        meanwhile : callable, optional
            Called again and again while it runs; what it raises ends the task.
        helpers : int
            Other workers that get ready for tasks that this one will make.

        Raises
        ------
        UmbraError
            As the task; `DiedError` where its worker died; `StoppedError` when the executor is closed.
        """
        ref = self._sent(task, arguments, what, memory_bytes, gpus, retries)
        for _ in range(helpers):
            self._sent("get_ready_task", (), what, 0, 0.0, 0)
        unfinished = [ref]
        try:
            value = self._tasks.value(ref, what, meanwhile)
            unfinished.clear()
        finally:
            self._tasks.cancel(unfinished)
        return value

    def get_ready(self, meanwhile: Callable[[], None] | None = None) -> None:
        """Wait until the workers have loaded what they need: some seconds, on a busy machine minutes.

        Raises
        ------
        UmbraError
            As `call`; what `meanwhile` raises ends the wait.
        """
        refs = [self._sent("get_ready_task", (), "workers", 0, 0.0, None) for _ in range(self._workers)]
        for ref in refs:
            self._tasks.value(ref, "workers", meanwhile)

    def stream(
        self,
        task: str,
        arguments: Sequence[Any],
        what: str,
        *,
        memory_bytes: int = 0,
        gpus: float = 0.0,
        meanwhile: Callable[[], None],
    ) -> Iterator[Any]:
        """Run one of `cluster.tasks` that yields values, once, and yield them as they come; as `call`."""
        found = self._sent(task, arguments, what, memory_bytes, gpus, 0)
        return self._tasks.values(found, what, meanwhile)

    def _sent(
        self,
        task: str,
        arguments: Sequence[Any],
        what: str,
        memory_bytes: int,
        gpus: float,
        retries: int | None,
    ) -> Any:
        """What Ray answers to a task."""
        from cluster import tasks

        options: dict[str, Any] = {"max_retries": self._retries if retries is None else retries}
        if memory_bytes:
            options["memory"] = memory_bytes
        if gpus:
            options["num_gpus"] = gpus
        with self._in_use(what):
            return getattr(tasks, task).options(**options).remote(edition(), *arguments)

    @property
    def memory_bytes(self) -> int:
        """What the nodes offer to tasks, together."""
        with self._in_use("memory"):
            return int(self._ray.cluster_resources().get("memory", 0))

    @property
    def cpus(self) -> int:
        """CPUs that the nodes offer to tasks, together."""
        with self._in_use("CPUs"):
            return int(self._ray.cluster_resources().get("CPU", 0))

    @property
    def gpus(self) -> float:
        """GPUs that the nodes offer to tasks, together."""
        with self._in_use("GPUs"):
            return float(self._ray.cluster_resources().get("GPU", 0.0))

    @contextmanager
    def _in_use(self, what: str) -> Iterator[None]:
        """Keep Ray from being shut down during the body."""
        with self._left:
            if self._closed.is_set():
                raise StoppedError(f"{what}: not reduced, the executor is closed; reduce it again")
            self._inside += 1
        try:
            yield
        finally:
            with self._left:
                self._inside -= 1
                self._left.notify_all()

    def close(self) -> None:
        """Stop all tasks, and the Ray that was started or joined here."""
        with self._left:
            if self._closed.is_set():
                return
            self._closed.set()
            self._left.wait_for(lambda: not self._inside, CLOSE_S)
        self._ray.shutdown()


def _start(address: str, workers: int) -> Any:
    """Start or join Ray; its module."""
    # Ray listens on every interface: without a token, anyone who reaches the machine could run code.
    # A token of this process alone, unless one was given. Ray reads the mode when it is imported.
    if "ray" not in sys.modules:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    if not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys() and address == "local":
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # the behaviour of later versions
    # A SIGTERM while Ray starts is answered by Ray: nothing runs yet that would be worth half a minute's wait
    os.environ.setdefault("RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", "0")
    try:
        import ray
    except ImportError as error:
        raise ResourceError(f"Ray cannot be imported ({error}); install umbra-occultation again") from error
    if ray.is_initialized():
        raise ResourceError("Ray runs in this process already; close it, or use the executor that started it")
    options: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        options |= {
            "include_dashboard": False,
            "num_cpus": workers,
            "object_store_memory": OBJECT_STORE_BYTES,
            "_system_config": {"num_workers_soft_limit": KEPT_PER_WORKER * workers + 1},
        }
    with _own_sigterm():
        try:
            _init(ray, options)
        except _LateError:  # a busy machine: once more
            try:
                _init(ray, options)
            except _LateError as error:
                raise ResourceError(f"{error}; is the machine very busy? try again") from error
    with suppress(ImportError):
        # Ray's library of colours ends a process with a code for the terminal, sent to whatever stands in
        # place of standard output now
        atexit.unregister(import_module("colorama.initialise").reset_all)
    return ray


class _LateError(ResourceError):
    """Ray's processes did not answer in the time that Ray gives them."""


def _init(ray: Any, options: dict[str, Any]) -> None:
    """Start or join Ray, or leave nothing of it that Ray knows of."""
    started = False
    try:
        with one_thread_each(), fewer_processes():
            ray.init(**options)
        started = True
    except (OSError, RuntimeError, ValueError) as error:
        raise ResourceError(_not_started(options, error)) from error
    except BaseException as error:
        if type(error) is Exception:  # what Ray raises of a node that does not answer
            raise _LateError(_not_started(options, error)) from error
        raise
    finally:
        if not started:
            ray.shutdown()


def _not_started(options: dict[str, Any], error: BaseException) -> str:
    return (
        f"Ray at {options['address']} does not start: {error}; its logs are in /tmp/ray/session_latest/logs"
    )


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's answer to SIGTERM: `ray.init` puts its own in place, which skips clean-up.

    Where that one has answered, by `SystemExit`, this process's own does so after it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, ended = signal.getsignal(signal.SIGTERM), False
    try:
        yield
    except SystemExit:
        ended = True
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        if ended:
            signal.raise_signal(signal.SIGTERM)
