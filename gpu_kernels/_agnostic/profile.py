"""Light of stars in pixels: sums of concentric Gaussians, integrated."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic.special import erf
from gpu_kernels.device import Array

Terms = NDArray[np.float64]


def rim_weight(square: Array, radius: Array, xp: Any) -> Array:
    """1 within the radius, 0 beyond, linear across the pixel on the rim; `square` is the distance's."""
    return xp.clip(radius + 0.5 - xp.sqrt(square), 0.0, 1.0)


def light(dx: Array, dy: Array, terms: Terms, scale: Array, xp: Any) -> Array:
    """Light of a star of unit flux in pixels (..., rows, columns) whose centres lie dx, dy from its place."""
    total = None
    for share, sx, sy in terms.tolist():
        down, across = _bins(dy, sy * scale, xp), _bins(dx, sx * scale, xp)
        part = (share * down)[..., :, None] * across[..., None, :]
        total = part if total is None else total + part
    return total


def light_and_widening(dx: Array, dy: Array, terms: Terms, scale: Array, xp: Any) -> tuple[Array, Array]:
    """`light`, and its derivative by the logarithm of the scale."""
    total, slope = None, None
    for share, sx, sy in terms.tolist():
        down, across = share * _bins(dy, sy * scale, xp), _bins(dx, sx * scale, xp)
        part = down[..., :, None] * across[..., None, :]
        more = share * _widening(dy, sy * scale, xp)[..., :, None] * across[..., None, :]
        more = more + down[..., :, None] * _widening(dx, sx * scale, xp)[..., None, :]
        total = part if total is None else total + part
        slope = more if slope is None else slope + more
    return total, slope


def _edges(offset: Array, sigma: Array, xp: Any) -> Array:
    return xp.concat([offset - 0.5, offset[..., -1:] + 0.5], axis=-1) / sigma


def _bins(offset: Array, sigma: Array, xp: Any) -> Array:
    below = 0.5 * (1.0 + erf(_edges(offset, sigma, xp) / math.sqrt(2.0), xp))
    return below[..., 1:] - below[..., :-1]


def _widening(offset: Array, sigma: Array, xp: Any) -> Array:
    t = xp.clip(_edges(offset, sigma, xp), -40.0, 40.0)
    moved = -t * xp.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi)
    return moved[..., 1:] - moved[..., :-1]
