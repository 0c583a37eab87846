"""Read-ahead: the same blocks in the same order, errors in their place, nothing left running."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from reduction.errors import DataError
from reduction.readahead import one_ahead
from tests.reduction.test_view import Held


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_blocks_of_a_stack() -> None:
    stack = Held(np.random.default_rng(1).integers(0, 200, (9, 5, 6), np.uint8))
    spans = [(0, 4), (4, 8), (8, 9), (2, 2), (1, 3)]
    found = list(one_ahead(stack.read(start, stop) for start, stop in spans))
    assert len(found) == len(spans)
    for (start, stop), block in zip(spans, found, strict=True):
        np.testing.assert_array_equal(block, stack.read(start, stop))
    assert not readers()


@pytest.mark.parametrize("count", [0, 1, 2, 17])
def test_everything_once_in_order(count: int) -> None:
    assert list(one_ahead(iter(range(count)))) == list(range(count))


def test_one_item_ahead_and_no_more() -> None:
    made: list[int] = []
    ready = threading.Semaphore(0)

    def items() -> Iterator[int]:
        for k in range(10):
            made.append(k)
            yield k
            ready.release()

    ahead = one_ahead(items())
    assert next(ahead) == 0
    assert ready.acquire(timeout=300)  # the thread is past item 0 ...
    while len(made) < 2:
        time.sleep(0.001)
    time.sleep(0.05)
    assert made == [0, 1]  # ... has made the next, and waits
    assert next(ahead) == 1
    assert list(ahead) == list(range(2, 10))


def test_an_error_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise DataError("frame 3 is damaged")

    ahead = one_ahead(items())
    seen = [next(ahead) for _ in range(3)]
    with pytest.raises(DataError, match="frame 3"):
        next(ahead)
    assert seen == [0, 1, 2]
    assert not readers()


def test_whoever_stops_early_leaves_nothing_running() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1_000_000)
        finally:
            closed.set()

    ahead = one_ahead(items())
    assert next(ahead) == 0
    ahead.close()
    assert closed.is_set()
    assert not readers()


def interrupted_at(item: int, items: Iterator[int]) -> None:
    for found in items:
        if found == item:
            raise KeyboardInterrupt


def test_an_interrupted_caller_leaves_nothing_running() -> None:
    ahead = one_ahead(iter(range(100)))
    with pytest.raises(KeyboardInterrupt):
        interrupted_at(5, ahead)
    del ahead
    assert not readers()
