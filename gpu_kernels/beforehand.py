"""The first use after an installation: half of the kernels are compiled by a second process meanwhile.

numba compiles one function at a time in a process. Pass 1 needs star fits first, the coarse correlation
and photometry seconds later, so another process compiles these and leaves them in the shared cache.
Results do not depend on it: what is not in the cache when needed is compiled then.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

Part = Literal["coarse", "photometry"]
POLL_S = 0.02

_under_way: list[tuple[subprocess.Popen[bytes], str]] = []


def _mark(part: Part, dtype: str) -> Path:
    """File that says that the kernels of a part are in the cache for a pixel type."""
    return Path(str(vars(numba.config)["CACHE_DIR"])) / f"{part}-{dtype}.compiled"


def compile_beside(dtype: str) -> None:
    """Start compiling coarse correlation and photometry in another process, where they are not kept yet.

    Nothing is started on a single processor, where it would gain nothing.

    Parameters
    ----------
    dtype : str
        NumPy name of the images' pixel type.
    """
    from gpu_kernels import _numba  # noqa: F401  # names the cache folder

    if _mark("photometry", dtype).exists() or len(os.sched_getaffinity(0)) < 2 or _under_way:
        return
    command = [sys.executable, "-m", "gpu_kernels.beforehand", dtype]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment)
    _under_way.append((process, dtype))


def wait_for(part: Part) -> None:
    """Wait until the other process has compiled a part, or has ended, so that nothing is compiled twice."""
    for process, dtype in list(_under_way):
        while process.poll() is None and not _mark(part, dtype).exists():
            time.sleep(POLL_S)
        if process.poll() is not None:
            _under_way.remove((process, dtype))


def _compile(dtype: str) -> None:
    from gpu_kernels.align import Pattern, bin_sum, correlate

    frame: NDArray[Any] = np.arange(60 * 60).reshape(60, 60).astype(dtype)
    one = np.array([5])
    correlate(bin_sum(frame, 3), Pattern(one, one, np.ones(1, np.float32), (20, 20)), 10.0)
    _mark("coarse", dtype).touch()

    from gpu_kernels.photometry import measure

    measure(frame[None], np.array([[30.0]]), np.array([[30.0]]), np.array([3.0]), 6.0, 12.0)
    _mark("photometry", dtype).touch()


if __name__ == "__main__":
    _compile(sys.argv[1])
