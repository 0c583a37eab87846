"""Star fits on the recorded pixels of a mosaic or of one field of interlaced video."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic import sparse as _elsewhere
from gpu_kernels._agnostic.gather import nearest, windows
from gpu_kernels._numba import sparse as _sparse
from gpu_kernels._numba import stars as _stars
from gpu_kernels.align import StarFits
from gpu_kernels.device import Array, namespace, on_host, read_only, to_device

Floats = NDArray[np.float64]
LARGEST_MOVE = 2
"""Pixels a fit may wander from its start."""


def fit_sparse(
    frame: NDArray[Any],
    x: Floats,
    y: Floats,
    colours: Floats,
    first_row: int | None,
    sigma: float,
    variance: float,
    inv_gain: float,
) -> StarFits:
    """Fit pixel-integrated Gaussians of fixed width and colour to stars, by recorded pixels alone.

    Weighted least squares, as `fit_stars`; each kind of pixel has a sky of its own.

    Parameters
    ----------
    frame : array, (height, width)
        A mosaic, or a frame with one field; what lies on its other rows is not looked at.
    x, y : array, (n,), pixels
        Expected places.
    colours : array, (n, 4)
        Light of each star on each kind of pixel (by parity of row, then of column) against the mean.
    first_row : int or None
        First recorded row of a field; None: a mosaic.
    sigma : float
        Gaussian width before it falls on pixels, pixels.
    variance, inv_gain : float
        Of a recorded sky pixel, ADU^2, and ADU per electron.
    """
    half = max(3, int(np.ceil(2.5 * sigma)))
    reach = half + LARGEST_MOVE
    if not on_host(frame):
        levels = (float(variance), float(inv_gain))
        return _fit_elsewhere(frame, x, y, colours, first_row, float(sigma), levels, half, reach)
    known = np.isfinite(x) & np.isfinite(y)
    left = np.floor(np.where(known, x, 0.0) + 0.5).astype(np.int64) - reach
    top = np.floor(np.where(known, y, 0.0) + 0.5).astype(np.int64) - reach
    boxes = np.empty((x.size, 2 * reach + 1, 2 * reach + 1))
    _stars.cut_boxes(read_only(frame), left, top, boxes)
    out, status = np.empty((x.size, 6)), np.empty(x.size, np.int64)
    first = np.stack([top - (first_row or 0), left], 1)
    places = np.stack([x - left, y - top], 1)
    noise = np.array([variance, inv_gain])
    step = 2 if first_row is None else 1
    _sparse.fit_sparse_boxes(boxes, colours, step, first, places, sigma, half, noise, out, status)
    error = np.sqrt(0.5 * (out[:, 3] ** 2 + out[:, 4] ** 2))
    with np.errstate(invalid="ignore"):
        snr = out[:, 2] / out[:, 5]
    return StarFits(out[:, 0] + left, out[:, 1] + top, out[:, 2], error, snr, status)


def _fit_elsewhere(
    frame: Array, x: Array, y: Array, colours: Array, first_row: int | None, sigma: float,
    noise: tuple[float, float], half: int, reach: int,
) -> StarFits:  # fmt: skip
    """`fit_sparse` by the array API standard."""
    xp = namespace(frame)
    x, y, colours = (to_device(part, frame) if on_host(part) else part for part in (x, y, colours))
    known = xp.isfinite(x) & xp.isfinite(y)
    left = nearest(xp.where(known, x, 0.0), xp) - reach
    top = nearest(xp.where(known, y, 0.0), xp) - reach
    boxes, _ = windows(frame[None, ...], left[None, :], top[None, :], 2 * reach + 1, xp)
    corner_x, corner_y = xp.astype(left, xp.float64), xp.astype(top, xp.float64)
    step, first = (2, (top, left)) if first_row is None else (1, (top - first_row, left))
    places = (x - corner_x, y - corner_y)
    found, status = _elsewhere.fit_boxes(boxes[0, ...], colours, step, first, *places, sigma, *noise, half)
    error = xp.sqrt(0.5 * (found[3] ** 2 + found[4] ** 2))
    return StarFits(found[0] + corner_x, found[1] + corner_y, found[2], error, found[2] / found[5], status)
