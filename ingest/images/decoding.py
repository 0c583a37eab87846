"""Samples of pictures: plain ones in place, PNG by our decoder, the rest by tifffile and Pillow."""

import logging
import struct
import threading
import warnings
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.images.lzw import unpack_lzw
from ingest.images.picture import Picture
from ingest.images.png import read_png
from ingest.rawfile import RawFile
from reduction.errors import DataError

LZW, COMPRESSION, PHOTOMETRIC, PALETTE = 5, 259, 262, 3
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    SyntaxError,  # Pillow's word for a damaged PNG
    MemoryError,
    Warning,
    struct.error,
    zlib.error,
)
"""What tifffile and Pillow raise on damaged pictures."""

_one_library_call = threading.Lock()  # warnings are caught for the whole process
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_picture(picture: Picture) -> NDArray[Any]:
    """Frame ``(y, x)`` or ``(3, y, x)``, native-endian.

    Raises
    ------
    DataError
        Cut off or damaged.
    """
    if picture.decoder == "plain":
        samples = _read_plain(picture)
    elif picture.decoder == "png":
        samples = read_png(picture)
    else:
        samples = _read_by_library(picture)
    if picture.inverted:
        samples = _inverted(samples)
    if picture.planes == 1:
        return np.ascontiguousarray(samples[:, :, 0])
    return np.ascontiguousarray(np.moveaxis(samples[:, :, list(picture.order)], -1, 0))


def _read_plain(picture: Picture) -> NDArray[Any]:
    """Rows from their places, ``(y, x, samples)``."""
    stored = np.dtype(picture.stored)
    rows = np.empty((picture.height, abs(picture.row_bytes)), np.uint8)
    file = RawFile(picture.path)
    try:
        file.read_into(rows, picture.offset)
    finally:
        file.close()
    used = rows[:: -1 if picture.row_bytes < 0 else 1, : picture.width * picture.samples * stored.itemsize]
    values = np.ascontiguousarray(used).view(stored)
    native = values.astype(stored.newbyteorder("="), copy=False)
    return native.reshape(picture.height, picture.width, picture.samples)


def _inverted(samples: NDArray[Any]) -> NDArray[Any]:
    """Levels of a picture whose zero is white."""
    turned: NDArray[Any] = np.bitwise_not(samples) if samples.dtype.kind == "u" else np.negative(samples)
    return turned


def _read_by_library(picture: Picture) -> NDArray[Any]:
    """Samples ``(y, x, samples)`` by tifffile or Pillow."""
    try:
        with _one_library_call, warnings.catch_warnings():
            warnings.simplefilter("error")
            values = _by_tifffile(picture) if picture.kind == "tiff" else None
            if values is None:
                values = _by_pillow(picture)
    except DAMAGE as error:
        raise DataError(
            f"{picture.where}: the picture cannot be unpacked ({type(error).__name__}: {str(error)[:200]}); "
            "re-copy the file, or save it without compression"
        ) from error
    shape = (picture.height, picture.width)
    if values.shape[:2] != shape or values.shape[2] < picture.planes or values.dtype != picture.dtype:
        raise DataError(
            f"{picture.where}: unpacks to {values.shape} {values.dtype}, its header says {picture.geometry}"
        )
    return values


def _by_tifffile(picture: Picture) -> NDArray[Any] | None:
    """Samples of a TIFF page; None where only Pillow has what it takes (palettes, LZW in tiles)."""
    import tifffile

    with tifffile.TiffFile(picture.path) as file:
        page = file.pages[picture.page]
        if not isinstance(page, tifffile.TiffPage):
            raise TypeError("no whole page")
        tags = page.tags
        compression, kind = (int(tags[tag].value) if tag in tags else 1 for tag in (COMPRESSION, PHOTOMETRIC))
        if kind == PALETTE:
            return None
        if compression == LZW:
            return _lzw_strips(picture, page)
        values = page.asarray()
        separate = (
            values.ndim == 3 and values.shape[0] == picture.samples and picture.samples != values.shape[2]
        )
    if values.ndim == 2:
        return values[:, :, None]
    if values.ndim == 3 and (separate or values.shape[1:] == (picture.height, picture.width)):
        return np.moveaxis(values, 0, -1)
    return values if values.ndim == 3 else values.reshape(picture.height, picture.width, -1)


def _lzw_strips(picture: Picture, page: Any) -> NDArray[Any] | None:
    """Samples of strips that tifffile cannot unpack by itself; None for tiles and separate planes."""
    predictor = int(page.predictor)
    if page.is_tiled or int(page.planarconfig) != 1 or predictor not in {1, 2}:
        return None
    stored = np.dtype(page.parent.byteorder + np.dtype(picture.stored).str[1:])
    row = picture.width * picture.samples * stored.itemsize
    rows = max(1, min(int(page.rowsperstrip or picture.height), picture.height))
    strips = []
    file = RawFile(picture.path)
    try:
        places = zip(page.dataoffsets, page.databytecounts, strict=True)
        for first, (offset, size) in zip(range(0, picture.height, rows), places, strict=True):
            strips.append(unpack_lzw(file.read_bytes(size, offset), row * min(rows, picture.height - first)))
    finally:
        file.close()
    values = np.concatenate(strips).view(stored).astype(stored.newbyteorder("="), copy=False)
    samples = values.reshape(picture.height, picture.width, picture.samples)
    return np.cumsum(samples, axis=1, dtype=samples.dtype) if predictor == 2 else samples


def _by_pillow(picture: Picture) -> NDArray[Any]:
    """Samples through Pillow; palettes become colours."""
    from PIL import Image

    with Image.open(picture.path, formats=[picture.kind.upper()]) as image:
        if image.size != (picture.width, picture.height) and not picture.page:
            raise ValueError(f"{image.size} pixels")
        if picture.page:
            image.seek(picture.page)
        if picture.dtype == "uint16":
            if not image.mode.startswith("I;16"):
                raise ValueError(f"16 bits a sample as {image.mode}: Pillow would cut them to 8")
            return np.asarray(image).astype(np.uint16)[:, :, None]
        return np.asarray(image.convert("RGB" if picture.planes == 3 else "L")).reshape(
            picture.height, picture.width, -1
        )
