"""How many threads may work at once in this process."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

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

    All calls at work in this process share its cores: where others keep them busy, one thread does it. The
    calling thread works too: it has its core already, which a thread that takes its place has to wait for.
    """
    with _lock:
        threads = max(1, min(cores() - sum(_busy), len(items)))
        _busy.append(threads)
    try:
        if threads == 1:
            return [work(item) for item in items]
        return _Shared(work, items).by(threads)
    finally:
        with _lock:
            _busy.remove(threads)


class _Shared(Generic[Item, Result]):
    """Items that threads take one after the other until there are none, or one of them has failed."""

    def __init__(self, work: Callable[[Item], Result], items: Sequence[Item]) -> None:
        self._work, self._items = work, items
        self._results: dict[int, Result] = {}
        self._errors: dict[int, BaseException] = {}
        self._next, self._lock = 0, threading.Lock()

    def by(self, threads: int) -> list[Result]:
        """Results in order, by this thread and others, none of which is alive at the end."""
        others = [threading.Thread(target=self._take, name=f"umbra_{k}") for k in range(1, threads)]
        try:
            for other in others:
                other.start()
            self._take()
        finally:
            self._stop()
            for other in others:
                if other.ident is not None:
                    other.join()
        if self._errors:
            raise self._errors[min(self._errors)]
        return [self._results[k] for k in range(len(self._items))]

    def _take(self) -> None:
        while (number := self._number()) is not None:
            try:
                self._results[number] = self._work(self._items[number])
            except BaseException as error:  # noqa: BLE001 - the thread that asked raises it
                self._errors[number] = error
                self._stop()

    def _number(self) -> int | None:
        with self._lock:
            if self._next >= len(self._items):
                return None
            self._next += 1
            return self._next - 1

    def _stop(self) -> None:
        """Nobody begins another item."""
        with self._lock:
            self._next = len(self._items)
