"""Reading goes on while kernels run: one thread reads the next block of frames."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
_END: Any = object()


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
