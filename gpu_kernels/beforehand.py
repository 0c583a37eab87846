"""The first use after an installation: half of the kernels are compiled by a second process meanwhile.

numba compiles one function at a time in a process. Pass 1 needs the alignment kernels first and those of
photometry seconds later, so another process compiles these and leaves them in the shared cache.
Results do not depend on it: what is not in the cache when needed is compiled then.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

_under_way: list[subprocess.Popen[bytes]] = []


def _mark(dtype: str) -> Path:
    """File that says that the photometry of a pixel type is in the cache."""
    return Path(str(vars(numba.config)["CACHE_DIR"])) / f"photometry-{dtype}.compiled"


def compile_photometry_beside(dtype: str) -> None:
    """Start compiling the photometry of a pixel type in another process, where it is not kept yet.

    Nothing is started on a single processor, where it would gain nothing.

    Parameters
    ----------
    dtype : str
        NumPy name of the images' pixel type.
    """
    from gpu_kernels import _numba  # noqa: F401  # names the cache folder

    if _mark(dtype).exists() or len(os.sched_getaffinity(0)) < 2 or _under_way:
        return
    command = [sys.executable, "-m", "gpu_kernels.beforehand", dtype]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    quiet = subprocess.DEVNULL
    _under_way.append(subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment))


def wait_for_photometry() -> None:
    """Wait for `compile_photometry_beside`, so that nothing is compiled twice."""
    while _under_way:
        _under_way.pop().wait()


def _compile(dtype: str) -> None:
    from gpu_kernels.photometry import measure

    frames: NDArray[Any] = np.arange(40 * 40).reshape(1, 40, 40).astype(dtype)
    measure(frames, np.array([[20.0]]), np.array([[20.0]]), np.array([3.0]), 6.0, 12.0)
    _mark(dtype).touch()


if __name__ == "__main__":
    _compile(sys.argv[1])
