"""How well a star's flux can be known at best, and what the best apertures make of it."""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.noise import circle_weights
from reduction.synthetic.psf import star_image

Floats = NDArray[np.float64]

_PLACES = (np.arange(6) + 0.5) / 6.0 - 0.5
_RADII = np.geomspace(0.4, 2.5, 48)


@dataclass(frozen=True, slots=True)
class FluxBounds:
    """Relative sigma of a star's flux, over all places of the star within a pixel.

    Attributes
    ----------
    known : float
        Profile and sky known without error: the Cramer-Rao bound, reached by optimal weights.
    circle : float
        Exact circle of the best radius, sky from the annulus.
    circle_px : float
        That radius.
    whole : float
        Whole pixels about the star's own, of the best radius: a static mask, and tools that count pixels.
    whole_px : float
        That radius.
    """

    known: float
    circle: float
    circle_px: float
    whole: float
    whole_px: float


@functools.lru_cache(maxsize=256)
def flux_bounds(
    flux_e: float,
    fwhm_px: float,
    pixel_variance_e2: float,
    beta: float | None = None,
    sky_pixels: float = math.inf,
) -> FluxBounds:
    """Return what can be had of one star on one frame.

    The bound is ``1 / sum(P^2 / (v + F P))`` with P the pixel-integrated image, F the flux and v the
    variance of a sky pixel (Naylor 1998, MNRAS 296, 339, equation 10, for F small). A sum with weights w has
    the variance ``v (sum w^2 + (sum w)^2 / N) + F sum w^2 P``, N pixels telling the sky, and that of
    ``F sum w P`` over places within the pixel; all over the square of the mean of ``sum w P``.

    Parameters
    ----------
    flux_e : float
        Electrons of the star.
    fwhm_px : float
        Full width at half maximum, pixels.
    pixel_variance_e2 : float
        Variance of a sky pixel: sky, dark and read noise, electrons squared.
    beta : float, optional
        Exponent of a Moffat profile; Gaussian when None.
    sky_pixels : float
        Pixels of the annulus from which the apertures' sky level is taken.
    """
    middle = math.ceil(6.0 * fwhm_px) + 2
    shape = (2 * middle + 1, 2 * middle + 1)
    places = [(float(dy), float(dx)) for dy in _PLACES for dx in _PLACES]
    images = [star_image(middle + dx, middle + dy, fwhm_px, shape, beta) for dy, dx in places]
    information = [float((p**2 / (pixel_variance_e2 + flux_e * p)).sum()) for p in images]
    reach = np.hypot(*np.indices(shape) - middle)

    def relative(weights: list[Floats]) -> float:
        noise, light = np.zeros(len(places)), np.zeros(len(places))
        for k, (w, image) in enumerate(zip(weights, images, strict=True)):
            cut = middle - w.shape[0] // 2
            p = image[cut : cut + w.shape[0], cut : cut + w.shape[1]]
            sky = float((w**2).sum() + w.sum() ** 2 / sky_pixels)
            noise[k] = pixel_variance_e2 * sky + flux_e * float((w**2 * p).sum())
            light[k] = (w * p).sum()
        return float(np.sqrt(noise.mean() / flux_e**2 + light.var()) / light.mean())

    circles = [relative([circle_weights(r, *place) for place in places]) for r in fwhm_px * _RADII]
    sizes = np.unique(np.round(reach[reach <= 2.5 * fwhm_px], 6))[1:]
    masks = [relative([(reach <= r).astype(np.float64)] * len(places)) for r in sizes]
    best, least = int(np.argmin(circles)), int(np.argmin(masks))
    return FluxBounds(
        known=float(np.sqrt(np.mean(1.0 / np.array(information)))) / flux_e,
        circle=circles[best],
        circle_px=float(fwhm_px * _RADII[best]),
        whole=masks[least],
        whole_px=float(sizes[least]),
    )
