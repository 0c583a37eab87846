"""Sums over whole pixels: a fixed footprint, or the blob of pixels above a threshold."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic.gather import nearest, shifted, windows
from gpu_kernels.device import Array, namespace, to_device


def _about(frames: Array, x: Array, y: Array, half: int, xp: Any) -> tuple[Array, Array, Array]:
    """Squares of pixels about the one that holds each star, which of them are there, and known places."""
    known = xp.isfinite(x) & xp.isfinite(y)
    column = nearest(xp.clip(xp.where(known, x, 0.0), -1e6, 1e6), xp) - half
    row = nearest(xp.clip(xp.where(known, y, 0.0), -1e6, 1e6), xp) - half
    values, inside = windows(frames, column, row, 2 * half + 1, xp)
    return values, inside & xp.isfinite(values), known


def footprint_sums(frames: Array, x: Array, y: Array, sky: Array, footprint: NDArray[np.bool_]) -> Array:
    """(n, s, 5): flux, pixels, share of the footprint that is there, peak, 0."""
    xp = namespace(frames)
    if 0 in x.shape:
        return xp.stack([x] * 5, axis=-1)
    values, there, known = _about(frames, x, y, footprint.shape[0] // 2, xp)
    out = _summed(values, there & to_device(footprint, frames), sky, float(footprint.sum()), xp)
    return xp.where(known[..., None], out, xp.nan)


def _summed(values: Array, used: Array, sky: Array, wanted: Array | float, xp: Any) -> Array:
    """Flux, pixels, share of those wanted, peak and 0 of the pixels used."""
    pixels = xp.sum(xp.astype(used, xp.float64), axis=(-2, -1))
    flux = xp.sum(xp.where(used, values - sky[..., None, None], 0.0), axis=(-2, -1))
    peak = xp.max(xp.where(used, values, -xp.inf), axis=(-2, -1))
    peak = xp.where(pixels > 0.0, peak, xp.nan)
    return xp.stack(
        [flux, pixels, pixels / xp.maximum(wanted + 0.0 * pixels, 1.0), peak, 0.0 * pixels], axis=-1
    )


def blob_sums(
    frames: Array, x: Array, y: Array, sky: Array, thresholds: Array, half: int, snap: int, least: int,
    footprint: NDArray[np.bool_],
) -> Array:  # fmt: skip
    """`footprint_sums` over the star's own blob, the last column 1, where one of `least` pixels is found.

    The blob grows from the brightest smoothed pixel near the star, by the pixels' sides, all stars at once.
    """
    xp = namespace(frames)
    if 0 in x.shape:
        return xp.stack([x] * 5, axis=-1)
    values, there, known = _about(frames, x, y, half + 1, xp)
    light = xp.where(there, values - sky[..., None, None], 0.0)
    light = 0.25 * (light[..., :-2] + light[..., 2:]) + 0.5 * light[..., 1:-1]
    smooth = 0.25 * (light[..., :-2, :] + light[..., 2:, :]) + 0.5 * light[..., 1:-1, :]
    values, there = values[..., 1:-1, 1:-1], there[..., 1:-1, 1:-1]
    side = 2 * half + 1
    grid = np.arange(side) - half
    near = to_device(grid[:, None] ** 2 + grid**2 <= snap * snap, frames)
    flat = xp.reshape(xp.where(near, smooth, -xp.inf), (*x.shape, side * side))
    best = xp.argmax(flat, axis=-1)
    place = xp.reshape(to_device(np.arange(side * side), frames), (side, side))
    above = smooth > thresholds[..., None, None]
    blob = above & (place == best[..., None, None])
    while True:
        grown = blob
        for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            grown = grown | shifted(blob, dy, dx, False, xp)
        grown = grown & above
        if bool(xp.all(grown == blob)):
            break
        blob = grown
    count = xp.sum(xp.astype(blob, xp.float64), axis=(-2, -1))
    own = _summed(values, there & blob, sky, count, xp)
    found = (count >= least) & xp.isfinite(sky)
    own = xp.concat([own[..., :4], xp.ones_like(own[..., 4:])], axis=-1)
    fixed = footprint_sums(frames, x, y, sky, footprint)
    out = xp.where(found[..., None], own, fixed)
    return xp.where((known & xp.isfinite(sky))[..., None], out, xp.nan)
