"""Raw samples to linear, calibrated values in one pass over each frame, compiled by numba."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import kernel

Singles = NDArray[np.float32]


@kernel
def develop_block(
    frames: NDArray[Any], response: Singles, offset: Singles, scale: Singles, out: Singles
) -> None:
    """Fill `out` (n, h, w): ``(response[frames] - offset) * scale``; arrays of size 0 are left out.

    A row is worked on while it lies in the nearest cache: three short loops cost one pass over memory.
    """
    for f in range(frames.shape[0]):
        for i in range(frames.shape[1]):
            line, made = frames[f, i], out[f, i]
            if response.size > 0:
                for k in range(made.size):
                    made[k] = response[np.intp(line[k])]
            else:
                for k in range(made.size):
                    made[k] = np.float32(line[k])
            if offset.size > 0:
                dark = offset[i]
                for k in range(made.size):
                    made[k] -= dark[k]
            if scale.size > 0:
                factor = scale[i]
                for k in range(made.size):
                    made[k] *= factor[k]


@kernel
def repair_block(
    images: Singles, defect: NDArray[np.bool_], places: NDArray[np.int64], rows: int, step: int
) -> None:
    """Replace the defective pixels of `images` (n, h, w) by the mean of their good neighbours.

    `places` are the defective pixels in `defect` (h, w), counted along its rows; planes of `rows` rows lie
    below each other and do not mix. Neighbours are `step` pixels away; good ones are finite and no defects.
    """
    height, width = defect.shape
    for f in range(images.shape[0]):
        image = images[f]
        for place in places:
            j, i = place // width, place % width
            top = j // rows * rows
            bottom = min(top + rows, height)
            total, count = np.float32(0.0), 0
            for y in range(j - step, j + step + 1, step):
                for x in range(i - step, i + step + 1, step):
                    if not (top <= y < bottom and 0 <= x < width) or defect[y, x]:
                        continue
                    value = image[y, x]
                    if math.isfinite(value):
                        total += value
                        count += 1
            image[j, i] = total / np.float32(count) if count > 0 else np.float32(np.nan)
