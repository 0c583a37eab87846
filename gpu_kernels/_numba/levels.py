"""Median and mode of the sky around single stars, compiled by numba."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel

Floats = NDArray[np.float64]

MEDIAN, MODE = 1, 2
_MAX_ROUNDS = 10


@kernel
def middle(values: Floats, first: int, stop: int) -> float:
    """Median of ascending ``values[first:stop]``; among ties interpolated as if spread over their level.

    A level reaches halfway to the levels beside it; one at the end reaches as far out as in.
    """
    count = stop - first
    upper = values[first + count // 2]
    lower = values[first + (count - 1) // 2]
    if upper != lower:
        return float(0.5 * (lower + upper))
    begin = first + count // 2
    while begin > first and values[begin - 1] == upper:
        begin -= 1
    end = first + count // 2 + 1
    while end < stop and values[end] == upper:
        end += 1
    if end - begin == 1 or (begin == first and end == stop):
        return float(upper)
    down = upper - values[begin - 1] if begin > first else values[end] - upper
    up = values[end] - upper if end < stop else down
    part = (0.5 * count - (begin - first)) / (end - begin)
    return float(upper - 0.5 * down + part * 0.5 * (down + up))


@inner
def _moments(values: Floats, first: int, stop: int, about: float) -> tuple[float, float]:
    """Mean and standard deviation of ``values[first:stop]``."""
    a = b = 0.0
    for i in range(first, stop):
        d = values[i] - about
        a += d
        b += d * d
    n = stop - first
    spread = (b - a * a / n) / max(n - 1.0, 1.0)
    return about + a / n, math.sqrt(max(spread, 0.0))


@inner
def _level(values: Floats, count: int, clip: float, estimate: int) -> tuple[float, float, int]:
    """Level, standard deviation and pixels kept of ascending values."""
    first, stop = 0, count
    median = middle(values, first, stop)
    mean, sigma = _moments(values, first, stop, median)
    for n in range(_MAX_ROUNDS):
        mode = mean if mean < median else 3.0 * median - 2.0 * mean
        reach = clip * sigma
        if n == 0:
            reach = min(reach, max(median - values[0], 0.0), max(values[count - 1] - median, 0.0))
            reach = reach if reach > 0.0 else clip * sigma
        about = mode if estimate == MODE and n > 0 else median
        low, high = first, stop
        while low < high and values[low] < about - reach:
            low += 1
        while high > low and values[high - 1] > about + reach:
            high -= 1
        if high - low < 2 or (low == first and high == stop):
            break
        first, stop = low, high
        median = middle(values, first, stop)
        mean, sigma = _moments(values, first, stop, median)
    mode = mean if mean < median else 3.0 * median - 2.0 * mean
    return (mode if estimate == MODE else median), sigma, stop - first


@kernel
def level_block(
    frames: NDArray[Any],
    x: Floats,
    y: Floats,
    inner: float,
    outer: float,
    clip: float,
    least: int,
    estimate: int,
    level: Floats,
    sigma: Floats,
    kept: NDArray[np.int64],
) -> None:
    """Fill `level`, `sigma` and `kept` (n, s) of the annuli ``inner <= distance < outer`` about `x`, `y`."""
    height, width = frames.shape[1], frames.shape[2]
    side = 2 * int(outer) + 3
    values = np.empty(side * side)
    for f in range(frames.shape[0]):
        for s in range(x.shape[1]):
            cx, cy = x[f, s], y[f, s]
            level[f, s] = sigma[f, s] = math.nan
            kept[f, s] = 0
            if not (-outer < cx < width + outer and -outer < cy < height + outer):
                continue
            count = 0
            for j in range(max(0, math.ceil(cy - outer)), min(height - 1, math.floor(cy + outer)) + 1):
                for i in range(max(0, math.ceil(cx - outer)), min(width - 1, math.floor(cx + outer)) + 1):
                    d2 = (i - cx) * (i - cx) + (j - cy) * (j - cy)
                    value = float(frames[f, j, i])
                    if inner * inner <= d2 < outer * outer and math.isfinite(value):
                        values[count] = value
                        count += 1
            if count >= least:
                values[:count].sort()
                level[f, s], sigma[f, s], kept[f, s] = _level(values, count, clip, estimate)
