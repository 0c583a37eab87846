"""Cut-outs and stacks of frames: resampled by a transform, averaged, clipped or by the median."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from gpu_kernels._agnostic.coarse import bilinear
from gpu_kernels._agnostic.gather import nearest, windows
from gpu_kernels._agnostic.photometry import MAD_TO_SIGMA, masked_median
from gpu_kernels.align import Transform
from gpu_kernels.device import Array, namespace, on_host, to_device
from gpu_kernels.photometry import clip_correction

MAX_ROUNDS = 10


def cutouts(frames: Array, x: ArrayLike, y: ArrayLike, half: int) -> tuple[Array, Array, Array]:
    """Squares of pixels around places.

    Parameters
    ----------
    frames : array, (n, height, width)
    x, y : array, (n, s), pixels
        Finite; the pixel they lie in is the middle of the square.
    half : int
        Pixels on either side of the middle.

    Returns
    -------
    values : array, (n, s, 2 half + 1, 2 half + 1), float64
        NaN beyond the frame's edge.
    left, top : array, (n, s), int64
        Column and row of each square's first pixel.
    """
    xp = namespace(frames)
    column, row = (
        nearest(xp.astype(to_device(at, frames) if on_host(at) else at, xp.float64), xp) for at in (x, y)
    )
    values, _ = windows(frames, column - half, row - half, 2 * half + 1, xp)
    return values, column - half, row - half


def resampled(frames: Array, transforms: Sequence[Transform]) -> Array:
    """Frames brought onto the reference's grid, by bilinear sampling; flux is per pixel of the frame.

    Parameters
    ----------
    frames : array, (n, height, width)
    transforms : sequence of Transform, n
        Reference to frame: shift, rotation, scale.

    Returns
    -------
    array, (n, height, width), float64
        NaN where the reference's pixel is not on the frame between four that are finite.
    """
    xp = namespace(frames)
    _, height, width = frames.shape
    u = to_device(np.arange(width, dtype=np.float64), frames)[None, :]
    v = to_device(np.arange(height, dtype=np.float64), frames)[:, None]
    made = []
    for k, t in enumerate(transforms):
        value, inside = bilinear(frames[k, ...], t.c * u - t.s * v + t.tx, t.s * u + t.c * v + t.ty, xp)
        made.append(xp.where(inside, value, xp.nan))
    return xp.stack(made, axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """One image of many, (height, width).

    Attributes
    ----------
    image : array
        NaN where no frame has a finite pixel.
    error : array
        Standard error from the scatter of the pixels used; NaN where fewer than two are.
    count : array, int64
        Pixels used.
    """

    image: Array
    error: Array
    count: Array


def stack(
    frames: Array, method: Literal["mean", "clipped", "median"] = "clipped", clip: float = 3.0
) -> Stack:
    """Combine aligned frames pixel by pixel; pixels that are not finite are left out.

    Parameters
    ----------
    frames : array, (n, height, width)
    method : str
        ``mean``; ``clipped``: mean of the pixels within `clip` sigma of it, repeated until none is left out
        any more, starting from median and MAD; ``median``, whose error is that of Gaussian noise,
        sqrt(pi / 2) times the mean's.
    clip : float
        At least 1. Sigma is corrected for the clipping (`gpu_kernels.photometry.clip_correction`).

    Raises
    ------
    ValueError
        Another method.
    """
    if method not in {"mean", "clipped", "median"}:
        raise ValueError(f"method {method!r}: mean, clipped or median")
    xp = namespace(frames)
    values = xp.astype(xp.moveaxis(frames, 0, -1), xp.float64)
    used = xp.isfinite(values)
    if method == "clipped":
        used = _kept(values, used, clip, xp)
    mean, deviation, count = _moments(values, used, xp)
    if method == "clipped":
        deviation = clip_correction(clip) * deviation
    error = deviation / xp.sqrt(xp.maximum(count, 1.0))
    if method == "median":
        mean = masked_median(values, used, xp)
        error = xp.where(count > 2.0, (0.5 * math.pi) ** 0.5 * error, error)
    number = xp.astype(count, xp.int64)
    return Stack(mean, xp.where(count > 1.0, error, xp.nan), number)


def _moments(values: Array, used: Array, xp: Any) -> tuple[Array, Array, Array]:
    """Mean (NaN of none), standard deviation and number of the used values along the last axis."""
    count = xp.sum(xp.astype(used, xp.float64), axis=-1)
    some = xp.maximum(count, 1.0)
    mean = xp.sum(xp.where(used, values, 0.0), axis=-1) / some
    off = xp.where(used, values - mean[..., None], 0.0)
    deviation = xp.sqrt(xp.sum(off * off, axis=-1) / xp.maximum(count - 1.0, 1.0))
    return xp.where(count > 0.0, mean, xp.nan), deviation, count


def _kept(values: Array, used: Array, clip: float, xp: Any) -> Array:
    """Values within `clip` sigma of the mean of those within, from median and MAD on."""
    middle = masked_median(values, used, xp)
    spread = MAD_TO_SIGMA * masked_median(xp.abs(values - middle[..., None]), used, xp)
    _, whole, _ = _moments(values, used, xp)
    spread = xp.where(spread > 0.0, spread, whole)  # half of the pixels are equal
    kept, factor = used, clip_correction(clip)
    for _ in range(MAX_ROUNDS):
        within = used & (xp.abs(values - middle[..., None]) <= clip * spread[..., None])
        if bool(xp.all(within == kept)):
            break
        kept = within
        middle, spread, _ = _moments(values, kept, xp)
        spread = factor * spread
    return kept
