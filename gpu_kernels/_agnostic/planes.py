"""Luminance of mosaics and whole frames of fields, by gathered rows and columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.device import Array, namespace, to_device


def _taken(images: Array, places: NDArray[np.int64], axis: int) -> Array:
    return namespace(images).take(images, to_device(places, images), axis=axis)


def even_luminance(frames: Array) -> Array:
    """Frames smoothed by 1/4-1/2-1/4 both ways; beyond the edge lies the neighbour of the outermost."""
    xp = namespace(frames)
    values = xp.astype(frames, xp.float32)
    for axis in (1, 2):
        at = np.arange(frames.shape[axis])
        after = at.size - 1 - np.abs(at.size - 2 - at)
        around = _taken(values, np.abs(at - 1), axis) + _taken(values, after, axis)
        values = 0.25 * around + 0.5 * values
    return values


def _fields(frames: Array, first: int, gather: Any) -> Array:
    """Both fields of each frame, one after the other, by what `gather` makes of the rows' parity."""
    xp = namespace(frames)
    n, height, width = frames.shape
    pair = [gather((first + second) % 2) for second in (0, 1)]
    return xp.reshape(xp.stack(pair, axis=1), (2 * n, height, width))


def whole_frames(frames: Array, first: int) -> Array:
    """Missing rows as means of those around, at the edge the only neighbour; float32."""
    xp = namespace(frames)
    height = frames.shape[1]
    at = np.arange(height)

    def gather(row: int) -> Array:
        missing = (at - row) % 2 == 1
        above = np.where(missing, np.where(at > 0, at - 1, at + 1), at)
        below = np.where(missing, np.where(at < height - 1, at + 1, at - 1), at)
        return 0.5 * (_taken(values, above, 1) + _taken(values, below, 1))

    values = xp.astype(frames, xp.float32)
    return _fields(frames, first, gather)


def repeated_rows(frames: Array, first: int) -> Array:
    """Missing rows as the recorded one above (at the top, below)."""
    at = np.arange(frames.shape[1])
    return _fields(frames, first, lambda row: _taken(frames, np.maximum(at - (at - row) % 2, row), 1))
