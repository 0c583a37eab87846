import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import reduction.cores as cores_module
from reduction.cores import at_most, cores, on_all_cores


def test_those_the_process_is_bound_to() -> None:
    bound = os.sched_getaffinity(0)
    assert cores() == len(bound)
    os.sched_setaffinity(0, {min(bound)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, bound)


def test_never_more_than_the_limit() -> None:
    with at_most(1):
        assert cores() == 1
        with at_most(10_000):
            assert cores() == 1
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(cores).result() == 1
    assert cores() == len(os.sched_getaffinity(0))


def test_the_limit_ends_with_an_error() -> None:
    with pytest.raises(KeyError), at_most(1):
        raise KeyError
    assert cores() == len(os.sched_getaffinity(0))


def test_no_cores_at_all() -> None:
    with pytest.raises(ValueError, match="one or more"), at_most(0):
        pass


def test_readers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores_module, "cores", lambda: 4)
    alive: list[int] = []
    barrier = threading.Barrier(4)

    def work(item: int) -> int:
        barrier.wait(5)
        alive.append(sum(thread.name.startswith("umbra") for thread in threading.enumerate()))
        return item

    assert on_all_cores(work, range(4)) == [0, 1, 2, 3]
    assert max(alive) == 4

    def nested(item: int) -> list[str]:
        return on_all_cores(lambda _: threading.current_thread().name, range(3))

    with ThreadPoolExecutor(1, "outer") as pool:
        names = pool.submit(on_all_cores, nested, range(4)).result()
    for one in names:  # all cores are taken: each inner call stays in its thread
        assert len(set(one)) == 1
    assert not cores_module._busy
