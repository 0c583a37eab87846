"""Sums over whole pixels: a fixed footprint, or the blob of pixels above a threshold, compiled by numba."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel

Floats = NDArray[np.float64]


@inner
def _footprint_sum(
    frame: NDArray[Any], column: int, row: int, footprint: NDArray[np.bool_], level: float, out: Floats
) -> None:
    """Sum the footprint's pixels about `column`, `row`: flux, pixels, share on the frame, peak."""
    height, width = frame.shape
    half = footprint.shape[0] // 2
    flux, peak = 0.0, -np.inf
    pixels = 0
    wanted = 0
    for j in range(footprint.shape[0]):
        for i in range(footprint.shape[1]):
            if not footprint[j, i]:
                continue
            wanted += 1
            y, x = row + j - half, column + i - half
            if not (0 <= y < height and 0 <= x < width):
                continue
            value = float(frame[y, x])
            if not math.isfinite(value):
                continue
            pixels += 1
            flux += value - level
            peak = value if value > peak else peak
    out[0], out[1] = flux, pixels
    out[2], out[3] = pixels / wanted if wanted > 0 else 0.0, peak if pixels > 0 else math.nan
    out[4] = 0.0


@kernel
def footprint_block(
    frames: NDArray[Any], x: Floats, y: Floats, sky: Floats, footprint: NDArray[np.bool_], out: Floats
) -> None:
    """Fill `out` (n, s, 5): flux, pixels, share of the footprint seen, peak, 0; shifted by whole pixels."""
    for f in range(frames.shape[0]):
        for s in range(x.shape[1]):
            if not (math.isfinite(x[f, s]) and math.isfinite(y[f, s])):
                out[f, s, :] = math.nan
                continue
            _footprint_sum(
                frames[f],
                math.floor(x[f, s] + 0.5),
                math.floor(y[f, s] + 0.5),
                footprint,
                sky[f, s],
                out[f, s],
            )


@inner
def _smooth(
    frame: NDArray[Any],
    left: int,
    top: int,
    side: int,
    kernel: Floats,
    level: float,
    box: Floats,
    work: Floats,
) -> None:
    """Fill `box` (side, side) with the frame about the star, less the sky, smoothed by `kernel` both ways.

    Pixels that are not there count as sky.
    """
    height, width = frame.shape
    half = kernel.size // 2
    for j in range(side + 2 * half):
        for i in range(side):
            total = 0.0
            y = top + j - half
            if 0 <= y < height:
                for k in range(kernel.size):
                    x = left + i + k - half
                    if 0 <= x < width:
                        value = float(frame[y, x]) - level
                        if math.isfinite(value):
                            total += kernel[k] * value
            work[j, i] = total
    for j in range(side):
        for i in range(side):
            total = 0.0
            for k in range(kernel.size):
                total += kernel[k] * work[j + k, i]
            box[j, i] = total


@inner
def _grow(
    box: Floats,
    threshold: float,
    start_j: int,
    start_i: int,
    blob: NDArray[np.uint8],
    queue: NDArray[np.int64],
) -> int:
    """Mark the connected pixels (by their sides) above the threshold about the start; return how many."""
    side = box.shape[0]
    blob[:, :] = 0
    if not box[start_j, start_i] > threshold:
        return 0
    blob[start_j, start_i] = 1
    queue[0] = start_j * side + start_i
    head, tail = 0, 1
    while head < tail:
        j, i = queue[head] // side, queue[head] % side
        head += 1
        for way in range(4):
            nj = j + (1 if way == 0 else (-1 if way == 1 else 0))
            ni = i + (1 if way == 2 else (-1 if way == 3 else 0))
            if 0 <= nj < side and 0 <= ni < side and blob[nj, ni] == 0 and box[nj, ni] > threshold:
                blob[nj, ni] = 1
                queue[tail] = nj * side + ni
                tail += 1
    return tail


@kernel
def blob_block(
    frames: NDArray[Any],
    x: Floats,
    y: Floats,
    sky: Floats,
    thresholds: Floats,
    kernel: Floats,
    half: int,
    snap: int,
    least: int,
    footprint: NDArray[np.bool_],
    out: Floats,
) -> None:
    """`footprint_block` over the star's own blob: the last column is 1 where one was found.

    The blob is of the pixels of the smoothed box (of `half` pixels to each side) that exceed
    ``thresholds`` (n, s) above the sky and hang together with the brightest of those within `snap` pixels
    of the star. Without one, or with one of fewer than `least` pixels, the footprint serves.
    """
    height, width = frames.shape[1], frames.shape[2]
    side = 2 * half + 1
    box, work = np.empty((side, side)), np.empty((side + kernel.size, side))
    blob, queue = np.empty((side, side), np.uint8), np.empty(side * side, np.int64)
    for f in range(frames.shape[0]):
        for s in range(x.shape[1]):
            if not (math.isfinite(x[f, s]) and math.isfinite(y[f, s]) and math.isfinite(sky[f, s])):
                out[f, s, :] = math.nan
                continue
            column, row = math.floor(x[f, s] + 0.5), math.floor(y[f, s] + 0.5)
            level = sky[f, s]
            _smooth(frames[f], column - half, row - half, side, kernel, level, box, work)
            best, bj, bi = -np.inf, half, half
            for j in range(half - snap, half + snap + 1):
                for i in range(half - snap, half + snap + 1):
                    near = (j - half) * (j - half) + (i - half) * (i - half) <= snap * snap
                    if near and box[j, i] > best:
                        best, bj, bi = box[j, i], j, i
            count = _grow(box, thresholds[f, s], bj, bi, blob, queue)
            if count < least:
                _footprint_sum(frames[f], column, row, footprint, level, out[f, s])
                continue
            flux, peak = 0.0, -np.inf
            pixels = 0
            for j in range(side):
                for i in range(side):
                    yy, xx = row - half + j, column - half + i
                    if blob[j, i] == 1 and 0 <= yy < height and 0 <= xx < width:
                        value = float(frames[f, yy, xx])
                        if math.isfinite(value):
                            pixels += 1
                            flux += value - level
                            peak = value if value > peak else peak
            out[f, s, 0], out[f, s, 1], out[f, s, 3] = flux, pixels, peak
            out[f, s, 2], out[f, s, 4] = pixels / count, 1.0
