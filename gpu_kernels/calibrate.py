"""Raw frames to measurable images: dark and flat, colour planes and mosaics to luminance."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def calibrate(
    frames: NDArray[Any], offset: NDArray[np.float32] | None, flat: NDArray[np.float32] | None
) -> NDArray[Any]:
    """Subtract bias or dark, divide by the flat, in the geometry as recorded.

    Parameters
    ----------
    frames : array, (n, height, width) or (n, c, height, width), ADU
    offset : array, (height, width) or (c, height, width), float32, ADU, optional
        Bias or dark, exposure already matched.
    flat : array, same shape, float32, optional
        Flat of mean 1; where it is not positive the result is NaN.

    Returns
    -------
    array
        float32, or `frames` itself when there is nothing to do.
    """
    if offset is None and flat is None:
        return frames
    out = frames.astype(np.float32)
    if offset is not None:
        out -= offset
    if flat is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            out /= np.where(flat > 0, flat, np.float32(np.nan))
    return out


def luminance(frames: NDArray[Any], layout: str) -> NDArray[Any]:
    """One measurable image a frame, by plain sums: no white balance.

    Parameters
    ----------
    frames : array, (n, height, width) or (n, c, height, width)
    layout : str
        ``mono`` (returned as it is), ``rgb`` (sum of planes) or ``mosaic`` (sums of 2x2 cells, so that
        a cell's centre lies at 2 i + 0.5).

    Returns
    -------
    array, (n, height, width) or (n, height // 2, width // 2)
        As recorded, or float32 sums (exact for up to 16 bits).
    """
    if layout == "mono":
        return frames
    if layout == "rgb":
        planes: NDArray[Any] = frames.sum(axis=1, dtype=np.float32)
        return planes
    h, w = frames.shape[1] // 2 * 2, frames.shape[2] // 2 * 2
    cells = frames[:, :h, :w].reshape(frames.shape[0], h // 2, 2, w // 2, 2)
    sums: NDArray[Any] = cells.sum(axis=(2, 4), dtype=np.float32)
    return sums


def largest_sample(frames: NDArray[Any], layout: str) -> NDArray[Any]:
    """Largest recorded sample behind each pixel of `luminance`: what saturation is judged by.

    Parameters
    ----------
    frames : array, (n, height, width) or (n, c, height, width)
    layout : str
        As for `luminance`.
    """
    if layout == "mono":
        return frames
    if layout == "rgb":
        planes: NDArray[Any] = frames.max(axis=1)
        return planes
    h, w = frames.shape[1] // 2 * 2, frames.shape[2] // 2 * 2
    cells: NDArray[Any] = frames[:, :h, :w].reshape(frames.shape[0], h // 2, 2, w // 2, 2).max(axis=(2, 4))
    return cells


def measurable(images: NDArray[Any]) -> NDArray[Any]:
    """The same values in a type that kernels measure: uint8, uint16, float32 or float64.

    Parameters
    ----------
    images : array
        Any real type; int8 and int16 become float32, wider integers float64 (exact to 2^53).
    """
    if images.dtype.name in {"uint8", "uint16", "float32", "float64"}:
        return images
    return images.astype(np.float32 if images.dtype.itemsize <= 2 else np.float64)
