"""Binning and the coarse correlation, compiled by numba."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def flatten(
    binned: NDArray[np.float32],
    half: int,
    cap: float,
    out: NDArray[np.float32],
    sums: NDArray[np.float32],
    line: NDArray[np.float32],
) -> None:
    """Take the mean of the surrounding (2 half + 1)^2 box off each value, cut what is above `cap`.

    Near the edge the box is the part of it that lies inside. `sums` (h, w) and `line` (w) are scratch.
    Then smooth with 1-2-1 both ways, so that a shift of half a value costs little.
    """
    height, width = binned.shape
    for k in range(width):
        line[k] = np.float32(0.0)
    for i in range(min(half, height)):
        for k in range(width):
            line[k] += binned[i, k]
    for i in range(height):
        if i + half < height:
            for k in range(width):
                line[k] += binned[i + half, k]
        if i - half - 1 >= 0:
            for k in range(width):
                line[k] -= binned[i - half - 1, k]
        for k in range(width):
            sums[i, k] = line[k]
    top = np.float32(cap)
    for i in range(height):
        tall = min(i + half, height - 1) - max(i - half, 0) + 1
        total = 0.0
        for k in range(min(half, width)):
            total += sums[i, k]
        for k in range(width):
            if k + half < width:
                total += sums[i, k + half]
            if k - half - 1 >= 0:
                total -= sums[i, k - half - 1]
            wide = min(k + half, width - 1) - max(k - half, 0) + 1
            out[i, k] = min(binned[i, k] - np.float32(total / (tall * wide)), top)
    for i in range(height):
        above, below = max(i - 1, 0), min(i + 1, height - 1)
        for k in range(width):
            sums[i, k] = out[above, k] + np.float32(2.0) * out[i, k] + out[below, k]
    for i in range(height):
        for k in range(1, width - 1):
            out[i, k] = sums[i, k - 1] + np.float32(2.0) * sums[i, k] + sums[i, k + 1]
        out[i, 0] = np.float32(3.0) * sums[i, 0] + sums[i, 1]
        out[i, width - 1] = sums[i, width - 2] + np.float32(3.0) * sums[i, width - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def correlate_sparse(
    image: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
) -> tuple[int, int]:
    """Correlation of an image with points: ``out[dy + my, dx + mx] = sum_k w_k image[r_k + dy, c_k + dx]``.

    `out` is (2 my + 1, 2 mx + 1); what lies beyond the image counts as 0. Returns the place of the
    largest value.
    """
    height, width = image.shape
    my, mx = out.shape[0] // 2, out.shape[1] // 2
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = np.float32(0.0)
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
    best, by, bx = np.float32(-math.inf), 0, 0
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            if out[i, k] > best:
                best, by, bx = out[i, k], i, k
    return by, bx


@njit(cache=True, nogil=True, error_model="numpy")
def add_shifted(
    frame: NDArray[Any], dx: float, dy: float, c: float, s: float, total: NDArray[np.float64],
    count: NDArray[np.float64],
) -> None:  # fmt: skip
    """Add `frame`, sampled bilinearly at (c u - s v + dx, s u + c v + dy), to `total`; count the pixels."""
    height, width = total.shape
    if s == 0.0:
        ix, iy = int(math.floor(dx)), int(math.floor(dy))
        fx, fy = dx - ix, dy - iy
        a, b, d, e = (1.0 - fy) * (1.0 - fx), (1.0 - fy) * fx, fy * (1.0 - fx), fy * fx
        first, last = max(0, -ix), min(width, width - 1 - ix)
        if last <= first:
            return
        for v in range(max(0, -iy), min(height, height - 1 - iy)):
            up, down = (
                frame[v + iy, first + ix : last + ix + 1],
                frame[v + iy + 1, first + ix : last + ix + 1],
            )
            sums, seen = total[v, first:last], count[v, first:last]
            for k in range(sums.size):
                value = a * float(up[k]) + b * float(up[k + 1]) + d * float(down[k]) + e * float(down[k + 1])
                if math.isfinite(value):
                    sums[k] += value
                    seen[k] += 1.0
        return
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
