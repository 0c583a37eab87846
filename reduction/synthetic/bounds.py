"""How well a star's position can be known at best: the Cramer-Rao bound."""

import functools
import math
from collections.abc import Iterable

import numpy as np

from reduction.synthetic.psf import reach_px, star_image

_PHASES = (-0.375, -0.125, 0.125, 0.375)
_STEP_PX = 1e-3


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
