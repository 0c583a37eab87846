"""Response, offset, scale and defect repair of whole frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic.gather import shifted
from gpu_kernels.device import Array, namespace, to_device


def develop(
    frames: Array,
    response: NDArray[np.float32],
    offset: NDArray[np.float32],
    scale: NDArray[np.float32],
    defect: NDArray[np.bool_],
    step: int,
) -> Array:
    """float32 images of `frames` (n, ..., h, w); host masters of size 0 are left out."""
    xp = namespace(frames)
    if response.size:
        level = xp.reshape(xp.astype(frames, xp.int64), (-1,))
        images = xp.reshape(xp.take(to_device(response, frames), level, axis=0), frames.shape)
    else:
        images = xp.astype(frames, xp.float32)
    if offset.size:
        images = images - to_device(offset, frames)
    if scale.size:
        images = images * to_device(scale, frames)
    if not defect.any():
        return images
    return _repaired(images, to_device(defect, frames), step, xp)


def _repaired(images: Array, defect: Array, step: int, xp: Any) -> Array:
    """Defective pixels as the mean of their good neighbours, added up in the order of rows."""
    good = xp.isfinite(images) & ~defect
    values = xp.where(good, images, xp.zeros_like(images))
    total, count = xp.zeros_like(images), xp.zeros_like(images)
    for dy in (-step, 0, step):
        for dx in (-step, 0, step):
            if dy or dx:
                total = total + shifted(values, dy, dx, 0.0, xp)
                count = count + xp.astype(shifted(good, dy, dx, False, xp), xp.float32)
    mean = xp.where(count > 0, total / xp.maximum(count, 1.0), xp.nan)
    return xp.where(defect, mean, images)
