"""Pixels that are to be left out, compiled by numba."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import kernel


@kernel
def blank_boxes(
    mask: NDArray[np.bool_], left: NDArray[np.int64], top: NDArray[np.int64], boxes: NDArray[np.float64]
) -> None:
    """Put NaN into `boxes` (n, m, m), cut at `left`, `top`, where `mask` (height, width) is set."""
    height, width = mask.shape
    size = boxes.shape[1]
    for s in range(boxes.shape[0]):
        for y in range(max(top[s], 0), min(top[s] + size, height)):
            for x in range(max(left[s], 0), min(left[s] + size, width)):
                if mask[y, x]:
                    boxes[s, y - top[s], x - left[s]] = math.nan


@kernel
def leave_out(
    frame: NDArray[Any],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    factor: int,
    torn: NDArray[np.int64],
    gain: NDArray[np.float32],
    holes: NDArray[np.int64],
    sources: NDArray[np.int64],
    binned: NDArray[np.float32],
) -> None:
    """Take pixels (rows, columns) out of the sums `binned` of `factor` x `factor` pixels.

    What is left of the bins `torn` (flat numbers) is scaled by `gain`; the bins `holes` get the mean of
    their `sources` (hole, 4), -1: none.
    """
    flat = binned.reshape(-1)
    for k in range(rows.size):
        value = float(frame[rows[k], columns[k]])
        if math.isfinite(value):
            binned[rows[k] // factor, columns[k] // factor] -= np.float32(value)
    for k in range(torn.size):
        flat[torn[k]] *= gain[k]
    for k in range(holes.size):
        total, count = 0.0, 0
        for j in range(4):
            if sources[k, j] >= 0:
                total += flat[sources[k, j]]
                count += 1
        flat[holes[k]] = np.float32(total / count) if count > 0 else np.float32(0.0)
