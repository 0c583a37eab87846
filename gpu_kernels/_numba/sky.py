"""The clipped mean of the sky around single stars, compiled by numba.

Pixels of the annulus are brought together first; everything after works on that list in loops without a
branch on the data, so that they become vector instructions.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel

Floats = NDArray[np.float64]

LANES = 32
"""Values that are summed beside each other, in a fixed order whatever the processor."""

RUN = 32
"""Medians of three that are taken beside each other."""

_MAX_ROUNDS = 10
_MAD_TO_SIGMA = 1.482602218505602  # 1 / Phi^-1(3/4)
_FEW = 8


@inner
def _disc_row(x: float, dy2: float, radius2: float, width: int) -> tuple[int, int]:
    """Pixels ``first`` to ``stop - 1`` of a row with centres in the disc: ``dx^2 + dy2 < radius2``."""
    if dy2 >= radius2:
        return 0, 0
    reach = math.sqrt(radius2 - dy2)
    first = math.ceil(x - reach)
    stop = math.floor(x + reach) + 1
    # The rounding of the root may put an end one pixel off: the comparison itself decides.
    if (first - 1 - x) * (first - 1 - x) + dy2 < radius2:
        first -= 1
    elif (first - x) * (first - x) + dy2 >= radius2:
        first += 1
    if (stop - x) * (stop - x) + dy2 < radius2:
        stop += 1
    elif (stop - 1 - x) * (stop - 1 - x) + dy2 >= radius2:
        stop -= 1
    return max(0, first), min(width, stop)


@kernel
def annulus_pixels(
    image: NDArray[Any], x: float, y: float, inner: float, outer: float, values: NDArray[Any]
) -> int:
    """Copy the finite pixels with ``inner <= distance < outer`` of a place to `values`; returns how many."""
    height, width = image.shape
    if not (-outer - 1.0 < y < height + outer and -outer - 1.0 < x < width + outer):
        return 0
    total, rest = int(0), 0.0  # noqa: UP018 - of a bare 0 numba compiles every callee a second time
    for j in range(max(0, math.ceil(y - outer)), min(height, math.floor(y + outer) + 1)):
        dy2 = (j - y) * (j - y)
        first, stop = _disc_row(x, dy2, outer * outer, width)
        hole, hole_stop = _disc_row(x, dy2, inner * inner, width)
        if hole >= hole_stop:
            hole = hole_stop = stop
        for i in range(first, hole):
            values[total] = image[j, i]
            total += 1
        for i in range(hole_stop, stop):
            values[total] = image[j, i]
            total += 1
    for i in range(total):
        rest += values[i] - values[i]
    if rest != 0.0:  # NaN: some are not finite
        kept = 0
        for i in range(total):
            value = values[i]
            values[kept] = value
            kept += math.isfinite(value)
        total = kept
    return total


@kernel
def remedian(values: NDArray[Any], count: int, one: NDArray[Any], other: NDArray[Any]) -> float:
    """About the median of the first `count` values: medians of three, of three, ...

    Rousseeuw & Bassett 1990, JASA 85, 97. Its error is about a twelfth of a standard deviation for 500
    values: enough to start a clipping from. The three lie a third of the list apart, in different parts
    of the annulus.
    """
    source, goal, spare = values, one, other
    n = count
    while n > _FEW:
        third = n // 3
        for base in range(0, third, RUN):  # the last piece goes beyond: what it makes there is not used
            a, b = source[base : base + RUN], source[third + base : third + base + RUN]
            c, out = source[2 * third + base : 2 * third + base + RUN], goal[base : base + RUN]
            for i in range(RUN):
                low, high = min(a[i], b[i]), max(a[i], b[i])
                out[i] = max(low, min(high, c[i]))
        source, goal, spare = goal, spare, goal
        n = third
    for i in range(n):  # sort the few that are left
        goal[i] = source[i]
        k = i
        while k > 0 and goal[k - 1] > goal[k]:
            goal[k - 1], goal[k] = goal[k], goal[k - 1]
            k -= 1
    return float(0.5 * (np.float64(goal[(n - 1) // 2]) + np.float64(goal[n // 2])))


@kernel
def truncation_factor(clip: float) -> float:
    """Sigma of a Gaussian over the standard deviation of its part within `clip` sigma of its mean."""
    if clip > 8.0:
        return 1.0
    density = math.exp(-0.5 * clip * clip) / math.sqrt(2.0 * math.pi)
    return 1.0 / math.sqrt(1.0 - 2.0 * clip * density / math.erf(clip / math.sqrt(2.0)))


@inner
def _step(values: NDArray[Any], count: int, middle: float, lanes: NDArray[Any]) -> float:
    """Distance between neighbouring levels at `middle`: the step of digitisation, if there is one.

    Of the first `count` values, a whole number of `LANES`, NaN at the end.
    """
    above, below, at = lanes[0], lanes[1], lanes[2]
    above[:], below[:], at[:] = np.inf, -np.inf, 0.0
    kind = values.dtype.type
    highest, lowest, none, some = kind(np.inf), kind(-np.inf), kind(0.0), kind(1.0)
    for base in range(0, count, LANES):
        part = values[base : base + LANES]
        for i in range(LANES):
            value = part[i]
            exact = np.float64(value)
            over = value if exact > middle else highest
            under = value if exact < middle else lowest
            equal = some if exact == middle else none
            above[i] = over if over < above[i] else above[i]
            below[i] = under if under > below[i] else below[i]
            at[i] = equal if equal > at[i] else at[i]
    next_up, next_down, level = np.inf, -np.inf, 0.0
    for i in range(LANES):
        next_up, next_down, level = min(next_up, above[i]), max(next_down, below[i]), max(level, at[i])
    step = min(next_up - middle, middle - next_down) if level > 0.0 else next_up - next_down
    return float(step) if step < np.inf else 0.0


@kernel
def clipped(
    values: NDArray[Any], count: int, clip: float, rooms: NDArray[Any], lanes: Floats
) -> tuple[float, float, int]:
    """Clipped mean, sigma and number kept of the first `count` values, which get NaN behind them.

    `rooms` (3, n) is scratch as long as `values` and of its type, `lanes` (3, `LANES`) for the sums. Moments
    are taken in float64 about the start, so they are exact for integers whatever the data type.
    """
    middle = remedian(values, count, rooms[0], rooms[1])
    padded = (count + LANES - 1) // LANES * LANES
    values[count:padded] = np.nan
    deviation = rooms[2]
    for base in range(0, padded, LANES):
        part, goal = values[base : base + LANES], deviation[base : base + LANES]
        for i in range(LANES):
            goal[i] = abs(np.float64(part[i]) - middle)
    sigma = _MAD_TO_SIGMA * remedian(deviation, count, rooms[0], rooms[1])
    step = _step(values, padded, middle, deviation[: 3 * LANES].reshape(3, LANES))
    mean, before, first_before, second_before = middle, -1.0, 0.0, 0.0
    number, one, two = lanes[0], lanes[1], lanes[2]
    for _ in range(_MAX_ROUNDS):
        reach = clip * math.sqrt(sigma * sigma + step * step)
        low, high = mean - reach, mean + reach
        number[:], one[:], two[:] = 0.0, 0.0, 0.0
        for base in range(0, padded, LANES):
            part = values[base : base + LANES]
            for i in range(LANES):
                value = np.float64(part[i])
                inside = low <= value <= high
                away = value - middle if inside else 0.0
                number[i] += 1.0 if inside else 0.0
                one[i] += away
                two[i] += away * away
        kept, first, second = number.sum(), one.sum(), two.sum()
        if kept == before and first == first_before and second == second_before:
            break
        before, first_before, second_before = kept, first, second
        factor = truncation_factor(reach / sigma) if sigma > 0.0 else 1.0
        spread = (second - first * first / kept) / max(kept - 1.0, 1.0)
        mean, sigma = middle + first / kept, factor * math.sqrt(max(spread, 0.0))
    return mean, sigma, int(before)
