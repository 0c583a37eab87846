"""Nested exact apertures of single stars, compiled by numba.

Each (frame, star) is computed from its own pixels in a fixed order (rows upwards, radii outwards), so results
do not depend on how frames are grouped.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel
from gpu_kernels._numba.gather import gather
from gpu_kernels._numba.overlap import quadrant_overlaps
from gpu_kernels._numba.sky import LANES, annulus_pixels, clipped

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]


@inner
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


@inner
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


@inner
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


@inner
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


@inner
def _apertures(
    image: NDArray[Any], x: float, y: float, radii: Floats, rim: Floats, sums: Floats, areas: Floats,
    peaks: Floats,
) -> None:  # fmt: skip
    """Fill `sums`, `areas` and `peaks` (r,) of one star; -inf is the peak of an aperture off the image."""
    height = image.shape[0]
    largest = radii[-1] + 0.5
    sums[:], areas[:], peaks[:] = 0.0, 0.0, -np.inf
    count = int(0)  # noqa: UP018 - of a bare 0 numba compiles every callee a second time
    for j in range(max(0, math.ceil(y - largest)), min(height - 1, math.floor(y + largest)) + 1):
        count = _star_row(image, j, x, y, radii, rim, count, sums, areas, peaks)
    _add_rim(rim, count, sums, areas, peaks)


@kernel
def star_block(
    frames: NDArray[Any],
    response: Floats32,
    offset: Floats32,
    scale: Floats32,
    defect: NDArray[np.bool_],
    x: Floats,
    y: Floats,
    radii: Floats,
    annulus: tuple[float, float, float, int],
    box: NDArray[Any],
    sums: Floats,
    areas: Floats,
    peaks: Floats,
    mean: Floats,
    sigma: Floats,
    kept: NDArray[np.int64],
) -> None:
    """Measure stars at `x`, `y` (n, s) on `frames` (n, h, w), each developed around the stars only.

    `sums`, `areas` and `peaks` are (n, s, r), `mean`, `sigma` and `kept` of the sky (n, s). `annulus`
    is (inner radius, outer radius, clip, least pixels); with an outer radius of 0 the sky is left alone.
    `box` is scratch, (2 k + 1, 2 k + 1), k above the largest radius. Unknown positions give NaN; apertures
    wholly off the frame sum 0, area 0 and peak -inf; too few sky pixels NaN and 0 kept.
    """
    height, width = frames.shape[1], frames.shape[2]
    inner, outer, clip, least = annulus
    reach = box.shape[0] // 2
    rim = np.empty((8, max(1024, 4 * box.shape[1])))
    length = box.size + LANES
    values = np.empty(length, box.dtype)
    rooms, lanes = np.empty((3, max(length, 3 * LANES)), box.dtype), np.empty((3, LANES))
    for s in range(x.shape[1]):  # star by star: masters around one stay in the nearest cache
        for f in range(frames.shape[0]):
            column, row = x[f, s], y[f, s]
            known = math.isfinite(column) and math.isfinite(row)
            blank = 0.0 if known else np.nan
            sums[f, s], areas[f, s], peaks[f, s] = blank, blank, -np.inf if known else np.nan
            if outer > 0.0:
                mean[f, s], sigma[f, s], kept[f, s] = np.nan, np.nan, 0
            if not (known and -reach < column < width - 1 + reach and -reach < row < height - 1 + reach):
                continue
            left, top = math.floor(column + 0.5) - reach, math.floor(row + 0.5) - reach
            gather(frames[f], response, offset, scale, defect, left, top, box)
            first, above = max(0, -left), max(0, -top)
            image = box[above : min(box.shape[0], height - top), first : min(box.shape[1], width - left)]
            column, row = column - left - first, row - top - above
            _apertures(image, column, row, radii, rim, sums[f, s], areas[f, s], peaks[f, s])
            if outer > 0.0:
                count = annulus_pixels(image, column, row, inner, outer, values)
                if count >= least:
                    mean[f, s], sigma[f, s], kept[f, s] = clipped(values, count, clip, rooms, lanes)


@kernel
def raw_peaks(frames: NDArray[Any], x: Floats, y: Floats, radius: float, peaks: Floats) -> None:
    """Largest value of which any part lies within `radius` of `x`, `y` (n, s); NaN where none does."""
    height, width = frames.shape[1], frames.shape[2]
    for f in range(frames.shape[0]):
        for s in range(x.shape[1]):
            column, row = x[f, s], y[f, s]
            peaks[f, s] = np.nan
            largest = -np.inf
            if not (-radius - 1 < column < width + radius and -radius - 1 < row < height + radius):
                continue
            for j in range(
                max(0, math.ceil(row - radius - 0.5)), min(height - 1, math.floor(row + radius + 0.5)) + 1
            ):
                near = max(0.0, (j - 0.5) - row, row - (j + 0.5))
                if near >= radius:
                    continue
                wide = math.sqrt((radius - near) * (radius + near))
                for i in range(
                    max(0, math.ceil(column - wide - 0.5)),
                    min(width - 1, math.floor(column + wide + 0.5)) + 1,
                ):
                    value = np.float64(frames[f, j, i])
                    largest = value if value > largest else largest
            if largest > -np.inf:
                peaks[f, s] = largest
