"""What all pixels of a row have in common on one frame, compiled by numba."""

import math

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import kernel

Singles = NDArray[np.float32]


@kernel
def line_levels(
    images: Singles, cast: Singles, limit: float, first: int, rounds: int, out: NDArray[np.float64]
) -> None:
    """Fill `out` (n, h): mean of each row of ``images - cast`` within `limit` of its middle.

    The middle is the median of about `first` pixels evenly spread along the row, then `rounds` times the mean
    of what lies within. NaN where a row has no finite pixel.
    """
    height, width = cast.shape
    some = np.empty(first + 1, np.float32)
    line = np.empty(width, np.float32)
    step = max(1, -(-width // first))
    for f in range(images.shape[0]):
        for j in range(height):
            row, fixed = images[f, j], cast[j]
            for i in range(width):
                line[i] = row[i] - fixed[i]
            count = int(0)  # noqa: UP018 - of a bare 0 numba compiles every callee a second time
            for i in range(0, width, step):
                value = line[i]
                if not math.isfinite(value):
                    continue
                k = count
                while k > 0 and some[k - 1] > value:
                    some[k] = some[k - 1]
                    k -= 1
                some[k] = value
                count += 1
            if count == 0:
                out[f, j] = np.nan
                continue
            middle = float(0.5 * (np.float64(some[(count - 1) // 2]) + np.float64(some[count // 2])))
            for _ in range(rounds):
                total, inside = 0.0, 0
                for i in range(width):
                    value = float(np.float64(line[i]))
                    if abs(value - middle) <= limit:  # not so for NaN
                        total += value
                        inside += 1
                if inside == 0:
                    break
                middle = total / inside
            out[f, j] = middle
