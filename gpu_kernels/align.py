"""Where a frame lies against the reference: fits of stars, and the transform that most of them agree on.

The coarse correlation that comes first (`gpu_kernels.coarse`) is at hand here too.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic import coarse as _elsewhere
from gpu_kernels._agnostic import stars as _elsewhere_stars
from gpu_kernels._cuda import PIXELS as _CUDA_TYPES
from gpu_kernels._cuda import coarse as _cuda_coarse
from gpu_kernels._cuda import stars as _cuda
from gpu_kernels._numba import coarse as _coarse
from gpu_kernels._numba import stars as _stars
from gpu_kernels._numba import transform as _transform
from gpu_kernels.coarse import (
    SURROUNDINGS,
    Pattern,
    bin_sum,
    binning_for,
    correlate,
    correlate_each,
    correlation,
    flattened,
    peak_of,
    without_peak,
)
from gpu_kernels.device import namespace, on_cuda, on_host, read_only, to_device, to_host, type_name
from gpu_kernels.masks import blank, blanked
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


@dataclass(frozen=True, slots=True, eq=False)
class StarFits:
    """Fits of stars on one frame; arrays ``(n,)``. `status` 0 is a good fit (`SEEN`)."""

    x: Floats
    y: Floats
    flux: Floats
    error: Floats  # one-sigma position error per axis, pixels
    snr: Floats
    status: NDArray[np.int64]


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
    _stars.cut_boxes(read_only(frame), left, top, boxes)
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
    if on_cuda(frame) and type_name(frame) in _CUDA_TYPES:
        return _on_cuda(
            frame if mask is None else _cuda_coarse.blank(frame[None, ...], mask)[0, ...], x, y,
            _cuda.Search(
                max(2, int(np.ceil(2.5 * stars.sigma))), search, nearby, LEADERS, stars.sigma, stars.variance,
                stars.inv_gain, stars.saturation, rotate, least_snr, loose_px, max_sin, floor_px,
            ),
        )  # fmt: skip
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


def _on_cuda(
    frame: Any, x: Floats, y: Floats, how: _cuda.Search
) -> tuple[Transform, StarFits, NDArray[np.bool_]]:
    """`locate` on a CUDA device; all results are on the host."""
    made = _cuda.locate(frame[None, ...], to_device(x[None, :], frame), to_device(y[None, :], frame), how)
    fits = _fits(to_host(made.out)[0], to_host(made.status)[0].astype(np.int64))
    return Transform(*to_host(made.p)[0].tolist()), fits, to_host(made.keep)[0] != 0


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
        place = (transform.tx, transform.ty, transform.c, transform.s)
        _coarse.add_turned(read_only(frame), *place, total, count)
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
