"""Executors: the contract, dying workers, other editions, closing."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from cluster.edition import edition
from cluster.executors import InProcess, RayExecutor
from cluster.location import Location, locate, reopen
from cluster.recording import reduce_to_folder
from cluster.stopping import StoppedError
from ingest.formats import open_in_place
from ingest.writers import write_ser
from reduction.cores import cores
from reduction.errors import DataError, RequestError, ResourceError
from tests.contracts.executors import (
    SCENE,
    ExecutorContract,
    bytes_of,
    check_closed,
    request_of,
    short_scene,
)
from tests.processes import below
from tests.requirements import require
from tests.scenes.scenes import little_ser

require("ray")

from cluster import tasks  # noqa: E402 - imports ray


class TestInProcess(ExecutorContract):
    @pytest.fixture
    def executor(self) -> InProcess:
        return InProcess()

    def test_closed(self, recording: Path, tmp_path: Path) -> None:
        check_closed(InProcess(), recording, tmp_path / "out")


class TestRay(ExecutorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls) -> Iterator[RayExecutor]:
        with RayExecutor(workers=2) as executor:
            yield executor

    @pytest.mark.usefixtures("executor")
    def test_one_ray_in_a_process(self) -> None:
        with pytest.raises(ResourceError, match="already"):
            RayExecutor(workers=1)

    def test_no_workers(self) -> None:
        with pytest.raises(RequestError, match="one or more"):
            RayExecutor(workers=0)

    @pytest.mark.usefixtures("executor")
    def test_workers_have_one_thread(self) -> None:
        import ray

        names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
        seen = ray.get(ray.remote(lambda: [os.environ.get(name) for name in names]).remote())
        assert seen == ["1", "1", "1"]

    @pytest.mark.parametrize("whole", [False, True])
    def test_a_killed_worker_changes_nothing(
        self, executor: RayExecutor, recording: Path, expected: dict[str, bytes], tmp_path: Path, whole: bool
    ) -> None:
        request, out = request_of(recording), tmp_path / "out"
        with a_worker_killed() as killed:
            if whole:
                executor.execute(request, out)
            else:
                reduce_to_folder(request, out, spread=executor.spread)
        assert killed
        assert bytes_of(out) == expected

    def test_workers_that_always_die(self, executor: RayExecutor) -> None:
        import ray

        ref = ray.remote(lambda: os.kill(os.getpid(), signal.SIGKILL)).options(max_retries=0).remote()
        with pytest.raises(ResourceError, match=r"a\.ser: its worker died"):
            executor._result(ref, "a.ser")

    def test_another_edition_is_refused(self, executor: RayExecutor) -> None:
        ref = tasks.measure_span_task.remote("0.0.9 measure=1", "id", b"", 0, 1)
        with pytest.raises(ResourceError, match=r"0\.0\.9.*same version"):
            executor._result(ref, "a.ser")
        with pytest.raises(ResourceError, match="same version"):
            tasks.reduce_whole("0.0.9", "{}", "out", False, "news")

    def test_a_task_works_with_as_many_threads_as_it_asked_cpus_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[int] = []

        def noted(*_: object) -> None:
            seen.append(cores())
            raise DataError("enough")

        monkeypatch.setattr("reduction.cores.os.sched_getaffinity", lambda _: set(range(8)))
        monkeypatch.setattr(tasks, "reduce_to_folder", noted)
        request = request_of(little_ser(short_scene(), tmp_path)).model_dump_json()
        with pytest.raises(DataError, match="enough"):
            tasks.reduce_whole(edition(), request, str(tmp_path / "out"), False, str(tmp_path / "news"))
        assert seen == [tasks.TASK_CPUS]
        assert cores() == 8

    def test_a_recording_that_vanishes(self, executor: RayExecutor, tmp_path: Path) -> None:
        path = little_ser(short_scene(), tmp_path)

        def remove(stage: str, done: int, total: int) -> None:
            path.unlink(missing_ok=True)

        with pytest.raises(ResourceError, match="not to be seen"):
            reduce_to_folder(request_of(path), tmp_path / "out", progress=remove, spread=executor.spread)
        assert not (tmp_path / "out").exists()


@contextmanager
def a_worker_killed() -> Iterator[list[int]]:
    """Kill the first worker that is seen busy during the body; its process id."""
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not killed and not over.is_set():
            killed.extend(busy_workers()[:1])
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield killed
    finally:
        over.set()
        watching.join()


def busy_workers() -> list[int]:
    """Process ids of Ray workers, below this process, that run one of our tasks just now."""
    names = (b"ray::measure_span", b"ray::reduce_whole")
    return [pid for pid, title in below(os.getpid()).items() if title.startswith(names)]


def test_closing_stops_what_runs(tmp_path: Path) -> None:
    recording = tmp_path / "long.ser"
    write_ser(recording, [SCENE.frame(i) for i in range(100)] * 80)
    before = {name: os.environ.get(name) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
    handler = signal.getsignal(signal.SIGTERM)
    executor = RayExecutor(workers=1)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert {name: os.environ.get(name) for name in before} == before
    errors: list[BaseException] = []

    def work() -> None:
        try:
            executor.execute(request_of(recording), tmp_path / "out")
        except StoppedError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive() and not busy_workers():
        time.sleep(0.02)
    began = time.monotonic()
    check_closed(executor, recording, tmp_path / "out")
    thread.join()
    assert errors
    assert time.monotonic() - began < 60.0
    assert not busy_workers()
    assert not list(tmp_path.glob(".out*.progress"))


def test_reopening_another_recording(tmp_path: Path) -> None:
    path = little_ser(short_scene(), tmp_path)
    stack = open_in_place(path)
    assert stack is not None
    location = locate(stack, [str(path)])
    stack.close()
    reopen(location).close()
    write_ser(path, [np.zeros((8, 8), np.uint8)])
    with pytest.raises(DataError, match="changed while it was reduced"):
        reopen(location)
    with pytest.raises(ResourceError, match="every node shares"):
        reopen(Location((str(tmp_path / "absent.ser"),), (1, 8, 8), "uint8"))
