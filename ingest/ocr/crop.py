"""From a strip of a field to the small picture that the recogniser reads: white on black, of one size.

The recogniser knows one size of text. What mattered most, in tests on real strips, was the crop: rows of
the text scaled to `TEXT_ROWS` of `HEIGHT`, cells to `PITCH` columns, contrast from the background's median
to the bright end.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEIGHT = 16
TEXT_ROWS = 13
PITCH = 11.5
MULTIPLE = 16
"""Widths are multiples of this, as EasyOCR pads them."""

BRIGHT = 98.5
LEAST_CONTRAST = 1e-6


@dataclass(frozen=True, slots=True)
class Crop:
    """Where a line of text lies in a field, and how large it is.

    Attributes
    ----------
    top, bottom : float
        Edges of the rows of text in the field, px; `bottom` is excluded.
    left, right : float
        Edges of the columns read, px.
    pitch : float
        Width of a character cell, px.
    white : bool
        Bright text on a darker background.
    """

    top: float
    bottom: float
    left: float
    right: float
    pitch: float
    white: bool = True

    @property
    def scale(self) -> float:
        """Columns of the normalised picture per column of the field."""
        return PITCH / self.pitch

    @property
    def width(self) -> int:
        """Columns of the normalised picture, a multiple of `MULTIPLE`."""
        columns = int(np.ceil((self.right - self.left) * self.scale))
        return max(1, -(-columns // MULTIPLE)) * MULTIPLE


def normalise(fields: NDArray[Any], crop: Crop) -> NDArray[np.uint8]:
    """Cut a line of text out of fields and bring it to the recogniser's size and contrast.

    Parameters
    ----------
    fields : array, (n, height, width)
        Whole fields, or any numbers.
    crop : Crop
        Where the text is; it may reach over the edges, which repeat.

    Returns
    -------
    array, (n, HEIGHT, crop.width), uint8
        White text on black; columns right of the crop are black.
    """
    row, edges = _row_edges(crop)
    first, last = normalised_rows(crop, fields.shape[1])
    rows = _boxes(edges - first, max(row, 1.0), row, last - first)
    text = np.matmul(rows, fields[:, first:last].astype(np.float32))
    columns = int(np.ceil((crop.right - crop.left) * crop.scale))
    text = _resampled(text, crop.left, 1.0 / crop.scale, columns)
    if not crop.white:
        text = -text
    out = np.zeros((fields.shape[0], HEIGHT, crop.width), np.uint8)
    out[:, :, :columns] = _stretched(text)
    return out


def normalised_rows(crop: Crop, height: int) -> tuple[int, int]:
    """First row, and the one behind the last, that `normalise` reads of fields of some height."""
    row, edges = _row_edges(crop)
    return max(0, int(np.floor(edges[0] - row))), min(height, int(np.ceil(edges[-1] + 2 * row)))


def _row_edges(crop: Crop) -> tuple[float, NDArray[np.float64]]:
    """Rows of a field for one of the picture, and where each of these begins."""
    row = (crop.bottom - crop.top) / TEXT_ROWS
    margin = (HEIGHT - TEXT_ROWS) / 2.0
    return row, np.asarray(crop.top + (np.arange(HEIGHT) - margin) * row, np.float64)


def is_white(text: NDArray[Any]) -> bool:
    """Whether text is brighter than its background: the third moment about the median is positive.

    Parameters
    ----------
    text : array
        Pixels around one line of text.
    """
    values = text.astype(np.float64).ravel()
    centred = values - np.median(values)
    limit = float(np.percentile(np.abs(centred), 99.5))
    return bool((np.clip(centred, -limit, limit) ** 3).sum() >= 0.0)


def _boxes(starts: NDArray[np.float64], wide: float, step: float, size: int) -> NDArray[np.float32]:
    """Weights ``(n, size)`` that average `wide` rows around the middle of each ``[start, start + step)``."""
    low = (starts + 0.5 * (step - wide))[:, None]
    at = np.arange(size)[None, :]
    weight = np.clip(np.minimum(low + wide, at + 1.0) - np.maximum(low, at), 0.0, 1.0)
    weight[:, 0] += np.clip(-low, 0.0, wide)[:, 0]
    weight[:, -1] += np.clip(low + wide - size, 0.0, wide)[:, 0]
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), np.float32)


def _resampled(text: NDArray[np.float32], left: float, step: float, columns: int) -> NDArray[np.float32]:
    """Average `max(step, 1)` columns around the middle of each of `columns` steps from `left`."""
    n, rows, width = text.shape
    total = np.zeros((n, rows, width + 1), np.float32)
    np.cumsum(text - text[:, :, :1], axis=2, out=total[:, :, 1:])
    wide = max(step, 1.0)
    low = left + np.arange(columns) * step + 0.5 * (step - wide)
    span = np.clip(low + wide, 0.0, width) - np.clip(low, 0.0, width)
    covered = np.where(span > 1e-3, span, 1.0).astype(np.float32)
    out = (_at(total, np.clip(low + wide, 0.0, width)) - _at(total, np.clip(low, 0.0, width))) / covered
    out[:, :, low + wide <= 1e-3] = 0.0
    out[:, :, low >= width - 1e-3] = text[:, :, -1:] - text[:, :, :1]
    return np.asarray(out + text[:, :, :1], np.float32)


def _at(total: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values between the columns of `total`, by straight lines."""
    whole = np.minimum(places.astype(np.intp), total.shape[2] - 2)
    part = (places - whole).astype(np.float32)
    low = np.take(total, whole, axis=2)
    return np.asarray(low + part * (np.take(total, whole + 1, axis=2) - low), np.float32)


def _stretched(text: NDArray[np.float32]) -> NDArray[np.uint8]:
    """From the median, black, to the bright end, white."""
    flat = text.reshape(text.shape[0], -1)
    size = flat.shape[1]
    middle, bright = size // 2, min(size - 1, int(BRIGHT / 100.0 * size))
    ordered = np.partition(flat, (middle, bright), axis=1)
    low, high = ordered[:, middle], ordered[:, bright]
    gain = 255.0 / np.maximum(high - low, LEAST_CONTRAST)
    levels = (text - low[:, None, None]) * gain[:, None, None]
    return np.asarray(np.clip(levels + 0.5, 0.0, 255.0), np.uint8)
