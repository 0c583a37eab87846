"""Launchers of coarse.cu: binning and the coarse correlation of many frames."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._cuda import Array, blocks, contiguous, launch, strided
from gpu_kernels.device import namespace

THREADS = 256
SURROUNDINGS = 8


def bin_sum(frames: Array, factor: int) -> Array:
    """`align.bin_sum` of frames ``(n, height, width)``: ``(n, height // factor, width // factor)``."""
    (frames,) = contiguous(frames)
    n, height, width = frames.shape
    rows, columns = height // factor, width // factor
    with frames.device:
        out = namespace(frames).empty((n, rows, columns), np.float32)
    grid = (n, blocks(rows * columns, THREADS))
    launch("coarse", "bin_sum", frames, grid, THREADS, frames, height, width, factor, rows, columns, out)
    return out


def flattened(binned: Array, cap: float) -> Array:
    """`align.flattened` of binned frames ``(n, rows, columns)``, float32."""
    n, rows, columns = binned.shape
    xp = namespace(binned)
    with binned.device:
        means, cut = xp.empty(binned.shape, np.float32), xp.empty(binned.shape, np.float32)
    across, whole = (n, blocks(columns, THREADS)), (n, blocks(rows * columns, THREADS))
    launch("coarse", "column_means", binned, across, THREADS, binned, rows, columns, SURROUNDINGS, means)
    launch("coarse", "cut_above", binned, whole, THREADS, binned, means, rows, columns, np.float32(cap), cut)
    launch("coarse", "smooth_121", binned, whole, THREADS, cut, rows, columns, means)
    return means


def correlate(
    flat: Array,
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    which: NDArray[np.int32],
) -> Array:
    """Shifts (dx, dy) ``(n, 2)``, bins, of flattened frames ``(n, h, w)`` against patterns ``(p, points)``.

    `which` (n,) names the pattern of each frame.
    """
    n, height, width = flat.shape
    xp = namespace(flat)
    with flat.device:
        shift = xp.empty((n, 2), np.float64)
        patterns = [xp.asarray(part) for part in (rows, columns, weights)]
        chosen = xp.asarray(which)
    points = rows.shape[1]
    launch("coarse", "correlate", flat, (n,), THREADS, flat, height, width, *patterns, points, chosen, shift)
    return shift


class BinMask(Protocol):
    """What `masks.BinMask` says of bins under a mask."""

    @property
    def torn(self) -> NDArray[np.int64]: ...
    @property
    def gain(self) -> NDArray[np.float32]: ...
    @property
    def holes(self) -> NDArray[np.int64]: ...
    @property
    def sources(self) -> NDArray[np.int64]: ...


def blank(frames: Array, mask: NDArray[np.bool_]) -> Array:
    """A floating copy of frames ``(n, h, w)`` with NaN where a mask ``(h, w)`` is set."""
    (frames,) = contiguous(frames)
    n, xp = frames.shape[0], namespace(frames)
    with frames.device:
        out = xp.empty(frames.shape, np.float64 if frames.dtype.name == "float64" else np.float32)
        hidden = xp.asarray(np.ascontiguousarray(mask).astype(np.uint8))
    grid = (n, strided(mask.size, THREADS))
    launch("coarse", "blank", frames, grid, THREADS, frames, np.int64(mask.size), hidden, out)
    return out


def mend(binned: Array, mask: BinMask) -> None:
    """Scale up bins that lost pixels to a mask, and fill those that lost most, in place."""
    n, rows, columns = binned.shape
    xp = namespace(binned)
    with binned.device:
        torn, gain, holes, sources = map(xp.asarray, (mask.torn, mask.gain, mask.holes, mask.sources))
    torn_grid, hole_grid = (n, blocks(torn.size, THREADS)), (n, blocks(holes.size, THREADS))
    bins = rows * columns
    launch("coarse", "scale_torn", binned, torn_grid, THREADS, binned, bins, torn, gain, torn.size)
    launch("coarse", "fill_holes", binned, hole_grid, THREADS, binned, bins, holes, sources, holes.size)


def empty_holes(flat: Array, mask: BinMask) -> None:
    """Take the bins that lost most of their pixels out of flattened frames, in place."""
    n, rows, columns = flat.shape
    with flat.device:
        holes = namespace(flat).asarray(mask.holes)
    grid = (n, blocks(holes.size, THREADS))
    launch("coarse", "empty_holes", flat, grid, THREADS, flat, rows * columns, holes, holes.size)
