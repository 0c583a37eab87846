"""Nested exact apertures of single stars, compiled by numba.

Each (frame, star) is computed from its own pixels in a fixed order (rows upwards, radii outwards), so results
do not depend on how frames are grouped.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpu_kernels._numba.overlap import quadrant_overlaps

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_rim(rim: Floats, count: int, sums: Floats, areas: Floats, peaks: Floats) -> None:
    """Weight the first `count` rectangles of `rim` and add their pixels to the apertures they belong to.

    The rows of `rim` are left, right, bottom, top, radius, overlap, pixel value and number of the radius.
    """
    quadrant_overlaps(rim[0], rim[1], rim[2], rim[3], rim[4], count, rim[5])
    for m in range(count):
        weight, value, k = rim[5, m], rim[6, m], int(rim[7, m])
        if weight > 0.0:
            sums[k] += weight * value
            areas[k] += weight
            peaks[k] = value if value > peaks[k] else peaks[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _push(
    rim: Floats, count: int, x0: float, x1: float, y0: float, y1: float, radius: float, value: float, k: int
) -> int:
    """Append a rectangle, mirrored into the first quadrant; return the new count."""
    rim[0, count] = x0 if x0 >= 0.0 else -x1
    rim[1, count] = x1 if x0 >= 0.0 else -x0
    rim[2, count] = y0 if y0 >= 0.0 else -y1
    rim[3, count] = y1 if y0 >= 0.0 else -y0
    rim[4, count] = radius
    rim[6, count] = value
    rim[7, count] = k
    return count + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _push_pixels(
    rim: Floats,
    count: int,
    frame: NDArray[Any],
    j: int,
    first: int,
    last: int,
    x: float,
    y: float,
    radius: float,
    k: int,
) -> int:
    """Append the pixels `first` to `last` of row `j`, divided where they cross an axis of the circle."""
    y0, y1 = (j - 0.5) - y, (j + 0.5) - y
    for i in range(first, last + 1):
        value = np.float64(frame[j, i])
        x0, x1 = (i - 0.5) - x, (i + 0.5) - x
        if x0 < 0.0 < x1:
            if y0 < 0.0 < y1:
                count = _push(rim, count, x0, 0.0, y0, 0.0, radius, value, k)
                count = _push(rim, count, 0.0, x1, y0, 0.0, radius, value, k)
                count = _push(rim, count, x0, 0.0, 0.0, y1, radius, value, k)
                count = _push(rim, count, 0.0, x1, 0.0, y1, radius, value, k)
            else:
                count = _push(rim, count, x0, 0.0, y0, y1, radius, value, k)
                count = _push(rim, count, 0.0, x1, y0, y1, radius, value, k)
        elif y0 < 0.0 < y1:
            count = _push(rim, count, x0, x1, y0, 0.0, radius, value, k)
            count = _push(rim, count, x0, x1, 0.0, y1, radius, value, k)
        else:
            count = _push(rim, count, x0, x1, y0, y1, radius, value, k)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _star_row(
    frame: NDArray[Any],
    j: int,
    x: float,
    y: float,
    radii: Floats,
    rim: Floats,
    count: int,
    sums: Floats,
    areas: Floats,
    peaks: Floats,
) -> int:
    """Add row `j` to all radii of a star, its whole pixels at once, its cut pixels by way of `rim`.

    Whole pixels form a run that grows with the radius, so each is read once for all radii. Returns how many
    rectangles wait in `rim`.
    """
    width = frame.shape[1]
    near = max(0.0, (j - 0.5) - y, y - (j + 0.5))
    far = max((j + 0.5) - y, y - (j - 0.5))
    run, run_peak = 0.0, -np.inf
    start, stop = 0, -1
    for k in range(radii.size):
        radius = radii[k]
        if near >= radius:
            continue
        reach = math.sqrt((radius - near) * (radius + near))
        left = max(0, math.ceil(x - reach - 0.5))
        right = min(width - 1, math.floor(x + reach + 0.5))
        if count + 2 * (right - left + 2) > rim.shape[1]:
            _add_rim(rim, count, sums, areas, peaks)
            count = 0
        inner = math.sqrt((radius - far) * (radius + far)) if far < radius else -1.0
        run_left = max(0, math.ceil(x - inner + 0.5))
        run_right = min(width - 1, math.floor(x + inner - 0.5))
        if run_left > run_right:
            count = _push_pixels(rim, count, frame, j, left, right, x, y, radius, k)
            continue
        if stop < start:
            start, stop = run_left, run_left - 1
        for i in range(run_left, start):
            value = np.float64(frame[j, i])
            run += value
            run_peak = value if value > run_peak else run_peak
        for i in range(stop + 1, run_right + 1):
            value = np.float64(frame[j, i])
            run += value
            run_peak = value if value > run_peak else run_peak
        start, stop = run_left, run_right
        sums[k] += run
        areas[k] += stop + 1 - start
        peaks[k] = run_peak if run_peak > peaks[k] else peaks[k]
        count = _push_pixels(rim, count, frame, j, left, start - 1, x, y, radius, k)
        count = _push_pixels(rim, count, frame, j, stop + 1, right, x, y, radius, k)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def aperture_block(
    frames: NDArray[Any], x: Floats, y: Floats, radii: Floats, sums: Floats, areas: Floats, peaks: Floats
) -> None:
    """Fill `sums`, `areas` and `peaks` (n, s, r) of `frames` (n, h, w) at `x`, `y` (n, s).

    Unknown positions give NaN; apertures wholly off the frame sum 0, area 0 and peak -inf.
    """
    height, width = frames.shape[1], frames.shape[2]
    largest = radii[-1] + 0.5
    room = max(1024, 4 * min(width, 2 * int(radii[-1]) + 4))
    rim = np.empty((8, room))
    for f in range(frames.shape[0]):
        frame = frames[f]
        for s in range(x.shape[1]):
            column, row = x[f, s], y[f, s]
            star_sums, star_areas, star_peaks = sums[f, s], areas[f, s], peaks[f, s]
            known = math.isfinite(column) and math.isfinite(row)
            star_sums[:] = 0.0 if known else np.nan
            star_areas[:] = 0.0 if known else np.nan
            star_peaks[:] = -np.inf if known else np.nan
            seen = -largest < column < width - 1 + largest and -largest < row < height - 1 + largest
            if not (known and seen):
                continue
            count = int(0)  # noqa: UP018 - of a bare 0 numba compiles every callee a second time
            for j in range(max(0, math.ceil(row - largest)), min(height - 1, math.floor(row + largest)) + 1):
                count = _star_row(frame, j, column, row, radii, rim, count, star_sums, star_areas, star_peaks)
            _add_rim(rim, count, star_sums, star_areas, star_peaks)


@njit(cache=True, nogil=True, error_model="numpy")
def fetch_rows(frames: NDArray[Any], x: NDArray[np.float64], y: NDArray[np.float64], reach: float) -> float:
    """Read the ends of every row within `reach` of each star, so that the rows come from memory at once.

    Each row lies in another cache line; read one after the other while they are summed, most of the time
    goes into waiting. These reads do not depend on each other, so the waits overlap: a fifth of
    the whole measurement, on frames fresh from disk. The sum returned keeps them from being left out.
    """
    height, width = frames.shape[1], frames.shape[2]
    total = 0.0
    for f in range(frames.shape[0]):
        for s in range(x.shape[1]):
            if not (math.isfinite(x[f, s]) and math.isfinite(y[f, s])):
                continue
            left, right = max(0.0, x[f, s] - reach), min(width - 1.0, x[f, s] + reach)
            top, bottom = max(0.0, y[f, s] - reach), min(height - 1.0, y[f, s] + reach)
            if left > right or top > bottom:
                continue
            first, last = int(left), int(right)
            for j in range(int(top), int(bottom) + 1):
                total += float(frames[f, j, first]) + float(frames[f, j, last])
    return total
