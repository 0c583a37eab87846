"""Places of stars on frames: windowed centroids and Gaussian fits, batched over frames and stars."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu_kernels._agnostic import stars as _elsewhere
from gpu_kernels._agnostic.photometry import around, overlaps
from gpu_kernels.align import StarFits, fit_stars
from gpu_kernels.device import Array, namespace, on_host, to_device

REACH_SIGMA = 4.0
"""Radius of the window in its sigma."""

STILL_PX = 2e-4
"""Step below which a windowed centroid has arrived."""

ROUNDS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Centroids:
    """Places of stars, (n, s), pixels; NaN where there is none.

    Attributes
    ----------
    x, y : array, (n, s)
    error : array, (n, s), pixels
        One sigma of each coordinate.
    flux : array, (n, s)
        Light within the window, each pixel weighted by it.
    """

    x: Array
    y: Array
    error: Array
    flux: Array


def windowed_centroids(
    frames: Array,
    x: ArrayLike,
    y: ArrayLike,
    sigma: float,
    sky: ArrayLike = 0.0,
    variance: float = 0.0,
    inv_gain: float = 0.0,
) -> Centroids:
    """Centroids under a Gaussian window that moves with them, as SExtractor's XWIN and YWIN.

    ``x += 2 sum(w I (x_i - x)) / sum(w I)`` until it stays (Bertin 2010, SExtractor user manual, sec. 10.4;
    the errors too). A window as wide as the star makes it nearly as precise as a fit, and no model is needed.

    Parameters
    ----------
    frames : array, (n, height, width)
        Pixels that are not finite are left out.
    x, y : array, (n, s), pixels
        Where to start, within about a sigma of the star.
    sigma : float, pixels
        Gaussian width of the window.
    sky : float or array, (n, s)
        Level that is taken off each pixel.
    variance : float
        Variance of a sky pixel, for the errors.
    inv_gain : float
        1 / gain, for the photon noise of the star in the errors.

    Returns
    -------
    Centroids
        NaN where the light in the window is not positive, or the centroid leaves it or does not come to rest.
    """
    xp = namespace(frames)
    start_x, start_y, level = (
        xp.astype(to_device(part, frames) if on_host(part) else part, xp.float64) for part in (x, y, sky)
    )
    level = xp.broadcast_to(level, start_x.shape)
    sigma, variance, inv_gain = float(sigma), float(variance), float(inv_gain)
    radius = REACH_SIGMA * sigma
    if 0 in start_x.shape:
        return Centroids(start_x, start_y, start_x, start_x)
    values, inside, dx, dy = around(frames, start_x, start_y, 2.0 * radius, xp)
    light = xp.where(inside & xp.isfinite(values), values - level[..., None, None], 0.0)
    lost = ~(xp.isfinite(start_x) & xp.isfinite(start_y))
    move_x, move_y = xp.zeros_like(start_x), xp.zeros_like(start_x)
    arrived, total = xp.zeros_like(lost), xp.ones_like(start_x)
    spread = xp.zeros_like(start_x)
    for _ in range(ROUNDS):
        to_x, to_y = dx - move_x[..., None], dy - move_y[..., None]
        square = (to_x * to_x)[..., None, :] + (to_y * to_y)[..., :, None]
        weight = overlaps(to_x, to_y, radius, xp) * xp.exp(-0.5 * square / (sigma * sigma))
        total = xp.sum(weight * light, axis=(-2, -1))
        lost = lost | ~(total > 0.0)
        safe = xp.where(lost, 1.0, total)
        step_x = 2.0 * xp.sum(weight * light * to_x[..., None, :], axis=(-2, -1)) / safe
        step_y = 2.0 * xp.sum(weight * light * to_y[..., :, None], axis=(-2, -1)) / safe
        noise = weight * weight * square * (variance + inv_gain * xp.maximum(light, 0.0))
        spread = 2.0 * xp.sum(noise, axis=(-2, -1)) / (safe * safe)
        on = ~(arrived | lost)
        move_x, move_y = xp.where(on, move_x + step_x, move_x), xp.where(on, move_y + step_y, move_y)
        arrived = arrived | (on & (step_x * step_x + step_y * step_y < STILL_PX**2))
        lost = lost | (move_x * move_x + move_y * move_y > radius * radius)
        if bool(xp.all(arrived | lost)):
            break
    good = arrived & ~lost
    return Centroids(
        *(
            xp.where(good, part, xp.nan)
            for part in (start_x + move_x, start_y + move_y, xp.sqrt(spread), total)
        )
    )


def gaussian_centroids(
    frames: Array,
    x: ArrayLike,
    y: ArrayLike,
    sigma: float,
    variance: float,
    inv_gain: float,
    saturation: float = math.inf,
    search: int = 0,
) -> StarFits:
    """`fit_stars` on many frames: pixel-integrated Gaussians of fixed width, weighted by their noise.

    Parameters
    ----------
    frames : array, (n, height, width)
    x, y : array, (n, s), pixels
        Where to start.
    sigma, variance, inv_gain, saturation, search
        As for `gpu_kernels.align.fit_stars`.

    Returns
    -------
    StarFits
        Arrays (n, s).
    """
    noise = (sigma, variance, inv_gain, saturation)
    if on_host(frames):
        columns, rows = np.asarray(x, np.float64), np.asarray(y, np.float64)
        fits = [
            fit_stars(frame, u, v, search, *noise) for frame, u, v in zip(frames, columns, rows, strict=True)
        ]
        return StarFits(*(_stacked([getattr(fit, name) for fit in fits], columns) for name in _FIT_COLUMNS))
    found, status = _elsewhere.fit_frames(frames, x, y, search, *noise)
    error = namespace(found).sqrt(0.5 * (found[..., 4] ** 2 + found[..., 5] ** 2))
    return StarFits(found[..., 0], found[..., 1], found[..., 2], error, found[..., 6], status)


_FIT_COLUMNS = ("x", "y", "flux", "error", "snr", "status")


def _stacked(rows: list[NDArray[Any]], like: NDArray[np.float64]) -> Any:
    return np.stack(rows) if rows else np.empty(like.shape)
