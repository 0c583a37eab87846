"""Launchers of coarse.cu: binning and the coarse correlation of many frames."""

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._cuda import Array, blocks, contiguous, launch
from gpu_kernels.device import namespace

THREADS = 256
SURROUNDINGS = 8


def bin_sum(frames: Array, factor: int) -> Array:
    """`align.bin_sum` of frames ``(n, height, width)``: ``(n, height // factor, width // factor)``."""
    (frames,) = contiguous(frames)
    n, height, width = frames.shape
    rows, columns = height // factor, width // factor
    with frames.device:
        out = namespace(frames).empty((n, rows, columns), np.float32)
    grid = (n, blocks(rows * columns, THREADS))
    launch("coarse", "bin_sum", frames, grid, THREADS, frames, height, width, factor, rows, columns, out)
    return out


def flattened(binned: Array, cap: float) -> Array:
    """`align.flattened` of binned frames ``(n, rows, columns)``, float32."""
    n, rows, columns = binned.shape
    xp = namespace(binned)
    with binned.device:
        means, cut = xp.empty(binned.shape, np.float32), xp.empty(binned.shape, np.float32)
    across, whole = (n, blocks(columns, THREADS)), (n, blocks(rows * columns, THREADS))
    launch("coarse", "column_means", binned, across, THREADS, binned, rows, columns, SURROUNDINGS, means)
    launch("coarse", "cut_above", binned, whole, THREADS, binned, means, rows, columns, np.float32(cap), cut)
    launch("coarse", "smooth_121", binned, whole, THREADS, cut, rows, columns, means)
    return means


def correlate(
    flat: Array,
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    which: NDArray[np.int32],
) -> Array:
    """Shifts (dx, dy) ``(n, 2)``, bins, of flattened frames ``(n, h, w)`` against patterns ``(p, points)``.

    `which` (n,) names the pattern of each frame.
    """
    n, height, width = flat.shape
    xp = namespace(flat)
    with flat.device:
        shift = xp.empty((n, 2), np.float64)
        patterns = [xp.asarray(part) for part in (rows, columns, weights)]
        chosen = xp.asarray(which)
    points = rows.shape[1]
    launch("coarse", "correlate", flat, (n,), THREADS, flat, height, width, *patterns, points, chosen, shift)
    return shift
