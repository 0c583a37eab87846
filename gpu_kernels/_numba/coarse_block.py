"""The coarse correlation of many frames in one call, compiled by numba: `align.correlate` frame by frame."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel
from gpu_kernels._numba.coarse import (
    add_columns,
    add_rows,
    column_means,
    correlate_sparse,
    cut_above,
    smooth_121,
    sum_17,
)

Floats32 = NDArray[np.float32]


@kernel
def correlate_block(
    frames: NDArray[Any],
    factor: int,
    offset: Floats32,
    scale: Floats32,
    half: int,
    tall: Floats32,
    wide: Floats32,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: Floats32,
    cap: float,
    summed: NDArray[Any],
    places: NDArray[np.float64],
) -> None:
    """Fill `places` (n, 2) with the shift (dx, dy), bins, that brings the pattern onto each frame.

    `frames` (n, h, w) are integers, binned by `factor`, `summed` (h // factor, w) is scratch; `offset` and
    `scale` (h // factor, w // factor or 0) are those of `Development`, summed and averaged over bins.
    `half`, `tall` and `wide` belong to the surroundings taken off (`align.flattened`); `rows`, `columns` and
    `weights` are the pattern.
    """
    height, width = frames.shape[1] // factor, frames.shape[2] // factor
    binned = np.empty((height, width), np.float32)
    flat, padded = np.empty_like(binned), np.zeros((height, width + 2 * half), np.float32)
    sums, line = np.empty_like(padded), np.empty(width + 2 * half, np.float32)
    surface = np.empty((height // 2 * 2 + 1, width // 2 * 2 + 1), np.float32)
    highest = np.empty(surface.shape[1], np.float32)
    for f in range(frames.shape[0]):
        add_rows(frames[f], factor, summed)
        add_columns(summed, factor, binned)
        if offset.size > 0:
            for i in range(height):
                goal, dark = binned[i], offset[i]
                for k in range(width):
                    goal[k] -= dark[k]
        if scale.size > 0:
            for i in range(height):
                goal, light = binned[i], scale[i]
                for k in range(width):
                    goal[k] *= light[k]
        column_means(binned, half, tall, padded, line)
        sum_17(padded, line, sums)
        cut_above(binned, sums, wide, np.float32(cap), flat)
        smooth_121(flat, sums)
        correlate_sparse(flat, rows, columns, weights, surface)
        _peak(surface, highest, places[f])


@inner
def _peak(surface: Floats32, highest: Floats32, place: NDArray[np.float64]) -> None:
    """Place of the maximum against the middle, by parabolas through its neighbours: (x, y)."""
    for k in range(highest.size):
        highest[k] = -np.inf
    for i in range(surface.shape[0]):
        row = surface[i]
        for k in range(highest.size):
            highest[k] = row[k] if row[k] > highest[k] else highest[k]
    ix, iy = 0, 0
    for k in range(highest.size):
        ix = k if highest[k] > highest[ix] else ix
    best = highest[ix]
    while iy < surface.shape[0] - 1 and surface[iy, ix] != best:
        iy += 1
    place[0], place[1] = ix - surface.shape[1] // 2, iy - surface.shape[0] // 2
    if 0 < ix < surface.shape[1] - 1:
        place[0] += _vertex(surface[iy, ix - 1], best, surface[iy, ix + 1])
    if 0 < iy < surface.shape[0] - 1:
        place[1] += _vertex(surface[iy - 1, ix], best, surface[iy + 1, ix])


@njit(inline="always", error_model="numpy")
def _vertex(before: float, here: float, after: float) -> float:
    bend = float(before) - 2.0 * float(here) + float(after)
    return 0.0 if bend >= 0.0 else 0.5 * (float(before) - float(after)) / bend
