"""Background, noise and local maxima of single images."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic.photometry import masked_median
from gpu_kernels.device import Array, namespace, to_device, to_host

Floats = NDArray[np.float64]


def clipped_means(cells: Array) -> Array:
    """Mean (float64) within three robust sigma of the median, of finite values along the last axis.

    Median and deviation are those of every third of many values.
    """
    xp = namespace(cells)
    usable = xp.isfinite(cells)
    values = xp.where(usable, xp.astype(cells, xp.float64), 0.0)
    step = 3 if cells.shape[-1] >= 300 else 1
    every, there = values[..., ::step], usable[..., ::step]
    middle = masked_median(every, there, xp)[..., None]
    distance = xp.abs(every - middle)
    spread = 1.4826 * masked_median(distance, there, xp)
    count = xp.maximum(xp.sum(xp.astype(there, xp.float64), axis=-1), 1.0)
    mean = xp.sum(xp.where(there, every, 0.0), axis=-1) / count
    off = xp.where(there, every - mean[..., None], 0.0)
    spread = xp.maximum(spread, 0.05 * xp.sqrt(xp.sum(off * off, axis=-1) / count))
    kept = usable & (xp.abs(values - middle) <= 3.0 * spread[..., None] + 1e-12)
    number = xp.sum(xp.astype(kept, xp.float64), axis=-1)
    total = xp.sum(xp.where(kept, values, 0.0), axis=-1)
    return xp.where(number > 0.0, total / xp.maximum(number, 1.0), xp.nan)


def mesh_of(image: Array, by: int, bx: int) -> Floats:
    """Clipped mean of each mesh of by x bx pixels, on the host (there are few)."""
    xp = namespace(image)
    ny, nx = image.shape[0] // by, image.shape[1] // bx
    cells = xp.reshape(xp.astype(image[: ny * by, : nx * bx], xp.float32), (ny, by, nx, bx))
    cells = xp.reshape(xp.moveaxis(cells, 2, 1), (ny, nx, by * bx))
    return np.asarray(to_host(clipped_means(cells)), np.float64)


def bilinear_mesh(
    mesh: Floats, rows: tuple[NDArray[np.intp], Floats], columns: tuple[NDArray[np.intp], Floats], like: Array
) -> Array:
    """A mesh spread over all pixels, float32; `rows`, `columns`: the mesh before each and how far on."""
    xp = namespace(like)
    (low, down), (left, across) = rows, columns
    ny, nx = mesh.shape
    along = (1.0 - across) * mesh[:, left] + across * mesh[:, np.minimum(left + 1, nx - 1)]
    wide = to_device(along.astype(np.float32), like)
    before = xp.take(wide, to_device(low.astype(np.int64), like), axis=0)
    after = xp.take(wide, to_device(np.minimum(low + 1, ny - 1).astype(np.int64), like), axis=0)
    part = to_device(down.astype(np.float32), like)[:, None]
    return before + part * (after - before)


def clipped_sigma(values: Array, clip: float, factor: float) -> float:
    """Standard deviation of a Gaussian core; `factor` is that of its part within `clip` sigma."""
    xp = namespace(values)
    flat = xp.reshape(xp.astype(values, xp.float64), (-1,))
    used = xp.isfinite(flat)
    if not bool(xp.any(used)):
        return math.nan
    middle = float(masked_median(flat, used, xp))
    flat = xp.where(used, flat, 0.0)
    sigma = 1.4826 * float(masked_median(xp.abs(flat - middle), used, xp))
    if sigma == 0.0:
        sigma = _deviation(flat, used, xp)[1]
    for _ in range(6):
        kept = used & (xp.abs(flat - middle) <= clip * sigma)
        if int(xp.sum(xp.astype(kept, xp.int64))) < 2:
            break
        middle, spread = _deviation(flat, kept, xp)
        new = spread / factor
        settled = abs(new - sigma) <= 1e-4 * sigma
        sigma = new
        if settled:
            break
    return sigma


def _deviation(values: Array, used: Array, xp: Any) -> tuple[float, float]:
    count = float(xp.sum(xp.astype(used, xp.float64)))
    mean = float(xp.sum(xp.where(used, values, 0.0))) / count
    off = xp.where(used, values - mean, 0.0)
    return mean, math.sqrt(float(xp.sum(off * off)) / count)


def smoothed(image: Array, sigma: float) -> Array:
    """Gaussian smoothing, cut at three sigma; beyond the edge the outermost pixel goes on."""
    xp = namespace(image)
    half = int(3.0 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    out = xp.astype(image, xp.float64)
    for axis in (0, 1):
        size = image.shape[axis]
        total = None
        for step, weight in zip(range(-half, half + 1), kernel.tolist(), strict=True):
            at = np.clip(np.arange(size) + step, 0, size - 1)
            part = weight * xp.take(out, to_device(at, image), axis=axis)
            total = part if total is None else total + part
        out = total
    return xp.astype(out, xp.float32)


def highest(score: Array, level: float, half: int, edge: int) -> NDArray[np.bool_]:
    """Where (on the host) pixels above a level are the highest within `half`, `edge` from the border."""
    xp = namespace(score)
    top = score
    for axis in (0, 1):
        size = score.shape[axis]
        best = top
        for step in range(-half, half + 1):
            at = np.clip(np.arange(size) + step, 0, size - 1)
            best = xp.maximum(best, xp.take(top, to_device(at, score), axis=axis))
        top = best
    peak = to_host((score == top) & (score > level)).copy()
    peak[:edge] = peak[-edge:] = False
    peak[:, :edge] = peak[:, -edge:] = False
    return np.asarray(peak, np.bool_)


def less(image: Array, background: Array) -> Array:
    """An image less its background, float32."""
    xp = namespace(image)
    return xp.astype(xp.astype(image, xp.float64) - xp.astype(background, xp.float64), xp.float32)


def finite(image: Array) -> Array:
    """The same with 0 for what is not finite."""
    xp = namespace(image)
    return xp.where(xp.isfinite(image), image, 0.0)


def values_at(image: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
    """Values of some pixels, on the host; an array of the shape of `rows` and `columns` together."""
    xp = namespace(image)
    at = np.asarray(rows * image.shape[1] + columns, np.int64)
    found = xp.take(xp.reshape(image, (-1,)), to_device(at.ravel(), image), axis=0)
    return np.asarray(to_host(found), np.float32).reshape(at.shape)


def star_widths(boxes: Array, sky: Array) -> Array:
    """Gaussian widths (n,) of the stars in the middle of boxes (n, m, m) by adaptive moments, all at once."""
    xp = namespace(boxes)
    half = boxes.shape[1] // 2
    at = to_device(np.arange(boxes.shape[1]) - float(half), boxes)
    light = xp.astype(boxes, xp.float64) - sky[:, None, None]
    cx, cy = xp.zeros_like(light[:, 0, 0]), xp.zeros_like(light[:, 0, 0])
    var = xp.full_like(cx, 2.25)
    width = xp.full_like(cx, xp.nan)
    going = xp.ones_like(cx) > 0.0
    for step in range(60):
        across = xp.exp(-0.5 * (at - cx[:, None]) ** 2 / var[:, None])
        down = xp.exp(-0.5 * (at - cy[:, None]) ** 2 / var[:, None])
        weighted = light * down[:, :, None] * across[:, None, :]
        columns, rows = xp.sum(weighted, axis=1), xp.sum(weighted, axis=2)
        total = xp.sum(columns, axis=1)
        going = going & (total > 0.0)
        safe = xp.where(going, total, 1.0)
        mx, my = xp.sum(columns * at, axis=1) / safe, xp.sum(rows * at, axis=1) / safe
        new = xp.sum((columns + rows) * (at * at), axis=1) / safe - mx * mx - my * my
        cx, cy = xp.where(going, cx + 1.4 * (mx - cx), cx), xp.where(going, cy + 1.4 * (my - cy), cy)
        new = xp.clip(xp.where(going, new, 1.0), 0.15, 36.0)
        going = going & (xp.abs(cx) <= 3.0) & (xp.abs(cy) <= 3.0)
        still = going & ((xp.abs(new - var) < 1e-4 * var) | (step == 59))
        width = xp.where(still, xp.sqrt(xp.maximum(new - 1.0 / 12.0, 0.16)), width)
        going = going & ~still
        if not bool(xp.any(going)):
            break
        var = xp.where(going, var + 0.8 * (new - var), var)
    return width
