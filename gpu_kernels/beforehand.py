"""The first use after an installation: half of the kernels are compiled by a second process meanwhile.

numba compiles one function at a time in a process. Pass 1 needs star fits first, the coarse correlation
and photometry seconds later, so another process compiles these and leaves them in the shared cache.
Results do not depend on it: what is not in the cache when needed is compiled then.

``python -m gpu_kernels.beforehand`` compiles everything, for an installation that wants its first
reduction to be as quick as the second.
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
    """Compile and keep coarse correlation, then photometry, for a pixel type."""
    from gpu_kernels.align import Pattern, bin_sum, correlate

    frame = _frame(dtype)
    one = np.array([5])
    correlate(bin_sum(frame, 3), Pattern(one, one, np.ones(1, np.float32), (20, 20)), 10.0)
    _mark("coarse", dtype).touch()

    from gpu_kernels.photometry import measure

    measure(frame[None], np.array([[30.0]]), np.array([[30.0]]), np.array([3.0]), 6.0, 12.0)
    _mark("photometry", dtype).touch()


def _compile_fits(dtype: str) -> None:
    """Compile and keep the fits of stars for a pixel type."""
    from gpu_kernels.align import Stars, fit_stars, locate

    frame, place = _frame(dtype), np.array([30.0])
    fit_stars(frame, place, place, 3, 1.3, 25.0, 1.0, np.inf)
    locate(frame, place, place, Stars(1.3, 25.0, 1.0, np.inf), 6, False)


def _compile_development(dtype: str) -> None:
    """Compile and keep the development of recorded samples of a pixel type."""
    from gpu_kernels.calibrate import Development, develop

    frame = _frame(dtype)
    develop(frame[None], Development(defect=frame == 7))


def _frame(dtype: str) -> NDArray[Any]:
    return (np.arange(60 * 60) % 251).reshape(60, 60).astype(dtype)


if __name__ == "__main__":
    for pixel_type in sys.argv[1:] or ("uint8", "uint16", "float32"):
        _compile(pixel_type)
        if not sys.argv[1:]:
            _compile_fits(pixel_type)
            _compile_development(pixel_type)
