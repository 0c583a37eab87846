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
from gpu_kernels._numba.photometry import raw_peaks, star_block
from gpu_kernels._numba.sky import truncation_factor
from gpu_kernels.calibrate import Development, develop
from gpu_kernels.device import namespace, on_cuda, on_host, read_only, to_device, to_host, type_name

LEAST_SKY_PIXELS = 10
"""Fewest usable pixels in the annulus from which a sky is taken."""

AS_RECORDED = Development()

_PIXEL_TYPES = ("uint8", "uint16", "float32", "float64")


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
    if not on_host(pixels):
        sums, areas, _ = _agnostic.aperture_sums(pixels, columns, rows, tuple(radius.tolist()))
        return sums, areas
    no_sky = (0.0, 0.0, 3.0, LEAST_SKY_PIXELS)
    sums, areas, *_ = _stars(pixels, columns, rows, radius, no_sky, AS_RECORDED)
    return sums, areas


def measure(
    frames: NDArray[Any],
    x: ArrayLike,
    y: ArrayLike,
    radii: ArrayLike,
    sky_inner: float,
    sky_outer: float,
    clip: float = 3.0,
    development: Development = AS_RECORDED,
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
    development : Development
        What makes a measurable value of a recorded sample. On the host it is applied to the pixels around
        stars only, to the values that `develop` gives, bit for bit.

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
        images = develop(pixels, development)
        return StarMeasurements(*_cuda.measure(images, columns, rows, radius, annulus))
    sums, areas, peaks, sky, sigma, count = _stars(pixels, columns, rows, radius, annulus, development)
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


def peaks_within(frames: NDArray[Any], x: ArrayLike, y: ArrayLike, radius: float) -> NDArray[np.float64]:
    """Largest value of which any part lies within `radius` of each star, (n, s); NaN where there is none.

    Parameters
    ----------
    frames : array, (n, height, width), uint8, uint16, float32 or float64
    x, y : array, (n, s), pixels
    radius : float, pixels
    """
    pixels, columns, rows, one = _checked(frames, x, y, [radius])
    if on_cuda(pixels):
        there: NDArray[np.float64] = _cuda.peaks_within(pixels, columns, rows, float(one[0]))
        return there
    if not on_host(pixels):
        xp = namespace(pixels)
        _, areas, found = _agnostic.aperture_sums(pixels, columns, rows, tuple(one.tolist()))
        largest: NDArray[np.float64] = xp.where(areas > 0.0, found, xp.nan)[..., 0]
        return largest
    peaks = np.empty(columns.shape)
    raw_peaks(pixels, columns, rows, float(radius), peaks)
    return peaks


def _stars(
    frames: NDArray[Any],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radii: NDArray[np.float64],
    annulus: tuple[float, float, float, int],
    development: Development,
) -> tuple[NDArray[Any], ...]:
    """Sums, areas, peaks, sky, its sigma and number of pixels, of checked arrays."""
    if not on_host(frames):
        images = develop(frames, development)
        return (
            *_agnostic.aperture_sums(images, x, y, tuple(radii.tolist())),
            *_agnostic.clipped_sky(images, x, y, *annulus),
        )
    if frames.dtype == np.float64 and development.active:
        frames = read_only(frames.astype(np.float32))  # as `develop` does
    shape = (*x.shape, radii.size)
    sums, areas, peaks = np.empty(shape), np.empty(shape), np.empty(shape)
    sky, sigma, count = np.empty(x.shape), np.empty(x.shape), np.empty(x.shape, np.int64)
    half = math.ceil(max(annulus[1], float(radii[-1]))) + 1
    box = np.empty((2 * half + 1, 2 * half + 1), np.float64 if frames.dtype == np.float64 else np.float32)
    response, offset, scale, defect = development_arrays(frames, development)
    star_block(
        frames, response, offset, scale, defect, x, y, radii, annulus, box, sums, areas, peaks, sky, sigma,
        count,
    )  # fmt: skip
    return sums, areas, peaks, sky, sigma, count


def development_arrays(
    frames: NDArray[Any], development: Development
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Response, offset, scale and defects of `frames`, read-only, as compiled texts take them.

    Raises
    ------
    ValueError
        A master is not of the frames' shape, or there is a response for another type of sample.
    """
    shape = frames.shape[1:]
    masters = (development.offset, development.scale, development.defect)
    if any(master.size and master.shape != shape for master in masters):
        raise ValueError(f"masters of shapes {[m.shape for m in masters]} for frames of shape {shape}")
    levels = 2 ** (8 * frames.dtype.itemsize) if frames.dtype.kind == "u" else 0
    if development.response.size not in {0, levels}:
        raise ValueError(f"a response of {development.response.size} levels for {frames.dtype.name} samples")
    if development.step != 1:
        raise ValueError("mosaics are developed as a whole: their defects have other neighbours")
    offset, scale, defect = (read_only(master) for master in masters)
    return read_only(development.response), offset, scale, defect


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
    if frames.ndim != 3 or pixel not in _PIXEL_TYPES:
        raise ValueError(
            f"frames are {pixel} of shape {frames.shape}: native {', '.join(_PIXEL_TYPES)} "
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
    return read_only(frames), read_only(columns), read_only(rows), read_only(radius)


def _float64(places: ArrayLike, frames: NDArray[Any]) -> NDArray[np.float64]:
    """Positions as float64 where the frames are."""
    there: Any = to_device(places, frames) if on_host(places) else places
    xp = namespace(frames)
    moved: NDArray[np.float64] = there if there.dtype == xp.float64 else xp.astype(there, xp.float64)
    return moved


def _ascend(radii: NDArray[np.float64]) -> bool:
    return bool(np.all(np.diff(radii, prepend=0.0) > 0.0) and np.isfinite(radii[-1]))
