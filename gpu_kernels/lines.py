"""Row and column noise: what a line of pixels has in common on one frame and on no other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic import lines as _elsewhere
from gpu_kernels._numba.lines import line_levels
from gpu_kernels.device import Array, namespace, on_host, to_device

CLIP = 3.0
"""Pixels further than this many sigma from the middle of their line hold stars."""

FIRST = 33
"""Pixels of a line whose median is its first middle."""

ROUNDS = 3


def line_offsets(
    images: NDArray[np.float32], cast: NDArray[np.float32], sigma: float, axis: int = 0
) -> NDArray[np.float64]:
    """Offset of each row, or column, of each image against its others, from the pixels without stars.

    A line's level is the clipped mean of ``images - cast``; its offset, the level minus the median of all
    lines' levels, so that the level of the sky stays. The error of an offset is ``sigma / sqrt(pixels)``.

    Parameters
    ----------
    images : array, (n, height, width), float32
    cast : array, (height, width), float32
        What frames have in common that varies along a line: gradients, glow, the colours of a mosaic.
    sigma : float
        Noise of a pixel.
    axis : int
        0 for rows, 1 for columns.

    Returns
    -------
    array, (n, height) or (n, width), float64
        0 where a line has no finite pixel.
    """
    if not on_host(images):
        offsets: NDArray[np.float64] = _offsets_elsewhere(images, cast, sigma, axis)
        return offsets
    values = images if axis == 0 else images.transpose(0, 2, 1)
    fixed = cast if axis == 0 else cast.T
    out = np.empty(values.shape[:2])
    line_levels(_read_only(values), _read_only(fixed), CLIP * sigma, FIRST, ROUNDS, out)
    known = np.isfinite(out)
    for levels, good in zip(out, known, strict=True):
        levels[~good] = 0.0
        if good.any():
            levels[good] -= np.median(levels[good])
    return out


def _offsets_elsewhere(images: Array, cast: Array, sigma: float, axis: int) -> Array:
    """`line_offsets` by the array API standard."""
    xp = namespace(images)
    there = to_device(cast, images) if on_host(cast) else cast
    if axis == 1:
        images, there = xp.moveaxis(images, 2, 1), xp.moveaxis(there, 1, 0)
    levels = _elsewhere.line_levels(images, there, CLIP * float(sigma), FIRST, ROUNDS)
    return _elsewhere.against_others(levels)


def _read_only(array: NDArray[Any]) -> NDArray[np.float32]:
    view = np.ascontiguousarray(array, np.float32).view()
    view.flags.writeable = False
    return view


def remove_lines(
    images: NDArray[Any], cast: NDArray[np.float32], sigma: float, rows: bool, columns: bool
) -> NDArray[np.float32]:
    """Images without their row and column noise.

    Parameters
    ----------
    images : array, (n, height, width)
        Of any real type; left as they are.
    cast : array, (height, width), float32
        As in `line_offsets`; it stays in the images.
    sigma : float
        Noise of a pixel.
    rows, columns : bool
        Which lines are corrected; rows first.
    """
    xp = namespace(images)
    out: NDArray[np.float32] = xp.astype(images, xp.float32)
    if rows:
        out -= xp.astype(line_offsets(out, cast, sigma, 0), xp.float32)[:, :, None]
    if columns:
        out -= xp.astype(line_offsets(out, cast, sigma, 1), xp.float32)[:, None, :]
    return out
