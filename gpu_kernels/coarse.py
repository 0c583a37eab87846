"""The coarse place of a frame: cross-correlation of binned frames with the points of a star pattern.

Plain cross-correlation, not phase correlation: on star fields, phase normalisation blows up the
noise of empty frequencies. One frame at a time, so that results do not depend on how frames are grouped.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic import coarse as _elsewhere
from gpu_kernels._cuda import PIXELS as _CUDA_TYPES
from gpu_kernels._cuda import coarse as _cuda
from gpu_kernels._numba import coarse as _coarse
from gpu_kernels._numba import coarse_block as _coarse_block
from gpu_kernels.calibrate import Development
from gpu_kernels.device import namespace, on_cuda, on_host, read_only, to_device, type_name
from gpu_kernels.masks import BinMask

SURROUNDINGS = 8
"""Half width, bins, of the box whose mean is the sky of the coarse correlation."""


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
    if on_cuda(frame) and mask is None and type_name(frame) in _CUDA_TYPES:
        there: NDArray[np.float32] = _cuda.bin_sum(frame[None, ...], factor)[0, ...]
        return there
    if not on_host(frame):
        sums: NDArray[np.float32] = _elsewhere.bin_sum(frame if mask is None else mask.emptied(frame), factor)
        return sums if mask is None else mask.filled(sums)
    height, width = frame.shape[0] // factor, frame.shape[1]
    if frame.dtype.kind == "u" and frame.dtype.itemsize <= 2:
        rows = np.empty((height, width), np.uint16 if frame.dtype.itemsize == 1 else np.uint32)
        _coarse.add_rows(read_only(frame), factor, rows)
    else:
        rows = np.empty((height, width), np.float32)
        _coarse.add_rows_finite(read_only(frame), factor, rows)
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

    Returns
    -------
    array, (n, 2), float64
        On the host.
    """
    height, width = frames.shape[1] // factor, frames.shape[2] // factor
    offset, scale = (_binned(master, factor) for master in (development.offset, development.scale))
    scale = scale / np.float32(factor**2)
    if not on_host(frames):
        return np.array([_corrected(frame, factor, offset, scale, pattern, cap) for frame in _each(frames)])
    tall, wide = (_shares(n) for n in (height, width))
    summed = np.empty((height, frames.shape[2]), np.uint16 if frames.dtype.itemsize == 1 else np.uint32)
    places = np.empty((len(frames), 2))
    pixels = np.ascontiguousarray(frames).view()
    pixels.flags.writeable = False
    _coarse_block.correlate_block(
        pixels, factor, offset, scale, SURROUNDINGS, tall, wide, pattern.rows,
        pattern.columns, pattern.weights, cap, summed, places,
    )  # fmt: skip
    return places


def _each(frames: Any) -> list[Any]:
    return [frames[f, ...] for f in range(frames.shape[0])]


def _corrected(
    frame: Any, factor: int, offset: Any, scale: Any, pattern: Pattern, cap: float
) -> tuple[float, float]:
    """`correlate` of one frame of any library, its bins less the offset, times the scale."""
    binned = bin_sum(frame, factor)
    binned = binned - to_device(offset, frame) if offset.size else binned
    return correlate(binned * to_device(scale, frame) if scale.size else binned, pattern, cap)


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
    if on_cuda(binned):
        there: NDArray[np.float32] = _cuda.flattened(binned[None, ...], cap)[0, ...]
        return there
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
