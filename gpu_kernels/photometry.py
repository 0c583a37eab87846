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

from gpu_kernels._agnostic import photometry as _agnostic
from gpu_kernels._cuda import photometry as _cuda
from gpu_kernels._numba.photometry import aperture_block, fetch_rows
from gpu_kernels._numba.sky import counted_block, selected_block, truncation_factor
from gpu_kernels.device import namespace, on_cuda, on_host, to_device, to_host, type_name

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
    if on_cuda(frames):
        return _cuda.aperture_sums(pixels, columns, rows, radius)[:2]
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
    annulus = (float(sky_inner), float(sky_outer), float(clip), LEAST_SKY_PIXELS)
    if on_cuda(frames):
        return StarMeasurements(*_cuda.measure(pixels, columns, rows, radius, annulus))
    sums, areas, peaks = _sums(pixels, columns, rows, radius, max(float(sky_outer), float(radius[-1])))
    sky, sigma, count = _sky(pixels, columns, rows, annulus)
    status = _status(pixels.shape, columns, rows, radius, sums, sky)
    xp = namespace(pixels)
    seen = areas > 0.0
    peaks = xp.where(seen, peaks, xp.nan)
    known = seen & xp.isfinite(sums)
    flux = xp.where(known, xp.where(known, sums, 0.0) - areas * sky[..., None], xp.nan)
    return StarMeasurements(flux, areas, sky, sigma, count, peaks, status)


def clip_correction(clip: float) -> float:
    """Ratio of a Gaussian's sigma to the standard deviation of its part within `clip` sigma of its mean.

    The variance of the doubly truncated normal distribution is ``1 - 2 k phi(k) / (2 Phi(k) - 1)`` (Johnson,
    Kotz & Balakrishnan 1994, Continuous Univariate Distributions, vol. 1, ch. 13): 1.0136 for k = 3.
    """
    return float(truncation_factor(float(clip)))


def _sums(
    frames: NDArray[Any],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radii: NDArray[np.float64],
    fetched_px: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sums, areas and peaks of checked arrays; pixels within `fetched_px` are brought from memory first."""
    if not on_host(frames):
        return _agnostic.aperture_sums(frames, x, y, tuple(radii.tolist()))
    if fetched_px > 0.0:
        fetch_rows(frames, x, y, fetched_px)
    shape = (*x.shape, radii.size)
    sums, areas, peaks = np.empty(shape), np.empty(shape), np.empty(shape)
    aperture_block(frames, x, y, radii, sums, areas, peaks)
    return sums, areas, peaks


def _sky(
    frames: NDArray[Any],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    annulus: tuple[float, float, float, int],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Clipped sky, its sigma and the pixels kept, (n, s)."""
    if not on_host(frames):
        return _agnostic.clipped_sky(frames, x, y, *annulus)
    sky, sigma, count = np.empty(x.shape), np.empty(x.shape), np.full(x.shape, -1, np.int64)
    levels = _COUNTED_LEVELS[frames.dtype.name]
    if levels:
        counted_block(frames, x, y, annulus, levels, sky, sigma, count)
    if (count < 0).any():
        selected_block(frames, x, y, annulus, sky, sigma, count)
    return sky, sigma, count


def _status(
    shape: tuple[int, ...],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radii: NDArray[np.float64],
    sums: NDArray[np.float64],
    sky: NDArray[np.float64],
) -> NDArray[np.uint32]:
    """Bits of `StarStatus`, (n, s, r)."""
    xp = namespace(sums)
    height, width = shape[-2:]
    lost = (~(xp.isfinite(x) & xp.isfinite(y)))[..., None]
    # Distance from the star to the nearest edge of the frame; comparisons with NaN are false.
    room = xp.minimum(xp.minimum(x, width - 1.0 - x), xp.minimum(y, height - 1.0 - y)) + 0.5
    said = (
        (StarStatus.OFF_FRAME, ~lost & (to_device(radii, sums) > room[..., None])),
        (StarStatus.NOT_FINITE, ~lost & ~xp.isfinite(sums)),
        (StarStatus.NO_SKY, ~lost & xp.isnan(sky)[..., None]),
        (StarStatus.LOST, lost),
    )
    status: NDArray[np.uint32] = xp.zeros_like(sums, dtype=xp.uint32)
    for bit, where in said:
        status = status | (xp.astype(where, xp.uint32) * bit.value)
    return status


def _checked(
    frames: NDArray[Any], x: ArrayLike, y: ArrayLike, radii: ArrayLike
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The arguments as read-only C-ordered arrays, or ValueError; radii are always on the host.

    Read-only, because numba would otherwise compile a second copy for frames that cannot be written to.
    """
    pixel = frames.dtype.str if on_host(frames) and not frames.dtype.isnative else type_name(frames)
    if frames.ndim != 3 or pixel not in _COUNTED_LEVELS:
        raise ValueError(
            f"frames are {pixel} of shape {frames.shape}: native {', '.join(_COUNTED_LEVELS)} "
            "of shape (n, height, width) are needed"
        )
    columns, rows = (_float64(places, frames) for places in (x, y))
    if columns.shape != rows.shape or columns.ndim != 2 or columns.shape[0] != frames.shape[0]:
        raise ValueError(
            f"positions of shapes {columns.shape} and {rows.shape} for {frames.shape[0]} frames: "
            "(n, s) needed"
        )
    radius = to_host(radii).astype(np.float64)
    if radius.ndim != 1 or radius.size == 0 or not _ascend(radius):
        raise ValueError(f"radii {radius.tolist()}: a list of ascending, positive, finite radii is needed")
    if not on_host(frames):
        return frames, columns, rows, radius
    return _read_only(frames), _read_only(columns), _read_only(rows), _read_only(radius)


def _float64(places: ArrayLike, frames: NDArray[Any]) -> NDArray[np.float64]:
    """Positions as float64 where the frames are."""
    there: Any = to_device(places, frames) if on_host(places) else places
    xp = namespace(frames)
    moved: NDArray[np.float64] = there if there.dtype == xp.float64 else xp.astype(there, xp.float64)
    return moved


def _ascend(radii: NDArray[np.float64]) -> bool:
    return bool(np.all(np.diff(radii, prepend=0.0) > 0.0) and np.isfinite(radii[-1]))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
