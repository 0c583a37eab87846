"""How well a star's position can be known at best: the Cramer-Rao bound."""

import functools
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from reduction.synthetic.camera import recorded_adu
from reduction.synthetic.psf import reach_px, star_image
from reduction.synthetic.scene import Scene

_PHASES = (-0.375, -0.125, 0.125, 0.375)
_STEP_PX = 1e-3
_FLUX_GRID = 14
_FWHM_GRID = 6
_MOSAIC_SHARES = (0.25, 0.5, 0.25)


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


def shift_bound_px(
    scene: Scene, stars: Sequence[int], frames: Sequence[int], field: int = 0
) -> NDArray[np.float64]:
    """Return the bound of the shift of each frame from some of its stars, one axis, pixels.

    The Fisher information of a frame is the sum over its pixels: each colour of a mosaic and each field
    of interlaced video has its share of them (its own response, and a half), on average over where a star
    lies within a cell.

    Parameters
    ----------
    scene : Scene
        The recording; its flat field is taken as one, row noise, glow and overlay as none.
    stars : sequence of int
        Indices of the stars used.
    frames : sequence of int
        Frame numbers.
    field : int
        With `Scene.fields`, the first (0) or second (1) field of each frame.

    Returns
    -------
    array, (n_frame,), float64
        Infinite where none of the stars gives light.
    """
    truths = [scene.truth(frame, field) for frame in frames]
    total = np.zeros(len(truths))
    width = np.array([truth.fwhm_px for truth in truths])
    shares = [(1.0, 1.0, 0.5 if scene.fields is not None else 1.0)]
    for star in stars:
        flux = np.array([truth.flux_e[star] for truth in truths])
        if scene.colour != "mono":
            colour = scene.stars[star].colour
            shares = list(zip(colour, scene.sky_colour, _MOSAIC_SHARES, strict=True))
        for response, sky, share in shares:
            total += share * _information(scene, response * flux, width, sky)
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.sqrt(total), np.float64)


def _information(
    scene: Scene, flux: NDArray[np.float64], width: NDArray[np.float64], sky: float
) -> NDArray[np.float64]:
    """Fisher information of a star's position on frames of given flux and FWHM, px^-2, by interpolation."""
    shining = flux > 0.0
    if not shining.any():
        return np.zeros(flux.shape)
    fluxes = np.geomspace(0.999 * flux[shining].min(), 1.001 * flux.max(), _FLUX_GRID)
    steady = float(np.ptp(width)) < 1e-9
    widths = width[:1] if steady else np.geomspace(width.min(), width.max(), _FWHM_GRID)
    floor = sky * scene.sky_e + scene.dark_e
    step_e = digitisation_step_e(scene, floor)
    bounds = [
        [position_bound_px(f, w, floor, scene.read_noise_e, step_e, scene.beta) for f in fluxes.tolist()]
        for w in widths.tolist()
    ]
    along_flux = np.interp(np.log(np.where(shining, flux, fluxes[0])), np.log(fluxes), np.arange(_FLUX_GRID))
    along_width = np.zeros(flux.shape) if steady else np.interp(width, widths, np.arange(_FWHM_GRID))
    logs = ndimage.map_coordinates(np.log(bounds), [along_width, along_flux], order=1, mode="nearest")
    return np.where(shining, np.exp(-2.0 * logs), 0.0)


def digitisation_step_e(scene: Scene, level_e: float) -> float:
    """Electrons between two recorded values around a level in electrons; a gamma makes it depend on that."""
    linear = scene.offset_adu + level_e / scene.gain_e_per_adu
    step_adu = 1e-3 * max(linear, 1.0)
    recorded = recorded_adu(scene, np.array([linear, linear + step_adu]))
    return float(scene.gain_e_per_adu * step_adu / (recorded[1] - recorded[0]))
