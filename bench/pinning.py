"""One core, one thread: to be called before NumPy is imported."""

import os

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def pin() -> int:
    """Bind this process and its children to one core, the last allowed; return its number."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = "1"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core
