"""Aperture photometry: exact circular apertures, nested radii in one pass, clipped-mean sky.

Every (frame, star) is computed from its own pixels alone and in a fixed order: results are equal bit for bit
however frames are grouped into blocks.
"""

import math
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu_kernels._numba.photometry import aperture_block, fetch_rows
from gpu_kernels._numba.sky import counted_block, selected_block, truncation_factor

LEAST_SKY_PIXELS = 10
"""Fewest usable pixels in the annulus from which a sky is taken."""

_COUNTED_LEVELS = {"uint8": 256, "uint16": 4096, "float32": 0, "float64": 0}
"""Pixel types, and the span of levels up to which their sky is counted rather than selected from."""


class StarStatus(IntFlag):
    """What keeps a measurement from being complete; 0 is good."""

    OFF_FRAME = 1
    """Part of the aperture lies beyond the frame's edge."""
    NOT_FINITE = 2
    """A pixel of the aperture is NaN or infinite."""
    NO_SKY = 4
    """Fewer than `LEAST_SKY_PIXELS` finite pixels in the annulus."""
    LOST = 8
    """The position is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class StarMeasurements:
    """Stars measured on a block of frames: n frames, s stars, r radii; in units of the pixels.

    Attributes
    ----------
    flux : array, (n, s, r)
        Aperture sum less area times sky; NaN where it cannot be had (see `status`). Of an aperture partly
        off the frame it is the flux of the part that is on it.
    area : array, (n, s, r), pixels
        Area of the aperture that lies on the frame.
    sky : array, (n, s)
        Clipped mean of the annulus, per pixel.
    sky_sigma : array, (n, s)
        Standard deviation of one sky pixel, corrected for the clipping.
    sky_count : array, (n, s), int64
        Annulus pixels kept; 0 where there is no sky.
    peak : array, (n, s, r)
        Largest pixel value of which any part lies in the aperture (NaN pixels aside).
    status : array, (n, s, r), uint32
        Bits of `StarStatus`.
    """

    flux: NDArray[np.float64]
    area: NDArray[np.float64]
    sky: NDArray[np.float64]
    sky_sigma: NDArray[np.float64]
    sky_count: NDArray[np.int64]
    peak: NDArray[np.float64]
    status: NDArray[np.uint32]


def aperture_sums(
    frames: NDArray[Any], x: ArrayLike, y: ArrayLike, radii: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums within circles, each pixel weighted by the exact area that the circle covers of it.

    Parameters
    ----------
    frames : array, (n, height, width), uint8, uint16, float32 or float64
        Native byte order.
    x, y : array, (n, s), pixels
        Centres of the circles; pixel centres are integers. Where one is not finite the results are NaN.
    radii : array, (r,), pixels
        Ascending.

    Returns
    -------
    sums : array, (n, s, r), float64
        Sum over the part of the circle that is on the frame; NaN or infinite if such a pixel is among them.
    areas : array, (n, s, r), float64, pixels
        Area of that part: less than pi r^2 where the circle leaves the frame, 0 where it is wholly off.

    Raises
    ------
    ValueError
        Shapes do not match, the pixel type is another one, or radii are not ascending and positive.
    """
    pixels, columns, rows, radius = _checked(frames, x, y, radii)
    sums, areas, _ = _sums(pixels, columns, rows, radius)
    return sums, areas


