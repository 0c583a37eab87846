"""Frames as pictures: a part of one, stretched to eight bits, as PNG or WebP."""

import io
import re
import struct
import zlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reduction.errors import RequestError
from reduction.stack import Stack

Stretch = Literal["zscale", "asinh", "percentile", "minmax", "linear"]
Ends = tuple[float, float]
"""Level that is black, level that is white."""

ROI = re.compile(r"^(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})$")
PERCENTILES = (0.5, 99.7)
SOFTENING = 0.05
ZSCALE_SAMPLE = 1000
"""Pixels that zscale looks at, as IRAF does."""

TABLED = ("uint8", "uint16")
"""Types of which every level is stretched once, instead of every pixel."""

MOST_PIXELS = 64 << 20
"""Of a picture; a larger part is to be asked for in parts."""


def recorded(stack: Stack, number: int) -> NDArray[Any]:
    """A frame as recorded, ``(height, width)`` or ``(3, height, width)``.

    Raises
    ------
    RequestError
        The recording has no such frame.
    """
    if not 0 <= number < stack.info.frames:
        raise RequestError(f"frame {number}: the recording has frames 0 to {stack.info.frames - 1}")
    return np.asarray(stack.read(number, number + 1)[0])


def plane_of(frame: NDArray[Any]) -> NDArray[Any]:
    """One plane of a recorded frame: itself as recorded, of colours their mean in float32."""
    if frame.ndim == 2:
        return frame
    return np.asarray(frame.mean(axis=0, dtype=np.float64), np.float32)


def frame_of(stack: Stack, number: int) -> NDArray[np.float32]:
    """A frame as one plane ``(height, width)``; of colours, their mean.

    Raises
    ------
    RequestError
        The recording has no such frame.
    """
    return np.ascontiguousarray(plane_of(recorded(stack, number)), np.float32)


def part_of(image: NDArray[Any], roi: str | None) -> NDArray[Any]:
    """The part ``left,top,width,height`` of a frame; all of it without one. Raises `RequestError`."""
    height, width = image.shape[-2:]
    if roi is not None:
        found = ROI.match(roi)
        left, top, across, down = (int(part) for part in found.groups()) if found else (0, 0, 0, 0)
        if not across or not down or left + across > width or top + down > height:
            raise RequestError(
                f"roi {roi:.40}: give left,top,width,height in pixels, inside {width} x {height}"
            )
        image = image[..., top : top + down, left : left + across]
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


def shrunk(image: NDArray[Any], times: int) -> NDArray[Any]:
    """Means of squares of `times` x `times` pixels; what is left over at right and bottom is cut off."""
    if times == 1:
        return image
    height, width = (side // times * times for side in image.shape)
    if not height or not width:
        raise RequestError(f"shrink {times}: the part is only {image.shape[1]} x {image.shape[0]} pixels")
    squares = image[:height, :width].reshape(height // times, times, width // times, times)
    return np.asarray(squares.mean(axis=(1, 3), dtype=np.float32))


def stretched(
    image: NDArray[Any], stretch: Stretch, levels: Ends = PERCENTILES, ends: Ends | None = None
) -> NDArray[np.uint8]:
    """Eight bits of an image.

    ``zscale`` is IRAF's, linear between its limits; ``percentile`` and ``asinh`` lie between percentiles,
    the second as Lupton et al. (1999), linear at the sky and logarithmic above; ``minmax`` is all there is,
    ``linear`` what `ends` say. What is no number is black.

    Parameters
    ----------
    levels : tuple of float
        Percentiles.
    ends : tuple of float, optional
        Levels that are black and white, whatever the image says.
    """
    found = ends or limits_of(image, stretch, levels)
    if found is None:
        return np.zeros(image.shape, np.uint8)
    if image.dtype.name in TABLED:
        every = np.arange(np.iinfo(image.dtype).max + 1, dtype=np.float64)
        return np.take(_eight_bits(every, stretch, found), image)
    return _eight_bits(image.astype(np.float64), stretch, found)


def _eight_bits(values: NDArray[np.float64], stretch: Stretch, ends: Ends) -> NDArray[np.uint8]:
    low, high = ends
    span = high - low if high > low else 1.0
    with np.errstate(invalid="ignore"):
        unit = np.clip((values - low) / span, 0.0, 1.0)
        if stretch == "asinh":
            unit = np.arcsinh(unit / SOFTENING) / np.arcsinh(1.0 / SOFTENING)
    return np.rint(np.where(np.isfinite(unit), unit, 0.0) * 255.0).astype(np.uint8)


def limits_of(image: NDArray[Any], stretch: Stretch, levels: Ends = PERCENTILES) -> Ends | None:
    """Levels that a stretch makes black and white; None for an image without a finite pixel.

    Raises
    ------
    RequestError
        ``linear``, whose levels nobody gave.
    """
    if stretch == "linear":
        raise RequestError("stretch linear: give black and white, in the recording's levels")
    finite = image if image.dtype.kind in "ui" else image[np.isfinite(image)]
    if not finite.size:
        return None
    if stretch == "minmax":
        return float(finite.min()), float(finite.max())
    if stretch == "zscale":
        from astropy.visualization import ZScaleInterval

        values = finite.reshape(-1)
        sample = values[:: max(1, values.size // ZSCALE_SAMPLE)][:ZSCALE_SAMPLE]
        low, high = ZScaleInterval(n_samples=ZSCALE_SAMPLE).get_limits(sample)
        return float(low), float(high)
    low, high = percentiles(finite, levels)
    return low, high


def percentiles(values: NDArray[Any], levels: Ends) -> Ends:
    """Percentiles of finite values, as `numpy.percentile`; of integers from their histogram, much faster."""
    if values.dtype.name not in TABLED:
        low, high = np.percentile(values, levels)
        return float(low), float(high)
    upto = np.cumsum(np.bincount(values.reshape(-1)))
    at = np.asarray(levels) / 100.0 * (values.size - 1)
    below = np.floor(at)
    first = np.searchsorted(upto, below, side="right")
    second = np.searchsorted(upto, np.minimum(below + 1, values.size - 1), side="right")
    low, high = (first + (at - below) * (second - first)).tolist()
    return low, high


def encoded(pixels: NDArray[np.uint8], form: Literal["png", "webp"], zoom: int = 1) -> bytes:
    """A picture's file, each pixel `zoom` times as large; WebP without loss."""
    if zoom > 1:
        pixels = np.repeat(np.repeat(pixels, zoom, axis=0), zoom, axis=1)
    if pixels.size > MOST_PIXELS:
        raise RequestError(f"{pixels.size} pixels: more than {MOST_PIXELS}; zoom less, or ask for a part")
    if form == "png":
        return _png(pixels)
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(out, "WEBP", lossless=True, quality=20, method=2)
    return out.getvalue()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """A grey PNG (ISO/IEC 15948) without filters of rows: they take long, and noise gains nothing by them."""
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # the filter's number, 0, before each row
    rows[:, 1:] = pixels
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    data = packer.compress(rows.data) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
