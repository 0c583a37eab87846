"""Where a frame lies against the reference: coarse cross-correlation, star fits, robust transform.

Plain cross-correlation, not phase correlation: on star fields, phase normalisation blows up the
noise of empty frequencies. Coarse on binned frames, one at a time, so that results do not depend
on how frames are grouped; then refined on fits of the guide stars.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic import coarse as _elsewhere
from gpu_kernels._agnostic import stars as _elsewhere_stars
from gpu_kernels._numba import coarse as _coarse
from gpu_kernels._numba import coarse_block as _coarse_block
from gpu_kernels._numba import stars as _stars
from gpu_kernels._numba import transform as _transform
from gpu_kernels.calibrate import Development
from gpu_kernels.device import namespace, on_host, to_device
from gpu_kernels.masks import BinMask, blank, blanked
from gpu_kernels.transforms import IDENTITY, Transform

Floats = NDArray[np.float64]

__all__ = [
    "IDENTITY",
    "LEADERS",
    "NO_TURN_PX",
    "SURROUNDINGS",
    "Pattern",
    "StarFits",
    "Stars",
    "Transform",
    "add_registered",
    "agree",
    "bin_sum",
    "binning_for",
    "correlate",
    "correlate_each",
    "correlation",
    "fit_stars",
    "flattened",
    "locate",
    "peak_of",
    "without_peak",
]

SURROUNDINGS = 8
"""Half width, bins, of the box whose mean is the sky of the coarse correlation."""


@dataclass(frozen=True, slots=True, eq=False)
class StarFits:
    """Fits of stars on one frame; arrays ``(n,)``. `status` 0 is a good fit (`SEEN`)."""

    x: Floats
    y: Floats
    flux: Floats
    error: Floats  # one-sigma position error per axis, pixels
    snr: Floats
    status: NDArray[np.int64]


def binning_for(height: int, width: int) -> int:
    """Binning that brings a frame to about 160 x 120 for the coarse correlation."""
    return max(1, min(16, round(max(height / 120, width / 160))))


def bin_sum(frame: NDArray[Any], factor: int, mask: BinMask | None = None) -> NDArray[np.float32]:
    """Sum boxes of `factor` x `factor` pixels.

    Parameters
    ----------
    frame : array, (height, width)
    factor : int
        1 to 16.
    mask : BinMask, optional
        Pixels that are left out; their bins are filled from the rest, or from bins around.

    Returns
    -------
    array, (height // factor, width // factor), float32
        Pixels that are not finite count as 0.
    """
    if not on_host(frame):
        sums: NDArray[np.float32] = _elsewhere.bin_sum(frame if mask is None else mask.emptied(frame), factor)
        return sums if mask is None else mask.filled(sums)
    height, width = frame.shape[0] // factor, frame.shape[1]
    if frame.dtype.kind == "u" and frame.dtype.itemsize <= 2:
        rows = np.empty((height, width), np.uint16 if frame.dtype.itemsize == 1 else np.uint32)
        _coarse.add_rows(frame, factor, rows)
    else:
        rows = np.empty((height, width), np.float32)
        _coarse.add_rows_finite(frame, factor, rows)
    out = np.empty((height, width // factor), np.float32)
    _coarse.add_columns(rows, factor, out)
    if mask is not None:
        mask.leave_out(frame, out)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Star pattern to be found on binned frames: bins (row, column) and weights, ``(n,)``."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    weights: NDArray[np.float32]
    shape: tuple[int, int]


APART = 3
"""Bins around a peak of the correlation in which no other is looked for."""


def correlate(binned: NDArray[np.float32], pattern: Pattern, cap: float) -> tuple[float, float]:
    """Shift (dx, dy), bins, that brings the pattern onto the frame: plain cross-correlation.

    A pattern of a dozen points makes the direct sum cheaper than transforms, and leaves no
    wrap-around. Sky, vignetting and amplifier glow are taken out beforehand as the mean of 17 x 17
    bins around each.

    Parameters
    ----------
    binned : array, (height, width), float32
    pattern : Pattern
    cap : float
        Largest excess over its surroundings that counts, so that no single bright source, hot
        pixel or burnt-in digit rules the correlation.
    """
    return peak_of(correlation(binned, pattern, cap))


def correlate_each(
    frames: NDArray[Any], factor: int, development: Development, pattern: Pattern, cap: float
) -> NDArray[np.float64]:
    """Shifts (dx, dy), bins, of frames that are binned and correlated one after the other, ``(n, 2)``.

    Parameters
    ----------
    frames : array, (n, height, width), uint8 or uint16
        As recorded.
    factor : int
        Binning.
    development : Development
        Offset and scale are applied to bins: enough to find the field. A response is not undone, defects are
        not mended.
    pattern, cap
        See `correlate`.
    """
    height, width = frames.shape[1] // factor, frames.shape[2] // factor
    offset, scale = (_binned(master, factor) for master in (development.offset, development.scale))
    tall, wide = (_shares(n) for n in (height, width))
    summed = np.empty((height, frames.shape[2]), np.uint16 if frames.dtype.itemsize == 1 else np.uint32)
    places = np.empty((len(frames), 2))
    pixels = np.ascontiguousarray(frames).view()
    pixels.flags.writeable = False
    _coarse_block.correlate_block(
        pixels, factor, offset, scale / np.float32(factor**2), SURROUNDINGS, tall, wide, pattern.rows,
        pattern.columns, pattern.weights, cap, summed, places,
    )  # fmt: skip
    return places


def _binned(master: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """A master summed over bins, (0, 0) where there is none; pixels that are not finite count as 0."""
    if not master.size:
        return np.empty((0, 0), np.float32)
    return bin_sum(np.nan_to_num(master, nan=0.0, posinf=0.0, neginf=0.0), factor)


def correlation(
    binned: NDArray[np.float32], pattern: Pattern, cap: float, mask: BinMask | None = None
) -> NDArray[np.float32]:
    """Correlation of a binned frame with a pattern, by shift; the middle is no shift.

    Parameters
    ----------
    binned, pattern, cap
        As for `correlate`.
    mask : BinMask, optional
        Bins that are left out.
    """
    flat = flattened(binned, cap)
    if not on_host(flat):
        surface: NDArray[np.float32] = _elsewhere.correlate_sparse(
            flat if mask is None else mask.without_holes(flat), pattern.rows, pattern.columns, pattern.weights
        )
        return surface
    if mask is not None:
        flat.reshape(-1)[mask.holes] = 0.0
    surface = np.empty((binned.shape[0] // 2 * 2 + 1, binned.shape[1] // 2 * 2 + 1), np.float32)
    _coarse.correlate_sparse(flat, pattern.rows, pattern.columns, pattern.weights, surface)
    return surface


def peak_of(surface: NDArray[np.float32]) -> tuple[float, float]:
    """Shift (dx, dy), bins, at the highest place of a correlation."""
    return _elsewhere.peak_of(surface)


def without_peak(surface: NDArray[np.float32]) -> NDArray[np.float32]:
    """The correlation without the surroundings of its highest place, so that `peak_of` finds the next."""
    xp = namespace(surface)
    iy, ix = divmod(int(xp.argmax(xp.reshape(surface, (-1,)))), surface.shape[1])
    near = np.zeros(surface.shape, np.bool_)
    near[max(iy - APART, 0) : iy + APART + 1, max(ix - APART, 0) : ix + APART + 1] = True
    rest: NDArray[np.float32] = xp.where(to_device(near, surface), xp.min(surface), surface)
    return rest


def flattened(binned: NDArray[np.float32], cap: float) -> NDArray[np.float32]:
    """Take the mean of the surrounding 17 x 17 bins off each, cut what is above `cap`, smooth with 1-2-1.

    Near the edge the surroundings are what lies inside.

    Parameters
    ----------
    binned : array, (height, width), float32
        At least 2 x 2.
    cap : float
    """
    if not on_host(binned):
        flat: NDArray[np.float32] = _elsewhere.flattened(binned, cap, SURROUNDINGS)
        return flat
    height, width = binned.shape
    tall, wide = (_shares(n) for n in (height, width))
    padded = np.zeros((height, width + 2 * SURROUNDINGS), np.float32)
    sums = np.empty_like(padded)
    line = np.empty(width + 2 * SURROUNDINGS, np.float32)
    _coarse.column_means(binned, SURROUNDINGS, tall, padded, line)
    _coarse.sum_17(padded, line, sums)
    out = np.empty((height, width), np.float32)
    _coarse.cut_above(binned, sums, wide, np.float32(cap), out)
    _coarse.smooth_121(out, sums)
    return out


@functools.lru_cache(maxsize=64)
def _shares(n: int) -> NDArray[np.float32]:
    """One over the number of places within `SURROUNDINGS` of each of n."""
    at = np.arange(n)
    count = np.minimum(at + SURROUNDINGS, n - 1) - np.maximum(at - SURROUNDINGS, 0) + 1
    return (1.0 / count).astype(np.float32)


def fit_stars(
    frame: NDArray[Any],
    x: Floats,
    y: Floats,
    search: int,
    sigma: float,
    variance: float,
    inv_gain: float,
    saturation: float,
    mask: NDArray[np.bool_] | None = None,
) -> StarFits:
    """Fit pixel-integrated Gaussians of fixed width to stars on one frame.

    Maximum-likelihood weights (sky variance plus photon noise of the model), so that position
    errors reach the Cramer-Rao bound when the width is right (Winick 1986, JOSA A 3, 1809).

    Parameters
    ----------
    frame : array, (height, width)
    x, y : array, (n,)
        Expected places, pixels.
    search : int
        Radius within which the brightest smoothed place is taken as start; 0: start as given.
    sigma : float
        Gaussian width, pixels.
    variance : float
        Variance of a sky pixel, ADU^2.
    inv_gain : float
        1 / gain, ADU per electron.
    saturation : float
        Level, ADU, at which a pixel is saturated (inf: none).
    mask : array, (height, width), bool, optional
        Pixels that are left out.
    """
    if not on_host(frame):
        noise = (variance, inv_gain, saturation)
        places = x[None, :], y[None, :]
        masked = frame if mask is None else blanked(frame, mask)
        found, code = _elsewhere_stars.fit_frames(masked[None, ...], *places, search, sigma, *noise)
        return _fits(found[0, ...], code[0, ...])
    half, left, top, boxes = _boxes(frame, x, y, search, sigma, mask)
    out, status = np.empty((x.size, 7)), np.empty(x.size, np.int64)
    every = np.ones(x.size, np.bool_)
    _stars.fit_boxes(
        boxes, x - left, y - top, every, search, sigma, half, variance, inv_gain, saturation, out, status
    )
    out[:, 0] += left
    out[:, 1] += top
    return _fits(out, status)


def _fits(out: Floats, status: NDArray[np.int64]) -> StarFits:
    error = namespace(out).sqrt(0.5 * (out[:, 4] ** 2 + out[:, 5] ** 2))
    return StarFits(out[:, 0], out[:, 1], out[:, 2], error, out[:, 6], status)


def _boxes(
    frame: NDArray[Any],
    x: Floats,
    y: Floats,
    search: int,
    sigma: float,
    mask: NDArray[np.bool_] | None,
) -> tuple[int, NDArray[np.int64], NDArray[np.int64], Floats]:
    """Half width of a fit, corners of the boxes that hold each star's search, and the boxes."""
    half = max(2, int(np.ceil(2.5 * sigma)))
    reach = search + half + _stars.LARGEST_MOVE
    known = np.isfinite(x) & np.isfinite(y)
    left = np.floor(np.where(known, x, 0.0) + 0.5).astype(np.int64) - reach
    top = np.floor(np.where(known, y, 0.0) + 0.5).astype(np.int64) - reach
    boxes = np.empty((x.size, 2 * reach + 1, 2 * reach + 1))
    _stars.cut_boxes(frame, left, top, boxes)
    if mask is not None:
        blank(boxes, left, top, mask)
    return half, left, top, boxes


@dataclass(frozen=True, slots=True, eq=False)
class Stars:
    """What fits of stars need to know of the recording; see `fit_stars`."""

    sigma: float
    variance: float
    inv_gain: float
    saturation: float


NO_TURN_PX = 0.05
"""Displacement of a frame's corner by rotation and scale that a stacked image does not show."""

LEADERS = 4
"""Brightest stars that are searched for over the whole radius."""


def locate(
    frame: NDArray[Any],
    x: Floats,
    y: Floats,
    stars: Stars,
    search: int,
    rotate: bool,
    least_snr: float = 4.0,
    loose_px: float = 1.0,
    max_rotation_deg: float = 8.0,
    floor_px: float = 0.02,
    mask: NDArray[np.bool_] | None = None,
) -> tuple[Transform, StarFits, NDArray[np.bool_]]:
    """Fit stars expected at given places and find the transform most of them agree on.

    Parameters
    ----------
    frame : array, (height, width)
    x, y : array, (n,)
        Expected places, brightest star first, pixels.
    stars : Stars
    search : int
        Radius in which the brightest are searched for; once these agree, the others are
        looked for close to where their shift puts them.
    rotate, loose_px, max_rotation_deg, floor_px
        As for `agree`.
    least_snr : float
        Signal-to-noise ratio from which a fit counts.
    mask : array, (height, width), bool, optional
        Pixels that are left out.

    Returns
    -------
    transform : Transform
        From expected places to those on the frame.
    fits : StarFits
    used : array, (n,), bool
        Stars that agree; none: the frame could not be placed.
    """
    max_sin = float(np.sin(np.radians(max_rotation_deg)))
    nearby = search if rotate else 2
    if not on_host(frame):
        p, out, status, keep = _elsewhere_stars.refine(
            frame if mask is None else blanked(frame, mask), x, y, LEADERS, search, nearby, stars.sigma,
            stars.variance, stars.inv_gain, stars.saturation,
            (rotate, loose_px, floor_px, max_sin, least_snr),
        )  # fmt: skip
        return Transform(float(p[0]), float(p[1]), float(p[2]), float(p[3])), _fits(out, status), keep
    half, left, top, boxes = _boxes(frame, x, y, search, stars.sigma, mask)
    n = x.size
    p, keep = np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(n, np.bool_)
    out, status = np.empty((n, 7)), np.empty(n, np.int64)
    _transform.refine(
        boxes, left, top, x, y, min(LEADERS, n), search, nearby, stars.sigma, half, stars.variance,
        stars.inv_gain, stars.saturation, rotate, loose_px, floor_px, max_sin, least_snr, p, out, status,
        keep,
    )  # fmt: skip
    return Transform(float(p[0]), float(p[1]), float(p[2]), float(p[3])), _fits(out, status), keep


def agree(
    u: Floats,
    v: Floats,
    fits: StarFits,
    good: NDArray[np.bool_],
    rotate: bool,
    loose_px: float = 1.0,
    max_rotation_deg: float = 8.0,
    floor_px: float = 0.02,
) -> tuple[Transform, NDArray[np.bool_]]:
    """Transform that most stars agree on, by weighted least squares on the agreeing ones.

    Parameters
    ----------
    u, v : array, (n,)
        Reference positions, pixels.
    fits : StarFits
        Positions found on the frame.
    good : array, (n,), bool
        Fits to be considered.
    rotate : bool
        Whether to solve for rotation besides shift.
    loose_px : float
        Disagreement that is tolerated beyond four sigma, pixels.
    max_rotation_deg : float
        Largest rotation considered.
    floor_px : float
        Error below which more light makes a star's position no surer.

    Returns
    -------
    transform : Transform
    used : array, (n,), bool
        Stars that agree (none: no transform was found, `transform` is meaningless).
    """
    p, keep = np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(u.shape[0], np.bool_)
    max_sin = float(np.sin(np.radians(max_rotation_deg)))
    _transform.consensus(u, v, fits.x, fits.y, fits.error, good, rotate, floor_px, loose_px, max_sin, p, keep)
    return Transform(float(p[0]), float(p[1]), float(p[2]), float(p[3])), keep


def add_registered(frame: NDArray[Any], transform: Transform, total: Floats, count: Floats) -> None:
    """Add one frame, brought onto the reference grid by bilinear sampling, to a running sum.

    Parameters
    ----------
    frame : array, (height, width)
    transform : Transform
        Reference to frame.
    total, count : array, (height, width), float64
        Running sum and number of frames that cover each pixel.
    """
    height, width = total.shape
    cx, cy = 0.5 * (width - 1), 0.5 * (height - 1)
    turns = np.hypot(transform.c - 1.0, transform.s) * np.hypot(cx, cy) > NO_TURN_PX
    if not on_host(frame):
        p = (transform.c, transform.s, transform.tx, transform.ty)
        turn = p if turns else (1.0, 0.0, *transform.shift_at(cx, cy))
        _elsewhere.add_registered(frame, turn, total, count)
        return
    if turns:
        _coarse.add_turned(frame, transform.tx, transform.ty, transform.c, transform.s, total, count)
        return
    tx, ty = transform.shift_at(cx, cy)
    ix, iy = int(np.floor(tx)), int(np.floor(ty))
    fx, fy = np.float32(tx - ix), np.float32(ty - iy)
    left, right = max(0, -ix), min(width, width - 1 - ix)
    top, bottom = max(0, -iy), min(height, height - 1 - iy)
    if right <= left or bottom <= top:
        return
    part = frame[top + iy : bottom + iy + 1, left + ix : right + ix + 1].astype(np.float32)
    with np.errstate(invalid="ignore"):  # infinite pixels
        along = part[:, :-1] + fx * (part[:, 1:] - part[:, :-1])
        value = along[:-1] + fy * (along[1:] - along[:-1])
    covered = np.isfinite(value)
    total[top:bottom, left:right] += np.where(covered, value, np.float32(0.0))
    count[top:bottom, left:right] += covered
