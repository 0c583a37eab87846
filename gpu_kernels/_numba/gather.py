"""Boxes of developed pixels around stars, compiled by numba: what is far from every star is never touched."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpu_kernels._numba import inner, kernel

Floats32 = NDArray[np.float32]


@njit(inline="always", error_model="numpy")
def developed(
    frame: NDArray[Any], j: int, i: int, response: Floats32, offset: Floats32, scale: Floats32
) -> np.float32:
    """One pixel as `gpu_kernels.calibrate.develop` makes it, defects aside."""
    value = response[np.intp(frame[j, i])] if response.size > 0 else np.float32(frame[j, i])
    if offset.size > 0:
        value = np.float32(value - offset[j, i])
    if scale.size > 0:
        value = np.float32(value * scale[j, i])
    return np.float32(value)


@inner
def _inside(
    frame: NDArray[Any], response: Floats32, offset: Floats32, scale: Floats32, left: int, top: int,
    box: NDArray[Any],
) -> None:  # fmt: skip
    """`gather` of a box that lies inside the frame: plain loops over rows, step by step."""
    width = box.shape[1]
    if response.size > 0:
        for i in range(box.shape[0]):
            made, line = box[i], frame[top + i, left : left + width]
            for k in range(width):
                made[k] = response[np.intp(line[k])]
    else:
        for i in range(box.shape[0]):
            made, line = box[i], frame[top + i, left : left + width]
            for k in range(width):
                made[k] = line[k]
    if offset.size > 0:
        for i in range(box.shape[0]):
            made, dark = box[i], offset[top + i, left : left + width]
            for k in range(width):
                made[k] -= dark[k]
    if scale.size > 0:
        for i in range(box.shape[0]):
            made, factor = box[i], scale[top + i, left : left + width]
            for k in range(width):
                made[k] *= factor[k]


@kernel
def gather(
    frame: NDArray[Any],
    response: Floats32,
    offset: Floats32,
    scale: Floats32,
    defect: NDArray[np.bool_],
    left: int,
    top: int,
    box: NDArray[Any],
) -> None:
    """Fill `box` with the developed pixels of `frame` from (`left`, `top`) on; NaN beyond the frame's edge.

    `response`, `offset`, `scale` and `defect` are those of `Development`, size 0 where there is none.
    """
    height, width = frame.shape
    if left >= 0 and top >= 0 and left + box.shape[1] <= width and top + box.shape[0] <= height:
        _inside(frame, response, offset, scale, left, top, box)
    else:
        for i in range(box.shape[0]):
            for k in range(box.shape[1]):
                j, c = top + i, left + k
                box[i, k] = np.nan
                if 0 <= j < height and 0 <= c < width:
                    box[i, k] = frame[j, c]
                    if response.size > 0:
                        box[i, k] = response[np.intp(frame[j, c])]
                    if offset.size > 0:
                        box[i, k] -= offset[j, c]
                    if scale.size > 0:
                        box[i, k] *= scale[j, c]
    if defect.size > 0:
        for i in range(max(0, -top), min(box.shape[0], height - top)):
            for k in range(max(0, -left), min(box.shape[1], width - left)):
                if defect[top + i, left + k]:
                    box[i, k] = _mended(frame, response, offset, scale, defect, top + i, left + k)


@inner
def _mended(
    frame: NDArray[Any],
    response: Floats32,
    offset: Floats32,
    scale: Floats32,
    defect: NDArray[np.bool_],
    j: int,
    i: int,
) -> np.float32:
    """Mean of the good neighbours of pixel (`j`, `i`), NaN where there are none."""
    height, width = frame.shape
    total, count = np.float32(0.0), 0
    for y in range(max(0, j - 1), min(height, j + 2)):
        for x in range(max(0, i - 1), min(width, i + 2)):
            if not defect[y, x]:
                value = developed(frame, y, x, response, offset, scale)
                if math.isfinite(value):
                    total += value
                    count += 1
    return np.float32(total / np.float32(count)) if count > 0 else np.float32(np.nan)
