"""How many threads may work at once in this process."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_limits: list[int] = []
_lock = threading.Lock()
_busy: list[int] = []


def cores() -> int:
    """Threads that may work at once: the CPUs this process is bound to, or fewer within `at_most`."""
    return min([len(os.sched_getaffinity(0)), *_limits])


@contextmanager
def at_most(limit: int) -> Iterator[None]:
    """Let `cores` return `limit` at most during the body, in every thread of the process.

    For a worker that was given a share of a machine without being bound to it.

    Raises
    ------
    ValueError
        `limit` is below one.
    """
    if limit < 1:
        raise ValueError(f"{limit} cores: give one or more")
    _limits.append(limit)
    try:
        yield
    finally:
        _limits.remove(limit)


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield ``work(item)`` of every item, in order, computed in threads; at most `threads` + 1 are alive.

    An error of `work` is raised in its place; nothing goes on in the background once this has ended or
    is closed.
    """
    with ThreadPoolExecutor(threads, "umbra") as pool:
        coming: deque[Future[Result]] = deque()
        try:
            for item in items:
                coming.append(pool.submit(work, item))
                if len(coming) > threads:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def on_all_cores(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Results in order; the first error of an item is raised.

    All calls at work in this process share its cores: where others keep them busy, one thread does it.
    """
    with _lock:
        threads = max(1, min(cores() - sum(_busy), len(items)))
        _busy.append(threads)
    try:
        if threads == 1:
            return [work(item) for item in items]
        return list(in_order(work, items, threads))
    finally:
        with _lock:
            _busy.remove(threads)
