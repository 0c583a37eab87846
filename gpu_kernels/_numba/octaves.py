"""The transpose of innovations whose coefficients are equal over ranges of lags: by sums from the beginning.

A memory of means over octaves has as many different coefficients as octaves; each range costs a difference
of two sums, however many lags it holds.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import kernel

Floats = NDArray[Any]


@kernel
def backward_by_steps(
    values: Floats, table: Floats, variance: Floats, bounds: NDArray[Any], out: Floats
) -> None:
    """As `autoregression.backward`; lags `bounds[g]` to `bounds[g + 1]` have one coefficient."""
    p, n = variance.size - 1, values.size
    out[:] = 0.0
    for t in range(min(n, p)):
        row, scaled = table[t], values[t] / math.sqrt(variance[t])
        out[t] += scaled
        for j in range(t):
            out[t - 1 - j] -= row[j] * scaled
    if n <= p:
        return
    scale = 1.0 / math.sqrt(variance[p])
    sums = np.zeros(n + 1)  # of what the full predictor weighs
    for t in range(n):
        sums[t + 1] = sums[t] + (values[t] * scale if t >= p else 0.0)
    for i in range(n):
        if i >= p:
            out[i] += values[i] * scale
        total = 0.0
        for g in range(bounds.size - 1):
            # sample i is lag t - i of t: lags bounds[g] + 1 to bounds[g + 1]
            low, high = min(i + bounds[g] + 1, n), min(i + bounds[g + 1] + 1, n)
            total += table[p, bounds[g]] * (sums[high] - sums[low])
        out[i] -= total
