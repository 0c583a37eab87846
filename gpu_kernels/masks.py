"""Pixels that are to be left out (a burnt-in overlay, defects): what they are to binned frames."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import masked as _masked
from gpu_kernels.device import Array, namespace, to_device


@dataclass(frozen=True, slots=True, eq=False)
class BinMask:
    """Masked pixels as seen by a frame binned by `factor`.

    Bins that keep half of their pixels or more are `torn`: what is left is scaled up. The others are
    `holes`: they get the mean of the next good bins left, right, above and below (`sources`).
    """

    factor: int
    pixels: NDArray[np.bool_]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    torn: NDArray[np.int64]
    gain: NDArray[np.float32]
    holes: NDArray[np.int64]
    sources: NDArray[np.int64]

    def leave_out(self, frame: NDArray[Any], binned: NDArray[np.float32]) -> None:
        """Take the masked pixels of `frame` out of its binned sums, in place."""
        _masked.leave_out(
            frame,
            self.rows,
            self.columns,
            self.factor,
            self.torn,
            self.gain,
            self.holes,
            self.sources,
            binned,
        )

    def emptied(self, frame: Array) -> Array:
        """A frame of any library with the masked pixels at 0, float64."""
        xp = namespace(frame)
        return xp.where(to_device(self.pixels, frame), 0.0, xp.astype(frame, xp.float64))

    def filled(self, sums: Array) -> Array:
        """Binned sums of any library, of an emptied frame, with torn bins scaled up and holes filled."""
        xp = namespace(sums)
        gain = np.ones(sums.shape[0] * sums.shape[1], np.float32)
        gain[self.torn] = self.gain
        flat = xp.reshape(sums, (-1,)) * to_device(gain, sums)
        share = (self.sources >= 0) / np.maximum((self.sources >= 0).sum(axis=1), 1)[:, None]
        where = np.arange(gain.size)
        total = xp.zeros_like(flat)
        for j in range(4):
            take, weight = where.copy(), np.zeros(gain.size, np.float32)
            take[self.holes] = np.maximum(self.sources[:, j], 0)
            weight[self.holes] = share[:, j]
            total = total + xp.take(flat, to_device(take, sums), axis=0) * to_device(weight, sums)
        return self.without_holes(xp.reshape(flat, sums.shape)) + xp.reshape(total, sums.shape)

    def without_holes(self, binned: Array) -> Array:
        """A binned frame of any library with 0 in the holes."""
        good = np.ones(binned.shape, np.float32)
        good.reshape(-1)[self.holes] = 0.0
        return binned * to_device(good, binned)


def bin_mask(mask: NDArray[np.bool_], factor: int) -> BinMask:
    """What a mask of pixels is to frames binned by `factor`.

    Parameters
    ----------
    mask : array, (height, width), bool
        True: leave the pixel out.
    factor : int
    """
    height, width = mask.shape[0] // factor, mask.shape[1] // factor
    inner = mask[: height * factor, : width * factor]
    rows, columns = np.nonzero(inner)
    count = inner.reshape(height, factor, width, factor).sum(axis=(1, 3))
    kept = factor * factor - count
    hole = 2 * kept < factor * factor
    torn = np.flatnonzero((count > 0) & ~hole)
    gain = (factor * factor / kept.reshape(-1)[torn]).astype(np.float32)
    return BinMask(
        factor, mask, rows.astype(np.int64), columns.astype(np.int64), torn.astype(np.int64), gain,
        np.flatnonzero(hole).astype(np.int64), _sources(hole),
    )  # fmt: skip


def _sources(hole: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Flat numbers of the next good bins left, right, above and below each hole; -1: there is none."""
    width = hole.shape[1]
    ys, xs = np.nonzero(hole)
    out = np.full((ys.size, 4), -1, np.int64)
    for k, (y, x) in enumerate(zip(ys.tolist(), xs.tolist(), strict=True)):
        along, across = np.flatnonzero(~hole[y]), np.flatnonzero(~hole[:, x])
        for j, found in enumerate((along[along < x][-1:], along[along > x][:1])):
            out[k, j] = y * width + int(found[0]) if found.size else -1
        for j, found in enumerate((across[across < y][-1:], across[across > y][:1])):
            out[k, 2 + j] = int(found[0]) * width + x if found.size else -1
    return out


def blank(
    boxes: NDArray[np.float64], left: NDArray[np.int64], top: NDArray[np.int64], mask: NDArray[np.bool_]
) -> None:
    """Put NaN into boxes where a mask is set.

    Parameters
    ----------
    boxes : array, (n, m, m)
        Filled in place.
    left, top : array, (n,)
        Where each was cut.
    mask : array, (height, width), bool
    """
    _masked.blank_boxes(mask, left, top, boxes)


def blanked(frame: Array, mask: NDArray[np.bool_]) -> Array:
    """A frame of any library as float64, NaN where the mask is set."""
    xp = namespace(frame)
    return xp.where(to_device(mask, frame), xp.nan, xp.astype(frame, xp.float64))
