"""Binning, flattening, sparse correlation and registered sums of single frames."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.device import Array, namespace, to_device


def bin_sum(frame: Array, factor: int) -> Array:
    """Sums of boxes, float32; pixels that are not finite count as 0."""
    xp = namespace(frame)
    height, width = (size // factor for size in frame.shape)
    values = xp.astype(frame[: height * factor, : width * factor], xp.float64)
    values = xp.where(xp.isfinite(values), values, 0.0)
    boxes = xp.reshape(values, (height, factor, width, factor))
    return xp.astype(xp.sum(boxes, axis=(1, 3)), xp.float32)


def box_mean(image: Array, half: int, xp: Any) -> Array:
    """Mean of the (2 half + 1)^2 pixels about each, near the edge of those that lie inside; float64."""
    sums = xp.astype(image, xp.float64)
    for axis in (0, 1):
        size = image.shape[axis]
        at = np.arange(size)
        first, last = np.maximum(at - half, 0), np.minimum(at + half, size - 1)
        whole = xp.cumulative_sum(sums, axis=axis)
        before = xp.take(whole, to_device(np.maximum(first - 1, 0), image), axis=axis)
        none = to_device(first == 0, image)
        before = xp.where(none[:, None] if axis == 0 else none, 0.0, before)
        share = to_device(1.0 / (last - first + 1), image)
        sums = xp.take(whole, to_device(last, image), axis=axis) - before
        sums = sums * (share[:, None] if axis == 0 else share)
    return sums


def flattened(binned: Array, cap: float, half: int) -> Array:
    """Each bin less the mean about it, cut above `cap`, smoothed with 1-2-1 both ways; float32."""
    xp = namespace(binned)
    flat = xp.minimum(xp.astype(binned, xp.float64) - box_mean(binned, half, xp), cap)
    for axis in (0, 1):
        at = np.arange(flat.shape[axis])
        before = xp.take(flat, to_device(np.maximum(at - 1, 0), flat), axis=axis)
        after = xp.take(flat, to_device(np.minimum(at + 1, at.size - 1), flat), axis=axis)
        flat = before + after + 2.0 * flat
    return xp.astype(flat, xp.float32)


def correlate_sparse(
    flat: Array, rows: NDArray[np.int64], columns: NDArray[np.int64], weights: NDArray[np.float32]
) -> Array:
    """Correlation of an image with points, for shifts up to half the image; off the image counts as 0."""
    xp = namespace(flat)
    height, width = flat.shape
    my, mx = height // 2, width // 2
    wide = _framed(flat, 2 * my + 1, 2 * mx + 1, xp)
    total = xp.zeros_like(wide[: 2 * my + 1, : 2 * mx + 1])
    for r, c, w in zip(rows.tolist(), columns.tolist(), weights.tolist(), strict=True):
        if -my <= r < height + my and -mx <= c < width + mx:  # else no shift brings it onto the image
            top, left = r + my + 1, c + mx + 1
            total = total + w * wide[top : top + 2 * my + 1, left : left + 2 * mx + 1]
    return total


def _framed(image: Array, tall: int, wide: int, xp: Any) -> Array:
    """An image with `tall` rows and `wide` columns of 0 on either side."""
    side = xp.zeros_like(image[:, :1]) + to_device(np.zeros((1, wide), np.float32), image)
    image = xp.concat([side, image, side], axis=1)
    edge = xp.zeros_like(image[:1, :]) + to_device(np.zeros((tall, 1), np.float32), image)
    return xp.concat([edge, image, edge], axis=0)


def bilinear(frame: Array, x: Array, y: Array, xp: Any) -> tuple[Array, Array]:
    """A frame's values (float64) at places (x, y), and where four pixels surround the place."""
    height, width = frame.shape
    ix, iy = xp.floor(x), xp.floor(y)
    fx, fy = x - ix, y - iy
    inside = (ix >= 0) & (iy >= 0) & (ix < width - 1) & (iy < height - 1)
    column = xp.astype(xp.clip(ix, 0, max(width - 2, 0)), xp.int64)
    row = xp.astype(xp.clip(iy, 0, max(height - 2, 0)), xp.int64)
    flat = xp.astype(xp.reshape(frame, (-1,)), xp.float64)
    at = xp.reshape(row * width + column, (-1,))
    down, across = (width if height > 1 else 0), (1 if width > 1 else 0)
    corner = [
        xp.reshape(xp.take(flat, at + step, axis=0), x.shape) for step in (0, across, down, down + across)
    ]
    above, below = corner[0] * (1.0 - fx) + corner[1] * fx, corner[2] * (1.0 - fx) + corner[3] * fx
    return above * (1.0 - fy) + below * fy, inside


def add_registered(frame: Array, turn: tuple[float, float, float, float], total: Array, count: Array) -> None:
    """Add a frame sampled at (c u - s v + tx, s u + c v + ty), `turn` being (c, s, tx, ty)."""
    xp = namespace(frame)
    c, s, tx, ty = turn
    height, width = total.shape
    u = to_device(np.arange(width, dtype=np.float64), frame)[None, :]
    v = to_device(np.arange(height, dtype=np.float64), frame)[:, None]
    value, inside = bilinear(frame, c * u - s * v + tx, s * u + c * v + ty, xp)
    covered = inside & xp.isfinite(value)
    total += xp.where(covered, value, 0.0)
    count += xp.astype(covered, xp.float64)


def peak_of(surface: Array) -> tuple[float, float]:
    """Place (dx, dy) of the largest value against the middle, by parabolas through its neighbours."""
    xp = namespace(surface)
    height, width = surface.shape
    iy, ix = divmod(int(xp.argmax(xp.reshape(surface, (-1,)))), width)
    here = float(surface[iy, ix])
    dx = dy = 0.0
    if 0 < ix < width - 1:
        dx = vertex(float(surface[iy, ix - 1]), here, float(surface[iy, ix + 1]))
    if 0 < iy < height - 1:
        dy = vertex(float(surface[iy - 1, ix]), here, float(surface[iy + 1, ix]))
    return ix - width // 2 + dx, iy - height // 2 + dy


def vertex(before: float, here: float, after: float) -> float:
    """Vertex of the parabola through three points one apart, against the middle one."""
    bend = before - 2.0 * here + after
    return 0.0 if not (bend < 0.0 and math.isfinite(bend)) else 0.5 * (before - after) / bend
