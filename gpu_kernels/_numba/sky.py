"""The clipped mean of the sky around single stars, compiled by numba.

Integers of a moderate span are counted, the rest selected from; both end in the same clipping of levels and
counts.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MAX_ROUNDS = 10
_MAD_TO_SIGMA = 1.482602218505602  # 1 / Phi^-1(3/4)


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _annulus_row(x: float, dy: float, inner: float, outer: float, width: int) -> tuple[int, int, int, int]:
    """Two half-open runs of the pixels of a row with ``inner <= distance < outer``."""
    first, stop = _disc_row(x, dy * dy, outer * outer, width)
    hole, hole_stop = _disc_row(x, dy * dy, inner * inner, width)
    if hole >= hole_stop:
        return first, stop, stop, stop
    return first, hole, hole_stop, stop


@njit(cache=True, nogil=True, error_model="numpy")
def _rows(x: float, y: float, radius: float, height: int, width: int) -> tuple[int, int]:
    """Rows ``first`` to ``stop - 1`` within reach of a circle about `x`, `y`; none if that is NaN."""
    if not (-radius - 1.0 < y < height + radius and -radius - 1.0 < x < width + radius):
        return 0, 0
    return max(0, math.ceil(y - radius)), min(height, math.floor(y + radius) + 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _select(work: Floats, count: int, wanted: int) -> float:
    """The value of rank `wanted` among the first `count`, which are left partitioned about it.

    Quickselect with a partition into less, equal and greater that has no branch on the data.
    """
    low, stop = 0, count
    while True:
        first, middle, last = work[low], work[(low + stop) // 2], work[stop - 1]
        pivot = max(min(first, middle), min(max(first, middle), last))
        less = low
        for i in range(low, stop):
            value = work[i]
            work[i] = work[less]
            work[less] = value
            less += value < pivot
        if wanted < less:
            stop = less
            continue
        equal = less
        for i in range(less, stop):
            value = work[i]
            work[i] = work[equal]
            work[equal] = value
            equal += value == pivot
        if wanted < equal:
            return float(pivot)
        low = equal


@njit(cache=True, nogil=True, error_model="numpy")
def _median(work: Floats, count: int) -> float:
    """Median of the first `count` values of `work`, which are reordered."""
    half = count // 2
    upper = _select(work, count, half)
    if count % 2:
        return float(upper)
    lower = work[0]
    for i in range(1, half):
        lower = work[i] if work[i] > lower else lower
    return float(0.5 * (lower + upper))


@njit(cache=True, nogil=True, error_model="numpy")
def _ranked(values: Floats, counts: Floats, wanted: int) -> float:
    """The value of rank `wanted` among ascending `values` that occur `counts` times."""
    below, i = counts[0], 0
    while below <= wanted:
        i += 1
        below += counts[i]
    return float(values[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _ranked_deviation(values: Floats, counts: Floats, distinct: int, median: float, wanted: int) -> float:
    """The distance of rank `wanted` from `median`, walking outwards through ascending `values`."""
    right = 0
    while right < distinct and values[right] < median:
        right += 1
    left = right - 1
    below, deviation = 0.0, 0.0
    while below <= wanted:
        down = median - values[left] if left >= 0 else np.inf
        up = values[right] - median if right < distinct else np.inf
        if up <= down:
            deviation, below = up, below + counts[right]
            right += 1
        else:
            deviation, below = down, below + counts[left]
            left -= 1
    return deviation


@njit(cache=True, nogil=True, error_model="numpy")
def truncation_factor(clip: float) -> float:
    """Sigma of a Gaussian over the standard deviation of its part within `clip` sigma of its mean."""
    if clip > 8.0:
        return 1.0
    density = math.exp(-0.5 * clip * clip) / math.sqrt(2.0 * math.pi)
    return 1.0 / math.sqrt(1.0 - 2.0 * clip * density / math.erf(clip / math.sqrt(2.0)))


@njit(cache=True, nogil=True, error_model="numpy")
def _step(values: Floats, distinct: int, median: float) -> float:
    """Distance between neighbouring levels at the median: the step of digitisation, if there is one."""
    above, below, at = np.inf, -np.inf, -np.inf
    for i in range(distinct):
        value = values[i]
        above = value if median < value < above else above
        below = value if below < value < median else below
        at = value if value == median else at
    step = min(above - median, median - below) if at == median else above - below
    return float(step) if step < np.inf else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _clipped(
    values: Floats, counts: Floats, distinct: int, median: float, mad: float, clip: float
) -> tuple[float, float, int]:
    """Clipped mean, sigma and number kept of `values` that occur `counts` times.

    Moments are taken about the median, so they are exact for integers whatever the order and the data type.
    """
    step = _step(values, distinct, median)
    mean, sigma = median, _MAD_TO_SIGMA * mad
    before, first_before, second_before = -1.0, 0.0, 0.0
    for _ in range(_MAX_ROUNDS):
        reach = clip * math.sqrt(sigma * sigma + step * step)
        low, high = mean - reach, mean + reach
        kept, first, second = 0.0, 0.0, 0.0
        for i in range(distinct):
            if low <= values[i] <= high:
                deviation = values[i] - median
                kept += counts[i]
                first += counts[i] * deviation
                second += counts[i] * deviation * deviation
        if kept == before and first == first_before and second == second_before:
            break
        before, first_before, second_before = kept, first, second
        factor = truncation_factor(reach / sigma) if sigma > 0.0 else 1.0
        spread = (second - first * first / kept) / max(kept - 1.0, 1.0)
        mean, sigma = median + first / kept, factor * math.sqrt(max(spread, 0.0))
    return mean, sigma, int(before)


@njit(cache=True, nogil=True, error_model="numpy")
def _counted_sky(
    frame: NDArray[Any],
    x: float,
    y: float,
    annulus: tuple[float, float, float, int],
    histogram: NDArray[np.int32],
    values: Floats,
    counts: Floats,
) -> tuple[float, float, int]:
    """Clipped sky of one star on integers by counting levels; -1 kept if they span more than `histogram`."""
    inner, outer, clip, least = annulus
    height, width = frame.shape
    first_row, stop_row = _rows(x, y, outer, height, width)
    low, high = 0, 255
    if histogram.size > 256:
        low, high = 65535, 0
        for j in range(first_row, stop_row):
            a, b, c, d = _annulus_row(x, j - y, inner, outer, width)
            for i in range(a, b):
                low, high = min(low, int(frame[j, i])), max(high, int(frame[j, i]))
            for i in range(c, d):
                low, high = min(low, int(frame[j, i])), max(high, int(frame[j, i]))
        if high - low >= histogram.size:
            return np.nan, np.nan, -1
    histogram[: max(high - low + 1, 0)] = 0
    for j in range(first_row, stop_row):
        a, b, c, d = _annulus_row(x, j - y, inner, outer, width)
        for i in range(a, b):
            histogram[int(frame[j, i]) - low] += 1
        for i in range(c, d):
            histogram[int(frame[j, i]) - low] += 1
    distinct = int(0)  # noqa: UP018 - of a bare 0 numba compiles every callee a second time
    total = 0
    for level in range(high - low + 1):
        if histogram[level] > 0:
            values[distinct], counts[distinct] = level + low, histogram[level]
            total += histogram[level]
            distinct += 1
    if total < least:
        return np.nan, np.nan, 0
    half, other = total // 2, (total - 1) // 2
    median = 0.5 * (_ranked(values, counts, other) + _ranked(values, counts, half))
    mad = 0.5 * (
        _ranked_deviation(values, counts, distinct, median, other)
        + _ranked_deviation(values, counts, distinct, median, half)
    )
    return _clipped(values, counts, distinct, median, mad, clip)


@njit(cache=True, nogil=True, error_model="numpy")
def _selected_sky(
    frame: NDArray[Any],
    x: float,
    y: float,
    annulus: tuple[float, float, float, int],
    values: Floats,
    work: Floats,
    ones: Floats,
) -> tuple[float, float, int]:
    """Clipped sky of one star on pixels of any type; those that are not finite do not count."""
    inner, outer, clip, least = annulus
    height, width = frame.shape
    first_row, stop_row = _rows(x, y, outer, height, width)
    total = int(0)  # noqa: UP018 - as above
    for j in range(first_row, stop_row):
        a, b, c, d = _annulus_row(x, j - y, inner, outer, width)
        for i in range(a, d):
            value = np.float64(frame[j, i])
            if not (b <= i < c) and math.isfinite(value):
                values[total] = value
                work[total] = value
                total += 1
    if total < least:
        return np.nan, np.nan, 0
    median = _median(work, total)
    for i in range(total):
        work[i] = abs(values[i] - median)
    return _clipped(values, ones, total, median, _median(work, total), clip)


@njit(cache=True, nogil=True, error_model="numpy")
def counted_block(
    frames: NDArray[Any],
    x: Floats,
    y: Floats,
    annulus: tuple[float, float, float, int],
    levels: int,
    mean: Floats,
    sigma: Floats,
    kept: NDArray[np.int64],
) -> None:
    """Fill `mean`, `sigma` and `kept` (n, s) with the clipped sky of integer `frames` (n, h, w).

    `x`, `y` (n, s) are the stars, `annulus` is (inner radius, outer radius, clip, least pixels). Too few
    pixels give NaN and 0 kept; a sky of more than `levels` levels is left to `selected_block`, with -1 kept.
    """
    histogram = np.zeros(levels, np.int32)
    values, counts = np.empty(levels), np.empty(levels)
    for f in range(frames.shape[0]):
        frame = frames[f]
        for s in range(x.shape[1]):
            mean[f, s], sigma[f, s], kept[f, s] = _counted_sky(
                frame, x[f, s], y[f, s], annulus, histogram, values, counts
            )


@njit(cache=True, nogil=True, error_model="numpy")
def selected_block(
    frames: NDArray[Any],
    x: Floats,
    y: Floats,
    annulus: tuple[float, float, float, int],
    mean: Floats,
    sigma: Floats,
    kept: NDArray[np.int64],
) -> None:
    """`counted_block` for pixels of any type and span, to the same result: of the stars with -1 kept."""
    side = 2 * int(annulus[1]) + 3
    room = min(side, frames.shape[1]) * min(side, frames.shape[2])
    values, work, ones = np.empty(room), np.empty(room), np.ones(room)
    for f in range(frames.shape[0]):
        frame = frames[f]
        for s in range(x.shape[1]):
            if kept[f, s] < 0:
                mean[f, s], sigma[f, s], kept[f, s] = _selected_sky(
                    frame, x[f, s], y[f, s], annulus, values, work, ones
                )
