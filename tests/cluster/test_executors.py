"""Executors: the contract, dying workers, other editions, closing."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cluster.campaign.digests import Digests
from cluster.campaign.observation import Observation
from cluster.campaign.orders import work_for
from cluster.crew import QUEUE_PER_WORKER, Tasks
from cluster.edition import edition
from cluster.executors import InProcess, RayExecutor
from cluster.location import Location, locate, reopen
from cluster.ray_processes import THREAD_VARIABLES
from cluster.recording import reduce_to_folder
from cluster.stopping import StoppedError
from cluster.store import open_store
from ingest import convert
from ingest.formats import open_in_place
from ingest.stack import plan_layout
from ingest.writers import write_avi, write_ser
from reduction.cores import cores
from reduction.errors import DataError, RequestError, ResourceError
from tests.contracts.executors import (
    SCENE,
    SEGMENT,
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
        with pytest.MonkeyPatch.context() as patch:
            for name in THREAD_VARIABLES:
                patch.setenv(name, "2")  # of this process, not for the workers
            executor = RayExecutor(workers=2)
        with executor:
            yield executor

    @pytest.mark.usefixtures("executor")
    def test_one_ray_in_a_process(self) -> None:
        with pytest.raises(ResourceError, match="already"):
            RayExecutor(workers=1)

    def test_nobody_has_to_wait_until_workers_are_ready(self, executor: RayExecutor) -> None:
        def stop() -> None:
            raise StoppedError("told to end")

        with pytest.raises(StoppedError, match="told to end"):
            executor.get_ready(stop)
        executor.get_ready()

    def test_no_workers(self) -> None:
        with pytest.raises(RequestError, match="one or more"):
            RayExecutor(workers=0)

    @pytest.mark.usefixtures("executor")
    def test_workers_have_one_thread(self) -> None:
        import ray

        names = THREAD_VARIABLES
        seen = ray.get(ray.remote(lambda: [os.environ.get(name) for name in names]).remote())
        assert seen == ["1", "1", "1"]

    @pytest.mark.usefixtures("executor")
    def test_nothing_is_started_that_has_nothing_to_do(self) -> None:
        titles = list(below(os.getpid()).values())
        assert any(title.split(b"\0")[0].endswith(b"/raylet") for title in titles)
        assert not any(b"monitor.py" in title or b"dashboard.py" in title for title in titles)

    @pytest.mark.parametrize("whole", [False, True])
    def test_a_killed_worker_changes_nothing(
        self, executor: RayExecutor, recording: Path, expected: dict[str, bytes], tmp_path: Path, whole: bool
    ) -> None:
        request, out = request_of(recording), tmp_path / "out"
        with a_worker_killed() as killed:
            if whole:
                executor.execute(request, out)
            else:
                reduce_to_folder(request, out, crew=executor.crew)
        assert killed
        assert bytes_of(out) == expected

    def test_workers_decode_shards_of_one_stack(
        self, executor: RayExecutor, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reduce_to_folder(request_of(video), tmp_path / "expected")
        monkeypatch.setattr(
            "ingest.convert.plan_layout", lambda info, shard=None: plan_layout(info, shard or 32)
        )
        monkeypatch.setattr(convert, "_write_here", None)
        steps: list[tuple[str, int, int]] = []
        reduce_to_folder(
            request_of(video), tmp_path / "out", crew=executor.crew, progress=lambda *step: steps.append(step)
        )
        assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "expected")
        assert [step for step in steps if step[0] == "ingest"] == [
            ("ingest", min(32 * (n + 1), SCENE.frames), SCENE.frames) for n in range(10)
        ]

    def test_an_order_that_workers_share(self, executor: RayExecutor, video: Path, tmp_path: Path) -> None:
        reduce_to_folder(request_of(video), tmp_path / "expected")
        (tmp_path / "scratch").mkdir()
        with closing(Digests(None)) as digests:
            work = work_for(Observation("A", 1, request_of(video)), str(tmp_path / "store"), digests)
        forgotten = tmp_path / "scratch" / "stacks" / "forgotten"
        forgotten.mkdir(parents=True)
        os.utime(forgotten, (0, 0))
        arguments = (work.text, "job", 1, str(tmp_path / "scratch"), str(tmp_path / "news"), 2, 1 << 28)
        account = json.loads(executor.call("perform_order_task", arguments, "A", memory_bytes=1 << 28))
        assert account["frames"] == SCENE.frames
        open_store(tmp_path / "store").fetch("results", work.key, tmp_path / "out")
        assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "expected")
        assert not list((tmp_path / "scratch" / "stacks").iterdir())

    def test_what_was_done_before_a_death_is_not_done_again(
        self, executor: RayExecutor, video: Path, tmp_path: Path
    ) -> None:
        reduce_to_folder(request_of(video), tmp_path / "expected")
        kept = tmp_path / "kept"
        kept.mkdir()

        def dies(stage: str, done: int, _total: int) -> None:
            if stage == "measure" and done > SEGMENT:
                raise StoppedError("taken away")

        with pytest.raises(StoppedError, match="taken away"):
            reduce_to_folder(
                request_of(video), tmp_path / "out", False, dies, executor.crew.keeping(kept), None, kept
            )
        done = {path: path.stat().st_mtime_ns for path in kept.rglob("*") if path.is_file()}
        first = kept / f"segment-0-{SEGMENT}"
        assert first in done
        assert [path for path in done if path.parent.parent.name == "c"]
        first.write_bytes(first.read_bytes()[:-9])  # as a power cut leaves it
        reduce_to_folder(
            request_of(video), tmp_path / "out", False, None, executor.crew.keeping(kept), None, kept
        )
        assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "expected")
        now = {path: path.stat().st_mtime_ns for path in done}
        again = {path for path in done if now[path] != done[path]}
        assert first in again
        assert {path.name for path in again} <= {first.name, "zarr.json"}

    def test_workers_that_always_die(self, executor: RayExecutor) -> None:
        import ray

        ref = ray.remote(lambda: os.kill(os.getpid(), signal.SIGKILL)).options(max_retries=0).remote()
        with pytest.raises(ResourceError, match=r"a\.ser: its worker died"):
            executor._tasks.value(ref, "a.ser")

    def test_another_edition_is_refused(self, executor: RayExecutor) -> None:
        ref = tasks.measure_span_task.remote("0.0.9 measure=1", "id", b"", 0, 1)
        with pytest.raises(ResourceError, match=r"0\.0\.9.*same version"):
            executor._tasks.value(ref, "a.ser")
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
            reduce_to_folder(request_of(path), tmp_path / "out", progress=remove, crew=executor.crew)
        assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "a.avi"
    scene = replace(SCENE, bit_depth=8, gain_e_per_adu=12.0, offset_adu=10.0)
    write_avi(path, (scene.frame(i) for i in range(scene.frames)), rate=25, codec="ffv1")
    return path


class Counting:
    """A Ray whose tasks are over at once, and the task itself; how many were begun."""

    def __init__(self) -> None:
        import ray

        self.exceptions = ray.exceptions
        self.begun = 0

    def put(self, content: bytes) -> bytes:
        return content

    def wait(self, refs: list[int], **_timeout: float) -> tuple[list[int], list[int]]:
        return refs, []

    def get(self, ref: int) -> int:
        return ref

    def options(self, **_declared: object) -> "Counting":
        return self

    def remote(self, _edition: str, _identity: str, _work: bytes, start: int, _stop: int) -> int:
        self.begun += 1
        return start


def test_no_more_is_begun_than_the_reader_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits to be taken is bounded, however slow the reader and long the recording."""
    ray = Counting()
    monkeypatch.setattr(tasks, "measure_span_task", ray)
    crew = Tasks(ray, workers=3, retries=0)
    taken = 0
    with closing(
        crew.in_order("measure_span_task", None, [(i, i + 1) for i in range(200)], "a.ser")
    ) as values:
        for value in values:
            assert value == taken
            taken += 1
            assert ray.begun - taken < QUEUE_PER_WORKER * 3
    assert taken == ray.begun == 200


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
    assert time.monotonic() - began < 300.0
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
