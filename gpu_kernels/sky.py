"""Sky level from an annulus: median, and the mode as IRAF's `phot` defines it.

The default, the clipped mean, comes with `gpu_kernels.photometry.measure`.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu_kernels._agnostic import levels as _elsewhere
from gpu_kernels._numba.levels import MEDIAN, MODE, level_block
from gpu_kernels.device import namespace, on_host, read_only, to_device
from gpu_kernels.photometry import LEAST_SKY_PIXELS

Estimate = Literal["mean", "median", "mode"]

EFFICIENCY: dict[Estimate, float] = {"mean": 1.0, "median": 2.0 / math.pi, "mode": 1.0 / 2.75}
"""Pixels of a mean that is as precise, per pixel, in Gaussian noise.

The median's is the classical 2 / pi. With d = median - mean, whose variance is (pi/2 - 1) times the
mean's and which is independent of the mean, the mode is mean + 3 min(d, 0), of variance
1 + 9 (pi/2 - 1) (1/2 - 1/(2 pi)) = 2.75 times the mean's.
"""


@dataclass(frozen=True, slots=True, eq=False)
class SkyLevels:
    """Sky of stars, ``(n, s)``: level and standard deviation of a pixel, pixels kept (0: no sky)."""

    level: NDArray[np.float64]
    sigma: NDArray[np.float64]
    count: NDArray[np.int64]


def sky_levels(
    frames: NDArray[Any],
    x: ArrayLike,
    y: ArrayLike,
    sky_inner: float,
    sky_outer: float,
    estimate: Literal["median", "mode"],
    clip: float = 3.0,
) -> SkyLevels:
    """Sky level of each star by its annulus' median or mode.

    The median is interpolated within its level, as if a level's pixels were spread evenly over it, so that
    integer frames do not quantise it. The mode is IRAF's (Davis 1987, Specifications for the Aperture
    Photometry Package, NOAO; `fitskypars.salgorithm = mode`): ``3 median - 2 mean``, or the mean where
    that lies below the median, after rejecting pixels `clip` sigma off the median once (not further
    than the nearer end of the values) and then off the mode until none goes. In symmetric noise it lies
    ``0.9 sigma / sqrt(N)`` low; in an annulus full of faint stars it lies nearer the sky than the mean.

    Parameters
    ----------
    frames : array, (n, height, width)
        Pixels that are not finite are left out.
    x, y : array, (n, s), pixels
        NaN where a star is lost.
    sky_inner, sky_outer : float, pixels
        Radii of the annulus; pixel centres at ``inner <= distance < outer``.
    estimate : str
        ``median`` or ``mode``.
    clip : float
        Rejection limit, sigma.

    Raises
    ------
    ValueError
        Shapes do not match, the annulus is empty or `clip` below 1.
    """
    columns, rows = _positions(frames, x, y)
    if not (0.0 <= sky_inner < sky_outer < math.inf):
        raise ValueError(
            f"sky annulus from {sky_inner} to {sky_outer} px: the radii must be finite and ascend"
        )
    if not clip >= 1.0:
        raise ValueError(f"clip of {clip} sigma: at least 1 is needed")
    if estimate not in ("median", "mode"):
        raise ValueError(f"sky estimate {estimate!r}: median or mode (the mean comes with `measure`)")
    if not on_host(frames):
        annulus = (float(sky_inner), float(sky_outer), float(clip), LEAST_SKY_PIXELS)
        return SkyLevels(*_elsewhere.sky_levels(frames, columns, rows, *annulus, estimate == "mode"))
    level, sigma = np.empty(columns.shape), np.empty(columns.shape)
    kept = np.empty(columns.shape, np.int64)
    which = MODE if estimate == "mode" else MEDIAN
    level_block(
        read_only(frames), columns, rows, float(sky_inner), float(sky_outer), float(clip),
        LEAST_SKY_PIXELS, which, level, sigma, kept,
    )  # fmt: skip
    return SkyLevels(level, sigma, kept)


def _positions(
    frames: NDArray[Any], x: ArrayLike, y: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if on_host(frames):
        columns, rows = np.ascontiguousarray(x, np.float64), np.ascontiguousarray(y, np.float64)
    else:
        xp = namespace(frames)
        columns, rows = (xp.astype(to_device(at, frames) if on_host(at) else at, xp.float64) for at in (x, y))
    fits = columns.ndim == 2 and columns.shape == rows.shape and columns.shape[0] == frames.shape[0]
    if frames.ndim != 3 or not fits:
        raise ValueError(
            f"frames of shape {frames.shape}, positions of {columns.shape} and {rows.shape}: "
            "(n, height, width) and (n, s) are needed"
        )
    return columns, rows
