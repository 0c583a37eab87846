"""Blocks of frames placed against the reference at once: what `align` does, for many frames.

On a CUDA device every frame of a block is worked on at the same time; elsewhere one after the other. Frames
do not look at each other, so results depend on neither.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._cuda import coarse as _coarse
from gpu_kernels._cuda import stars as _stars
from gpu_kernels.align import LEADERS, Pattern, Stars, bin_sum, correlation, locate, peak_of
from gpu_kernels.device import Array, namespace, on_cuda, to_device, to_host
from gpu_kernels.masks import BinMask

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Stars located on n frames, on the host; see `align.locate`.

    Attributes
    ----------
    transform : array, (n, 4)
        c, s, tx, ty of each frame, from expected places to those on the frame.
    x, y, flux, error, snr : array, (n, g)
        Fits of g stars; see `align.StarFits`.
    status : array, (n, g), int64
    used : array, (n, g), bool
        Stars that agree; none: the frame could not be placed.
    """

    transform: Floats
    x: Floats
    y: Floats
    flux: Floats
    error: Floats
    snr: Floats
    status: NDArray[np.int64]
    used: NDArray[np.bool_]


def coarse_shifts(
    frames: Array,
    binning: int,
    patterns: Sequence[Pattern],
    which: NDArray[np.int64],
    cap: float,
    mask: BinMask | None = None,
) -> Floats:
    """Shifts (dx, dy), bins, that bring a pattern onto each frame; see `align.correlate`.

    Parameters
    ----------
    frames : array, (n, height, width)
    binning : int
    patterns : sequence of Pattern
        All of the same number of points.
    which : array, (n,)
        Pattern of each frame.
    cap : float
    mask : BinMask, optional
        Pixels that are left out. On a CUDA device `frames` must be `blanked` there.

    Returns
    -------
    array, (n, 2), float64
        On the host.
    """
    if on_cuda(frames):
        binned = _coarse.bin_sum(frames, binning)
        if mask is not None:
            _coarse.mend(binned, mask)
        flat = _coarse.flattened(binned, cap)
        if mask is not None:
            _coarse.empty_holes(flat, mask)
        rows = np.stack([pattern.rows for pattern in patterns]).astype(np.int32)
        columns = np.stack([pattern.columns for pattern in patterns]).astype(np.int32)
        weights = np.stack([pattern.weights for pattern in patterns])
        return to_host(_coarse.correlate(flat, rows, columns, weights, which.astype(np.int32)))
    shifts = np.empty((frames.shape[0], 2))
    for i, chosen in enumerate(which.tolist()):
        binned = bin_sum(frames[i, ...], binning, mask)
        shifts[i] = peak_of(correlation(binned, patterns[chosen], cap, mask))
    return shifts


def blanked(frames: Array, mask: NDArray[np.bool_]) -> Array:
    """A floating copy of frames with NaN under a mask: fits and the correlation leave these pixels out.

    Parameters
    ----------
    frames : array, (n, height, width), uint8, uint16, float32 or float64
    mask : array, (height, width), bool
        On the host.
    """
    if on_cuda(frames):
        return _coarse.blank(frames, mask)
    xp = namespace(frames)
    wide = frames if frames.dtype == xp.float64 else xp.astype(frames, xp.float32)
    return xp.where(to_device(mask, frames), xp.nan, wide)


def locate_all(
    frames: Array,
    x: Floats,
    y: Floats,
    stars: Stars,
    search: int,
    rotate: bool,
    least_snr: float = 4.0,
    loose_px: float = 1.0,
    max_rotation_deg: float = 8.0,
    floor_px: float = 0.02,
) -> Located:
    """Fit stars expected at given places of each frame, and find the transform most of them agree on.

    Parameters
    ----------
    frames : array, (n, height, width)
    x, y : array, (n, g)
        Expected places, brightest star first, pixels; on the host.
    stars, search, rotate, least_snr, loose_px, max_rotation_deg, floor_px
        As for `align.locate`.
    """
    if on_cuda(frames):
        how = _stars.Search(
            half=max(2, math.ceil(2.5 * stars.sigma)),
            search=search,
            nearby=search if rotate else 2,
            leaders=LEADERS,
            sigma=stars.sigma,
            variance=stars.variance,
            inv_gain=stars.inv_gain,
            saturation=stars.saturation,
            rotate=rotate,
            least_snr=least_snr,
            loose_px=loose_px,
            max_sin=math.sin(math.radians(max_rotation_deg)),
            floor_px=floor_px,
        )
        made = _stars.locate(frames, to_device(x, frames), to_device(y, frames), how)
        fitted = to_host(made.out)  # x, y, flux, sky, x_err, y_err, snr
        error = np.sqrt(0.5 * (fitted[..., 4] ** 2 + fitted[..., 5] ** 2))
        return Located(
            to_host(made.p),
            fitted[..., 0],
            fitted[..., 1],
            fitted[..., 2],
            error,
            fitted[..., 6],
            to_host(made.status).astype(np.int64),
            to_host(made.keep) != 0,
        )
    n, count = x.shape
    p, out = np.empty((n, 4)), np.empty((n, count, 5))
    status, used = np.empty((n, count), np.int64), np.zeros((n, count), np.bool_)
    for i in range(n):
        transform, fits, used[i] = locate(
            frames[i, ...], x[i], y[i], stars, search, rotate, least_snr, loose_px, max_rotation_deg, floor_px
        )
        p[i] = transform.c, transform.s, transform.tx, transform.ty
        status[i] = fits.status
        out[i] = np.stack([fits.x, fits.y, fits.flux, fits.error, fits.snr], axis=1)
    return Located(p, out[..., 0], out[..., 1], out[..., 2], out[..., 3], out[..., 4], status, used)
