"""Binning and the coarse correlation, compiled by numba."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import kernel


@kernel
def add_rows(frame: NDArray[Any], factor: int, out: NDArray[Any]) -> None:
    """Sum groups of `factor` rows of `frame` into `out` (h // factor, w), exactly: wide enough integers."""
    for i in range(out.shape[0]):
        line, total = frame[i * factor], out[i]
        for k in range(total.size):
            total[k] = line[k]
        for j in range(1, factor):
            line = frame[i * factor + j]
            for k in range(total.size):
                total[k] += line[k]


@kernel
def add_rows_finite(frame: NDArray[Any], factor: int, out: NDArray[np.float32]) -> None:
    """`add_rows` for floats; pixels that are not finite count as 0."""
    for i in range(out.shape[0]):
        total = out[i]
        for k in range(total.size):
            total[k] = np.float32(0.0)
        for j in range(factor):
            line = frame[i * factor + j]
            for k in range(total.size):
                if math.isfinite(line[k]):
                    total[k] += np.float32(line[k])


@kernel
def add_columns(rows: NDArray[Any], factor: int, out: NDArray[np.float32]) -> None:
    """Sum groups of `factor` columns of `rows` into `out` (h, w // factor)."""
    for i in range(out.shape[0]):
        line, total = rows[i], out[i]
        if factor == 2:
            for k in range(total.size):
                total[k] = np.float32(line[2 * k]) + np.float32(line[2 * k + 1])
        elif factor == 4:
            for k in range(total.size):
                total[k] = (np.float32(line[4 * k]) + np.float32(line[4 * k + 1])) + (
                    np.float32(line[4 * k + 2]) + np.float32(line[4 * k + 3])
                )
        else:
            for k in range(total.size):
                value = np.float32(0.0)
                for j in range(factor):
                    value += np.float32(line[k * factor + j])
                total[k] = value


@kernel
def column_means(
    binned: NDArray[np.float32],
    half: int,
    weight: NDArray[np.float32],
    out: NDArray[np.float32],
    line: NDArray[np.float32],
) -> None:
    """Running sums of 2 half + 1 rows, row i times ``weight[i]``, into columns half.. of the wider `out`."""
    height, width = binned.shape
    for k in range(width):
        line[k] = np.float32(0.0)
    for i in range(min(half, height)):
        row = binned[i]
        for k in range(width):
            line[k] += row[k]
    for i in range(height):
        if i + half < height:
            row = binned[i + half]
            for k in range(width):
                line[k] += row[k]
        if i - half - 1 >= 0:
            row = binned[i - half - 1]
            for k in range(width):
                line[k] -= row[k]
        total, share = out[i], weight[i]
        for k in range(width):
            total[half + k] = line[k] * share


@kernel
def sum_17(wide: NDArray[np.float32], line: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Sums of 17 neighbouring columns of `wide` (h, n), by doubling, into the first n - 16 of `out`."""
    n = wide.shape[1]
    for i in range(wide.shape[0]):
        row, total = wide[i], out[i]
        for k in range(n - 1):
            line[k] = row[k] + row[k + 1]
        for k in range(n - 3):
            total[k] = line[k] + line[k + 2]
        for k in range(n - 7):
            line[k] = total[k] + total[k + 4]
        for k in range(n - 16):
            total[k] = (line[k] + line[k + 8]) + row[k + 16]


@kernel
def cut_above(
    binned: NDArray[np.float32],
    sums: NDArray[np.float32],
    weight: NDArray[np.float32],
    top: np.float32,
    out: NDArray[np.float32],
) -> None:
    """``min(binned - sums * weight, top)``, `weight` by column."""
    for i in range(out.shape[0]):
        value, total, goal = binned[i], sums[i], out[i]
        for k in range(goal.size):
            rest = value[k] - total[k] * weight[k]
            goal[k] = rest if rest < top else top


@kernel
def smooth_121(image: NDArray[np.float32], scratch: NDArray[np.float32]) -> None:
    """Smooth with 1-2-1 both ways, in place, so that a shift of half a value costs little."""
    height, width = image.shape
    for i in range(height):
        above, here, below, goal = image[max(i - 1, 0)], image[i], image[min(i + 1, height - 1)], scratch[i]
        for k in range(width):
            goal[k] = (above[k] + below[k]) + np.float32(2.0) * here[k]
    for i in range(height):
        row, goal = scratch[i], image[i]
        for k in range(width - 2):
            goal[k + 1] = (row[k] + row[k + 2]) + np.float32(2.0) * row[k + 1]
        goal[0] = np.float32(3.0) * row[0] + row[1]
        goal[width - 1] = row[width - 2] + np.float32(3.0) * row[width - 1]


@kernel
def correlate_sparse(
    image: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Correlation of an image with points: ``out[dy + my, dx + mx] = sum_k w_k image[r_k + dy, c_k + dx]``.

    `out` is (2 my + 1, 2 mx + 1); what lies beyond the image counts as 0.
    """
    height, width = image.shape
    my, mx = out.shape[0] // 2, out.shape[1] // 2
    for i in range(out.shape[0]):
        target = out[i]
        for k in range(target.size):
            target[k] = np.float32(0.0)
    for s in range(rows.size):
        r, c, w = rows[s], columns[s], weights[s]
        first, last = max(-mx, -c), min(mx, width - 1 - c)
        if last < first:
            continue
        for dy in range(max(-my, -r), min(my, height - 1 - r) + 1):
            target = out[dy + my, first + mx : last + mx + 1]
            line = image[r + dy, c + first : c + last + 1]
            for k in range(target.size):
                target[k] += w * line[k]


@kernel
def add_turned(
    frame: NDArray[Any], dx: float, dy: float, c: float, s: float, total: NDArray[np.float64],
    count: NDArray[np.float64],
) -> None:  # fmt: skip
    """Add `frame`, sampled bilinearly at (c u - s v + dx, s u + c v + dy), to `total`; count the pixels."""
    height, width = total.shape
    for v in range(height):
        for u in range(width):
            x, y = c * u - s * v + dx, s * u + c * v + dy
            ix, iy = int(math.floor(x)), int(math.floor(y))
            if ix < 0 or iy < 0 or ix >= width - 1 or iy >= height - 1:
                continue
            fx, fy = x - ix, y - iy
            value = (1.0 - fy) * ((1.0 - fx) * float(frame[iy, ix]) + fx * float(frame[iy, ix + 1])) + fy * (
                (1.0 - fx) * float(frame[iy + 1, ix]) + fx * float(frame[iy + 1, ix + 1])
            )
            if np.isfinite(value):
                total[v, u] += value
                count[v, u] += 1.0
