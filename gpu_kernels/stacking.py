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
from gpu_kernels._numba.extraction import cut_block, developed_boxes
from gpu_kernels.align import Transform
from gpu_kernels.calibrate import Development, develop
from gpu_kernels.device import Array, namespace, on_host, read_only, to_device
from gpu_kernels.photometry import AS_RECORDED, clip_correction, development_arrays

MAX_ROUNDS = 10


def cutouts(
    frames: Array,
    x: ArrayLike,
    y: ArrayLike,
    shape: tuple[int, int],
    development: Development = AS_RECORDED,
) -> tuple[Array, Array, Array]:
    """Boxes about stars, cut at whole pixels.

    Parameters
    ----------
    frames : array, (n, height, width)
    x, y : array, (n, s), pixels
    shape : (int, int)
        Height and width of a box.
    development : Development
        What makes a measurable value of a recorded sample: as `develop` of whole frames does it, bit for bit.

    Returns
    -------
    boxes : array, (n, s, h, w), float32
        NaN off the frame and where a star's place is not known.
    left, top : array, (n, s), int64
        Frame pixel of each box's first column and row.

    Raises
    ------
    ValueError
        Shapes do not match.
    """
    xp = namespace(frames)
    columns, rows = (xp.astype(to_device(at, frames) if on_host(at) else at, xp.float64) for at in (x, y))
    fits = columns.ndim == 2 and columns.shape == rows.shape and columns.shape[0] == frames.shape[0]
    if frames.ndim != 3 or not fits:
        raise ValueError(
            f"frames of shape {tuple(frames.shape)}, places {tuple(columns.shape)} and {tuple(rows.shape)}: "
            "(n, height, width) and (n, s) are needed"
        )
    known = xp.isfinite(columns) & xp.isfinite(rows)
    far = xp.astype(xp.full_like(columns, -(10.0**6)), xp.int64)
    left = xp.where(known, nearest(xp.where(known, columns, 0.0), xp) - shape[1] // 2, far)
    top = xp.where(known, nearest(xp.where(known, rows, 0.0), xp) - shape[0] // 2, far)
    if on_host(frames):
        boxes = np.empty((*columns.shape, *shape), np.float32)
        pixels = read_only(frames)
        if development.active:
            developed_boxes(pixels, *development_arrays(frames, development), left, top, boxes)
        else:
            cut_block(pixels, left, top, boxes)
        return boxes, left, top
    values, _ = windows(develop(frames, development), left, top, shape, xp)
    return xp.astype(values, xp.float32), left, top


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
