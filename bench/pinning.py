"""One core, one thread: to be called before NumPy is imported."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_allowed = sorted(os.sched_getaffinity(0))


def pin() -> int:
    """Bind this process and its children to one core, the last allowed; return its number."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = "1"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def allowed() -> list[int]:
    """The cores that this process had before it was pinned."""
    return list(_allowed)


def allowed_cores() -> int:
    """Cores that this process had before it was pinned."""
    return len(_allowed)


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Let this thread, and those it starts, run on `count` cores during the body."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(_allowed[-count:]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
