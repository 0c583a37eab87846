"""Mosaics to colour planes and to an even luminance, fields of interlaced video to whole frames.

All in full-frame geometry, by slices and sums alone: the same text for any array library.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic import planes as _elsewhere
from gpu_kernels.device import namespace, on_host


def mosaic_planes(frames: NDArray[Any], places: tuple[tuple[int, int], ...]) -> NDArray[Any]:
    """Pixels of some places of the 2x2 cell, each as an image of its own.

    Pixel (i, j) of a plane at (py, px) is pixel (2 i + py, 2 j + px) of the frame. Odd last rows and
    columns are left out.

    Parameters
    ----------
    frames : array, (n, height, width)
    places : tuple of (py, px)
        0 or 1 each.

    Returns
    -------
    array, (k, n, height // 2, width // 2)
        As recorded, contiguous.
    """
    height, width = frames.shape[1] // 2 * 2, frames.shape[2] // 2 * 2
    planes = [frames[:, py:height:2, px:width:2] for py, px in places]
    stacked: NDArray[Any] = namespace(frames).stack(planes, axis=0)
    return stacked


def even_luminance(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Luminance of a mosaic at every pixel: the mean of the four 2x2 cells that the pixel belongs to.

    That is the mosaic smoothed by 1-2-1 both ways, normalised to one: every colour has the same weight
    at every pixel, so that a sky of any colour is even, and on both sides of its own place, so that
    light of any colour stays where it is. There is no white balance. It adds 1/2 px^2 to the variance
    of a star's profile. Frames are continued by reflection about their outermost pixels.

    Parameters
    ----------
    frames : array, (n, height, width)
        At least 2 x 2.

    Returns
    -------
    array, same shape, float32
        Light is conserved: the sum over a star is that of the recorded pixels.
    """
    if not on_host(frames):
        luminance: NDArray[np.float32] = _elsewhere.even_luminance(frames)
        return luminance
    pixels = frames.astype(np.float32)
    return _smooth(_smooth(pixels, 1), 2)


def _smooth(frames: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """1/4-1/2-1/4 along rows (2) or columns (1); beyond the edge lies the neighbour of the outermost."""
    values = np.moveaxis(frames, axis, 0)
    out = np.empty_like(values)
    out[1:-1] = values[:-2] + values[2:]
    out[0], out[-1] = 2.0 * values[1], 2.0 * values[-2]
    out *= np.float32(0.25)
    out += np.float32(0.5) * values
    return np.ascontiguousarray(np.moveaxis(out, 0, axis))


def whole_frames(frames: NDArray[Any], first: int) -> NDArray[np.float32]:
    """Both fields of each frame in full-frame geometry: missing rows are the means of those around.

    Parameters
    ----------
    frames : array, (n, height, width)
        Two fields woven into each frame.
    first : int
        Row on which the field that was exposed first begins: 0 for the top field, 1 for the bottom one.

    Returns
    -------
    array, (2 n, height, width), float32
        First and second field of each frame in turn. A missing row at the edge is its only neighbour.
    """
    if not on_host(frames):
        whole: NDArray[np.float32] = _elsewhere.whole_frames(frames, first)
        return whole
    n, height, width = frames.shape
    out = np.empty((n, 2, height, width), np.float32)
    for second in (0, 1):
        row = (first + second) % 2
        field = out[:, second]
        field[:, row::2] = frames[:, row::2]
        inner = field[:, 1 + row : height - 1 : 2]
        inner[...] = field[:, row : height - 2 : 2]
        inner += field[:, row + 2 : height : 2]
        inner *= np.float32(0.5)
        if row == 1:
            field[:, 0] = field[:, 1]
        if (height - row) % 2 == 0:
            field[:, -1] = field[:, -2]
    return out.reshape(2 * n, height, width)


def repeated_rows(frames: NDArray[Any], first: int) -> NDArray[Any]:
    """Both fields of each frame with their rows repeated, for the largest recorded samples.

    Parameters
    ----------
    frames, first
        As for `whole_frames`.

    Returns
    -------
    array, (2 n, height, width)
        As recorded; a missing row is the recorded one above it (at the top, below).
    """
    if not on_host(frames):
        repeated: NDArray[Any] = _elsewhere.repeated_rows(frames, first)
        return repeated
    n, height, width = frames.shape
    rows = np.arange(height)
    out = np.empty((n, 2, height, width), frames.dtype)
    for second in (0, 1):
        row = (first + second) % 2
        out[:, second] = frames[:, np.maximum(rows - (rows - row) % 2, row)]
    return out.reshape(2 * n, height, width)
