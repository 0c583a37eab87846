"""Windows of images, gathered in one step."""

from typing import Any

import numpy as np

from gpu_kernels.device import Array, to_device


def windows(
    frames: Array, left: Array, top: Array, side: int | tuple[int, int], xp: Any
) -> tuple[Array, Array]:
    """Windows of frames, float64, and which of their pixels lie on the frame.

    Parameters
    ----------
    frames : array, (n, height, width)
    left, top : array, (n, s), int64
        First column and row of each window.
    side : int or (int, int)
        Rows and columns of a window.

    Returns
    -------
    values, inside : array, (n, s, rows, columns)
        Beyond the edge values are NaN.
    """
    n, height, width = frames.shape
    tall, wide = (side, side) if isinstance(side, int) else side
    rows = top[..., None] + to_device(np.arange(tall), frames)
    columns = left[..., None] + to_device(np.arange(wide), frames)
    inside = ((rows >= 0) & (rows < height))[..., :, None] & ((columns >= 0) & (columns < width))[
        ..., None, :
    ]
    first = to_device(np.arange(n) * (height * width), frames)[:, None, None]
    at = (first + xp.clip(rows, 0, height - 1) * width)[..., :, None]
    at = at + xp.clip(columns, 0, width - 1)[..., None, :]
    flat = xp.reshape(frames, (n * height * width,))
    values = xp.reshape(xp.take(flat, xp.reshape(at, (-1,)), axis=0), at.shape)
    return xp.where(inside, xp.astype(values, xp.float64), xp.nan), inside


def nearest(places: Array, xp: Any) -> Array:
    """Places rounded to the nearest pixel (halves upwards), int64."""
    return xp.astype(xp.floor(places + 0.5), xp.int64)


def shifted(images: Array, dy: int, dx: int, beyond: float, xp: Any) -> Array:
    """``images[..., y + dy, x + dx]`` at every (y, x), and `beyond` where that lies off the image."""
    for axis, by in ((-2, dy), (-1, dx)):
        if by == 0:
            continue
        size = images.shape[axis]
        at = np.arange(size) + by
        inside = to_device((at >= 0) & (at < size), images)
        images = xp.where(inside[:, None] if axis == -2 else inside, xp.roll(images, -by, axis=axis), beyond)
    return images