def measure(
    frames: NDArray[Any],
    x: ArrayLike,
    y: ArrayLike,
    radii: ArrayLike,
    sky_inner: float,
    sky_outer: float,
    clip: float = 3.0,
) -> StarMeasurements:
    """Measure stars within circles and subtract the clipped mean of the sky around each.

    The sky is the mean of the annulus pixels (centres at ``sky_inner <= distance < sky_outer``) within `clip`
    sigma of that mean, iterated from median and MAD to convergence. It is never the median, which on 8-bit
    frames is quantised. Sigma is the standard deviation of the kept pixels times `clip_correction`, both in
    the bounds and in the result, so that Gaussian noise gives its own sigma back. In the bounds the step
    between the levels at the median, which is 1 on integer frames, is added in quadrature: noise below the
    digitisation step would lose its rare higher levels.

    Noise of skewness g shifts a mean that is clipped at 3 sigma by about -0.04 g sigma (Poisson counts N:
    g = 1/sqrt(N)), at 4 sigma by -0.003 g sigma; a star in the annulus shifts it less the lower `clip` is.

    Parameters
    ----------
    frames : array, (n, height, width), uint8, uint16, float32 or float64
        Native byte order. Pixels that are not finite are left out of the sky.
    x, y : array, (n, s), pixels
        Positions; pixel centres are integers. NaN where a star is lost.
    radii : array, (r,), pixels
        Ascending.
    sky_inner, sky_outer : float, pixels
        Radii of the annulus.
    clip : float
        Pixels further than this many sigma from the mean are left out; at least 1.

    Raises
    ------
    ValueError
        Shapes do not match, the pixel type is another one, radii are not ascending and positive, the annulus
        is empty or `clip` below 1.
    """
    pixels, columns, rows, radius = _checked(frames, x, y, radii)
    if not (0.0 <= sky_inner < sky_outer < math.inf):
        raise ValueError(
            f"sky annulus from {sky_inner} to {sky_outer} px: the radii must be finite and ascend"
        )
    if not (clip >= 1.0):
        raise ValueError(f"clip of {clip} sigma: at least 1 is needed")
    fetch_rows(pixels, columns, rows, max(float(sky_outer), float(radius[-1])))
    sums, areas, peaks = _sums(pixels, columns, rows, radius)
    sky, sigma = np.empty(columns.shape), np.empty(columns.shape)
    count = np.full(columns.shape, -1, np.int64)
    annulus = (float(sky_inner), float(sky_outer), float(clip), LEAST_SKY_PIXELS)
    levels = _COUNTED_LEVELS[pixels.dtype.name]
    if levels:
        counted_block(pixels, columns, rows, annulus, levels, sky, sigma, count)
    if (count < 0).any():
        selected_block(pixels, columns, rows, annulus, sky, sigma, count)

    status = _status(pixels.shape, columns, rows, radius, sums, sky)
    seen = areas > 0.0
    flux = np.full(sums.shape, np.nan)
    np.subtract(sums, areas * sky[..., np.newaxis], out=flux, where=seen & np.isfinite(sums))
    peaks[~seen] = np.nan
    return StarMeasurements(flux, areas, sky, sigma, count, peaks, status)


def clip_correction(clip: float) -> float:
    """Ratio of a Gaussian's sigma to the standard deviation of its part within `clip` sigma of its mean.

    The variance of the doubly truncated normal distribution is ``1 - 2 k phi(k) / (2 Phi(k) - 1)`` (Johnson,
    Kotz & Balakrishnan 1994, Continuous Univariate Distributions, vol. 1, ch. 13): 1.0136 for k = 3.
    """
    return float(truncation_factor(float(clip)))


def _sums(
    frames: NDArray[Any], x: NDArray[np.float64], y: NDArray[np.float64], radii: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sums, areas and peaks of checked arrays."""
    shape = (*x.shape, radii.size)
    sums, areas, peaks = np.empty(shape), np.empty(shape), np.empty(shape)
    aperture_block(frames, x, y, radii, sums, areas, peaks)
    return sums, areas, peaks


def _status(
    shape: tuple[int, ...],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radii: NDArray[np.float64],
    sums: NDArray[np.float64],
    sky: NDArray[np.float64],
) -> NDArray[np.uint32]:
    """Bits of `StarStatus`, (n, s, r)."""
    height, width = shape[-2:]
    lost = ~(np.isfinite(x) & np.isfinite(y))
    # Distance from the star to the nearest edge of the frame; comparisons with NaN are false.
    room = np.minimum(np.minimum(x, width - 1.0 - x), np.minimum(y, height - 1.0 - y)) + 0.5
    status = np.where(~lost[..., np.newaxis] & (radii > room[..., np.newaxis]), StarStatus.OFF_FRAME.value, 0)
    status |= np.where(~lost[..., np.newaxis] & ~np.isfinite(sums), StarStatus.NOT_FINITE.value, 0)
    per_star = np.where(lost, StarStatus.LOST.value, np.where(np.isnan(sky), StarStatus.NO_SKY.value, 0))
    return (status | per_star[..., np.newaxis]).astype(np.uint32)


def _checked(
    frames: NDArray[Any], x: ArrayLike, y: ArrayLike, radii: ArrayLike
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The arguments as read-only C-ordered arrays, or ValueError.

    Read-only, because numba would otherwise compile a second copy for frames that cannot be written to.
    """
    if frames.ndim != 3 or frames.dtype.name not in _COUNTED_LEVELS or not frames.dtype.isnative:
        raise ValueError(
            f"frames are {frames.dtype.str} of shape {frames.shape}: native {', '.join(_COUNTED_LEVELS)} "
            "of shape (n, height, width) are needed"
        )
    columns, rows = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if columns.shape != rows.shape or columns.ndim != 2 or columns.shape[0] != frames.shape[0]:
        raise ValueError(
            f"positions of shapes {columns.shape} and {rows.shape} for {len(frames)} frames: (n, s) needed"
        )
    radius = np.asarray(radii, np.float64)
    if radius.ndim != 1 or radius.size == 0 or not _ascend(radius):
        raise ValueError(f"radii {radius.tolist()}: a list of ascending, positive, finite radii is needed")
    return _read_only(frames), _read_only(columns), _read_only(rows), _read_only(radius)


def _ascend(radii: NDArray[np.float64]) -> bool:
    return bool(np.all(np.diff(radii, prepend=0.0) > 0.0) and np.isfinite(radii[-1]))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
