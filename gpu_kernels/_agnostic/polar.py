"""Amplitudes of Fourier transforms in logarithmic polar coordinates."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.device import Array, namespace, to_device


@dataclass(frozen=True, slots=True, eq=False)
class PolarGrid:
    """Frequencies of a grid of `radii` rows, e-fold by `step`, and `angles` columns over half a turn."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    radii: int
    angles: int
    step: float


def polar_grid(side: int) -> PolarGrid:
    """Grid for transforms of length `side`: from 1/32 of the largest frequency to the largest."""
    angles, radii = 360, 256
    largest = 0.5 * side - 2.0
    step = math.log(32.0) / radii
    radius = largest * np.exp((np.arange(radii) + 1 - radii) * step)
    angle = math.pi * np.arange(angles) / angles
    return PolarGrid(radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle), radii, angles, step)


def log_polar(images: Array, side: int, grid: PolarGrid) -> Array:
    """Logarithm of the amplitude of each image's transform on a grid, less its mean at each radius.

    Parameters
    ----------
    images : array, (n, height, width), float64
        Brought to zero at the edges.

    Returns
    -------
    array, (n, radii, angles)
    """
    xp = namespace(images)
    amplitude = xp.abs(xp.fft.fftn(xp.astype(images, xp.complex128), s=(side, side), axes=(1, 2)))
    floor = 1e-6 * xp.max(amplitude, axis=(1, 2), keepdims=True) + 1e-300
    flat = xp.reshape(xp.log(amplitude + floor), (-1, side * side))
    ix, iy = np.floor(grid.x).astype(np.int64), np.floor(grid.y).astype(np.int64)
    fx, fy = grid.x - ix, grid.y - iy
    total = None
    for dy, dx, weight in (
        (0, 0, (1 - fx) * (1 - fy)),
        (0, 1, fx * (1 - fy)),
        (1, 0, (1 - fx) * fy),
        (1, 1, fx * fy),
    ):
        at = ((iy + dy) % side * side + (ix + dx) % side).ravel()
        part = xp.take(flat, to_device(at, images), axis=1) * to_device(weight.ravel(), images)
        total = part if total is None else total + part
    polar = xp.reshape(total, (-1, grid.radii, grid.angles))
    return polar - xp.mean(polar, axis=2, keepdims=True)
