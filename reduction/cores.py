"""How many threads may work at once in this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_limits: list[int] = []


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
