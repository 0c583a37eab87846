"""The image of a star, integrated over pixels."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Floats = NDArray[np.float64]

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian of unit sigma."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)


def star_image(
    x: float, y: float, fwhm_px: float, shape: tuple[int, int], beta: float | None = None
) -> Floats:
    """Return the fraction of a star's light that falls on each pixel.

    Parameters
    ----------
    x, y : float
        Centre, pixels of the image; pixel centres are integers.
    fwhm_px : float
        Full width at half maximum before pixel integration, pixels.
    shape : (int, int)
        ``(height, width)`` of the image.
    beta : float, optional
        Exponent of a Moffat (1969, A&A 3, 455) profile; a Gaussian when None.

    Returns
    -------
    array, (height, width), float64
        Sums to less than one by what falls outside. A Gaussian is integrated exactly, a Moffat
        by 4 x 4 Gauss-Legendre nodes in each pixel.
    """
    height, width = shape
    if beta is None:
        return np.outer(_gaussian_bins(y, fwhm_px, height), _gaussian_bins(x, fwhm_px, width))
    core2 = fwhm_px**2 / (4.0 * (2.0 ** (1.0 / beta) - 1.0))
    dx = (np.arange(width)[:, None] + 0.5 * _NODES - x).ravel()
    dy = (np.arange(height)[:, None] + 0.5 * _NODES - y).ravel()
    dense = (1.0 + (dx[None, :] ** 2 + dy[:, None] ** 2) / core2) ** -beta
    cells = dense.reshape(height, _NODES.size, width, _NODES.size)
    integral = np.einsum("iajb,a,b->ij", cells, 0.5 * _WEIGHTS, 0.5 * _WEIGHTS)
    peak = (beta - 1.0) / (math.pi * core2)
    return np.asarray(peak * integral, np.float64)


def _gaussian_bins(centre: float, fwhm_px: float, count: int) -> Floats:
    edges = np.arange(count + 1) - 0.5 - centre
    steps = erf(edges * (FWHM_PER_SIGMA / (fwhm_px * math.sqrt(2.0))))
    return np.asarray(0.5 * np.diff(steps), np.float64)


def reach_px(fwhm_px: float, beta: float | None) -> int:
    """Half-width of the box that holds a star's light: all but 1e-8 of a Gaussian, 12 FWHM of a Moffat."""
    return math.ceil(2.6 * fwhm_px if beta is None else 12.0 * fwhm_px) + 1
