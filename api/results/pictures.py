"""Frames as pictures: a part of one, stretched to eight bits, as PNG or WebP."""

import io
import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reduction.errors import RequestError
from reduction.stack import Stack

Stretch = Literal["zscale", "asinh", "percentile", "minmax"]
ROI = re.compile(r"^(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})$")
PERCENTILES = (0.5, 99.7)
SOFTENING = 0.05
MOST_PIXELS = 64 << 20
"""Of a picture; a larger part is to be asked for in parts."""


def frame_of(stack: Stack, number: int) -> NDArray[np.float32]:
    """A frame as one plane ``(height, width)``; of colours, their mean.

    Raises
    ------
    RequestError
        The recording has no such frame.
    """
    if not 0 <= number < stack.info.frames:
        raise RequestError(f"frame {number}: the recording has frames 0 to {stack.info.frames - 1}")
    frame = np.asarray(stack.read(number, number + 1)[0])
    plane = frame if frame.ndim == 2 else frame.mean(axis=0, dtype=np.float64)
    return np.ascontiguousarray(plane, np.float32)


def part_of(image: NDArray[np.float32], roi: str | None) -> NDArray[np.float32]:
    """The part ``left,top,width,height`` of a frame; all of it without one. Raises `RequestError`."""
    height, width = image.shape
    if roi is not None:
        found = ROI.match(roi)
        left, top, across, down = (int(part) for part in found.groups()) if found else (0, 0, 0, 0)
        if not across or not down or left + across > width or top + down > height:
            raise RequestError(
                f"roi {roi:.40}: give left,top,width,height in pixels, inside {width} x {height}"
            )
        image = image[top : top + down, left : left + across]
    if image.size > MOST_PIXELS:
        raise RequestError(f"{image.size} pixels: more than {MOST_PIXELS}; ask for a part by roi")
    return image


def around(image: NDArray[np.float32], x: float, y: float, half: int) -> NDArray[np.float32]:
    """A square about a place; NaN beyond the frame."""
    height, width = image.shape
    row, column = round(y), round(x)
    box = np.full((2 * half + 1, 2 * half + 1), np.nan, np.float32)
    top, left = max(0, row - half), max(0, column - half)
    bottom, right = min(height, row + half + 1), min(width, column + half + 1)
    if top < bottom and left < right:
        there = (
            slice(top - row + half, bottom - row + half),
            slice(left - column + half, right - column + half),
        )
        box[there] = image[top:bottom, left:right]
    return box


def stretched(
    image: NDArray[np.float32], stretch: Stretch, levels: tuple[float, float] = PERCENTILES
) -> NDArray[np.uint8]:
    """Eight bits of an image.

    ``zscale`` is IRAF's, linear between its limits; ``percentile`` and ``asinh`` lie between percentiles,
    the second as Lupton et al. (1999), linear at the sky and logarithmic above; ``minmax`` is all there is.
    What is no number is black.
    """
    finite = image[np.isfinite(image)]
    if not finite.size:
        return np.zeros(image.shape, np.uint8)
    low, high = _limits(finite, stretch, levels)
    span = high - low if high > low else 1.0
    with np.errstate(invalid="ignore"):
        unit = np.clip((image.astype(np.float64) - low) / span, 0.0, 1.0)
        if stretch == "asinh":
            unit = np.arcsinh(unit / SOFTENING) / np.arcsinh(1.0 / SOFTENING)
    return np.rint(np.where(np.isfinite(unit), unit, 0.0) * 255.0).astype(np.uint8)


def _limits(
    finite: NDArray[np.float32], stretch: Stretch, levels: tuple[float, float]
) -> tuple[float, float]:
    if stretch == "minmax":
        return float(finite.min()), float(finite.max())
    if stretch == "zscale":
        from astropy.visualization import ZScaleInterval

        low, high = ZScaleInterval().get_limits(finite)
        return float(low), float(high)
    low, high = np.percentile(finite, levels)
    return float(low), float(high)


def encoded(pixels: NDArray[np.uint8], form: Literal["png", "webp"], zoom: int = 1) -> bytes:
    """A picture's file, each pixel `zoom` times as large; WebP without loss."""
    from PIL import Image

    if zoom > 1:
        pixels = np.repeat(np.repeat(pixels, zoom, axis=0), zoom, axis=1)
    if pixels.size > MOST_PIXELS:
        raise RequestError(f"{pixels.size} pixels: more than {MOST_PIXELS}; zoom less, or ask for a part")
    out = io.BytesIO()
    image = Image.fromarray(pixels)
    if form == "png":
        image.save(out, "PNG", compress_level=3)
    else:
        image.convert("RGB").save(out, "WEBP", lossless=True, quality=20, method=2)
    return out.getvalue()
