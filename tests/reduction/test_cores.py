import os
import threading
import time
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
        barrier.wait(300)
        alive.append(sum(thread.name.startswith("umbra") for thread in threading.enumerate()))
        return item

    assert on_all_cores(work, range(4)) == [0, 1, 2, 3]
    assert max(alive) == 3  # and the one that asked

    def nested(item: int) -> list[str]:
        return on_all_cores(lambda _: threading.current_thread().name, range(3))

    with ThreadPoolExecutor(1, "outer") as pool:
        names = pool.submit(on_all_cores, nested, range(4)).result()
    for one in names:  # all cores are taken: each inner call stays in its thread
        assert len(set(one)) == 1
    assert not cores_module._busy


def test_the_first_error_is_raised_and_nothing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of items, not of time; those behind it are not begun, those at work are waited for."""
    monkeypatch.setattr(cores_module, "cores", lambda: 3)
    begun: list[int] = []
    later = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            later.wait(300)
            raise KeyError(item)
        if item == 2:
            later.set()
            raise IndexError(item)
        later.wait(300)
        return item

    before = set(threading.enumerate())
    with pytest.raises(KeyError):
        on_all_cores(work, range(1000))
    assert set(begun) <= set(range(5))
    assert set(threading.enumerate()) == before
    assert not cores_module._busy


def test_an_interruption_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores_module, "cores", lambda: 2)
    asked = threading.current_thread()
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        if threading.current_thread() is asked:
            raise KeyboardInterrupt
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        on_all_cores(work, range(1000))
    assert len(begun) < 1000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("umbra_")]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 300])
def test_every_item_once_and_in_order(monkeypatch: pytest.MonkeyPatch, threads: int, count: int) -> None:
    monkeypatch.setattr(cores_module, "cores", lambda: threads)
    seen: list[int] = []

    def work(item: int) -> int:
        seen.append(item)
        return -item

    assert on_all_cores(work, range(count)) == [-item for item in range(count)]
    assert sorted(seen) == list(range(count))
