"""Work on many things, some ahead of what is asked for, in order and in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

One = TypeVar("One")
Result = TypeVar("Result")
WAITING = 4
"""Things under way for each thread."""


def ahead(work: Callable[[One], Result], things: Iterable[One], threads: int) -> Iterator[Result]:
    """Results of `work` for each thing, in order; what it raises is raised in its place.

    Parameters
    ----------
    work : callable
        Safe for threads.
    things : iterable
        Taken when there is room: at most `WAITING` for each thread.
    threads : int
        One: everything is done here.
    """
    left = iter(things)
    first = list(islice(left, 2))
    if threads == 1 or len(first) < 2:
        for one in chain(first, left):
            yield work(one)
        return
    with ThreadPoolExecutor(threads, "store") as pool:
        under_way: deque[Future[Result]] = deque(pool.submit(work, one) for one in first)
        try:
            while under_way:
                for one in islice(left, WAITING * threads - len(under_way)):
                    under_way.append(pool.submit(work, one))
                yield under_way.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
