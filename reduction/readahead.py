"""Reading goes on while kernels run: one thread reads the next block of frames."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from numpy.typing import NDArray

from reduction.stack import Stack

Item = TypeVar("Item")
_END: Any = object()


def read_ahead(stack: Stack, spans: Iterable[tuple[int, int]]) -> Iterator[NDArray[Any]]:
    """Yield the frames of each (start, stop) of `spans`, in order, one block read ahead.

    Parameters
    ----------
    stack : Stack
    spans : iterable of (int, int)
        Frames from `start` to `stop` (excluded).

    Raises
    ------
    UmbraError
        As `Stack.read`, where the block would have come.
    """
    return one_ahead(stack.read(start, stop) for start, stop in spans)


def one_ahead(items: Iterator[Item]) -> Generator[Item]:
    """Yield what `items` yields, each made in a thread while the caller is busy with the one before.

    At most three items are alive: the caller's, one that is ready, one in the making. An error of
    `items` is raised in its place. The thread ends, and `items` is closed, when this ends or is closed.
    """
    with ThreadPoolExecutor(1, "read-ahead") as pool:
        try:
            coming = pool.submit(next, items, _END)
            while (item := coming.result()) is not _END:
                coming = pool.submit(next, items, _END)
                yield item
                del item
        finally:
            pool.shutdown(cancel_futures=True)
            if isinstance(items, Generator):
                items.close()
