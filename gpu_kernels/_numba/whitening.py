"""Innovations of many rows at once, of a process that is seen at some of its samples.

Row by row and lag by lag along the samples, so that a lag costs one pass that the processor takes several
samples at a time. What is not seen is set to what the process expects there.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel
from gpu_kernels._numba.autoregression import solve_missing

Floats = NDArray[Any]
Indices = NDArray[Any]


@inner
def _whole(values: Floats, table: Floats, variance: Floats, bounds: Indices, out: Floats) -> None:
    """Innovations of one row without gaps; `bounds` of ranges of lags with one coefficient, or empty."""
    p, n = variance.size - 1, values.size
    for t in range(min(n, p)):
        total = values[t]
        for j in range(t):
            total -= table[t, j] * values[t - 1 - j]
        out[t] = total / math.sqrt(variance[t])
    if n <= p:
        return
    scale = 1.0 / math.sqrt(variance[p])
    for t in range(p, n):
        out[t] = values[t]
    if bounds.size:
        sums = np.empty(n + 1)
        sums[0] = 0.0
        for t in range(n):
            sums[t + 1] = sums[t] + values[t]
        for g in range(bounds.size - 1):
            a, near, far = table[p, bounds[g]], bounds[g], bounds[g + 1]
            for t in range(p, n):
                out[t] -= a * (sums[t - near] - sums[t - far])
    else:
        for j in range(p):
            a = table[p, j]
            for t in range(p, n):
                out[t] -= a * values[t - 1 - j]
    for t in range(p, n):
        out[t] *= scale


@inner
def _back(
    white: Floats, table: Floats, variance: Floats, missing: Indices, bounds: Indices, out: Floats
) -> None:
    """The transpose of `_whole` at the missing samples, ``(m,)``."""
    p, n = variance.size - 1, white.size
    sums = np.empty(0)
    if bounds.size:
        sums = np.zeros(n + 1)  # of what the full predictor weighs
        for t in range(n):
            sums[t + 1] = sums[t] + (white[t] if t >= p else 0.0)
    for k in range(missing.size):
        i = missing[k]
        m = min(i, p)
        total = white[i] / math.sqrt(variance[m])
        for t in range(i + 1, min(n, p)):
            total -= table[t, t - 1 - i] * white[t] / math.sqrt(variance[t])
        if n > p:
            weighed = 0.0
            if bounds.size:
                for g in range(bounds.size - 1):
                    low, high = min(i + bounds[g] + 1, n), min(i + bounds[g + 1] + 1, n)
                    weighed += table[p, bounds[g]] * (sums[high] - sums[low])
            else:
                for t in range(max(p, i + 1), min(n, i + p + 1)):
                    weighed += table[p, t - 1 - i] * white[t]
            total -= weighed / math.sqrt(variance[p])
        out[k] = total


@kernel
def whitened_rows(
    rows: Floats,
    table: Floats,
    variance: Floats,
    missing: Indices,
    factor: Floats,
    bounds: Indices,
    out: Floats,
) -> None:
    """Innovations of rows ``(k, n)``; the missing samples of `rows` are overwritten."""
    guess = np.empty(missing.size)
    for r in range(rows.shape[0]):
        row, white = rows[r], out[r]
        for i in missing:
            row[i] = 0.0
        _whole(row, table, variance, bounds, white)
        if missing.size:
            _back(white, table, variance, missing, bounds, guess)
            for k in range(guess.size):
                guess[k] = -guess[k]
            solve_missing(factor, guess)
            for k in range(missing.size):
                row[missing[k]] = guess[k]
            _whole(row, table, variance, bounds, white)
