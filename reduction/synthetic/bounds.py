"""How well a star's position can be known at best: the Cramer-Rao bound."""

import functools
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from reduction.synthetic.psf import reach_px, star_image
from reduction.synthetic.scene import Scene

_PHASES = (-0.375, -0.125, 0.125, 0.375)
_STEP_PX = 1e-3
_FLUX_GRID = 40


@functools.lru_cache(maxsize=4096)
def position_bound_px(
    flux_e: float,
    fwhm_px: float,
    sky_e: float,
    read_noise_e: float,
    gain_e_per_adu: float = 0.0,
    beta: float | None = None,
) -> float:
    """Return the Cramer-Rao bound of a star's position along one axis, pixels.

    Fisher information of independent pixels, ``sum (d mu / d x)^2 / variance`` (Winick 1986,
    JOSA A 3, 1809), over the pixel-integrated image, averaged over 16 places within the pixel.
    Flux and sky are symmetric about the centre and cost nothing on average.

    Parameters
    ----------
    flux_e : float
        Electrons of the star in one frame.
    fwhm_px : float
        Full width at half maximum, pixels.
    sky_e : float
        Sky and dark electrons per pixel.
    read_noise_e : float
        Read noise, electrons per pixel.
    gain_e_per_adu : float
        Electrons per ADU, for the variance of digitisation, ``gain^2 / 12``; 0 leaves it out.
    beta : float, optional
        Exponent of a Moffat profile; Gaussian when None.
    """
    if flux_e <= 0.0:
        return math.inf
    half = reach_px(fwhm_px, None if beta is None else beta)
    shape = (2 * half + 1, 2 * half + 1)
    floor = sky_e + read_noise_e**2 + gain_e_per_adu**2 / 12.0
    information = []
    for dy in _PHASES:
        for dx in _PHASES:
            x, y = half + dx, half + dy
            ahead = star_image(x + _STEP_PX, y, fwhm_px, shape, beta)
            behind = star_image(x - _STEP_PX, y, fwhm_px, shape, beta)
            slope = flux_e * (ahead - behind) / (2.0 * _STEP_PX)
            variance = flux_e * star_image(x, y, fwhm_px, shape, beta) + floor
            information.append(float(np.sum(slope**2 / np.maximum(variance, 1e-12))))
    return 1.0 / math.sqrt(float(np.mean(information)))


def combined_bound_px(bounds_px: Iterable[float]) -> float:
    """Bound of a shift common to several stars: inverse variances add."""
    information = sum(bound**-2 for bound in bounds_px if math.isfinite(bound))
    return 1.0 / math.sqrt(information) if information > 0.0 else math.inf


def shift_bound_px(scene: Scene, stars: Sequence[int], frames: Sequence[int]) -> NDArray[np.float64]:
    """Return the bound of the shift of each frame from some of its stars, one axis, pixels.

    Parameters
    ----------
    scene : Scene
        The recording; its flat field is taken as one.
    stars : sequence of int
        Indices of the stars used.
    frames : sequence of int
        Frame numbers.

    Returns
    -------
    array, (n_frame,), float64
        Infinite where none of the stars gives light.
    """
    flux = np.array([scene.truth(frame).flux_e[list(stars)] for frame in frames])
    if not flux.any():
        return np.full(len(frames), np.inf)
    low, high = flux[flux > 0.0].min(), flux.max()
    grid = np.geomspace(0.999 * low, 1.001 * high, _FLUX_GRID)
    sky_e = scene.sky_e + scene.dark_e
    bounds = [
        position_bound_px(f, scene.fwhm_px, sky_e, scene.read_noise_e, scene.gain_e_per_adu, scene.beta)
        for f in grid.tolist()
    ]
    shine = np.maximum(flux, low)
    information = np.exp(-2.0 * np.interp(np.log(shine), np.log(grid), np.log(bounds)))
    total = np.where(flux > 0.0, information, 0.0).sum(axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.sqrt(total), np.float64)
