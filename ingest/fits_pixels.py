"""Pixels of FITS files: at their offset, out of gzip, or out of compressed tiles through astropy."""

import gzip
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ingest.block_memory import empty_block
from ingest.fits_header import BLOCK, FitsImage, Scaling, TruncatedError
from ingest.rawfile import RawFile
from reduction.errors import DataError

DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What astropy raises on damaged tables and tiles."""

_astropy_lock = threading.Lock()


def decode(raw: NDArray[Any], scaling: Scaling) -> NDArray[Any]:
    """Values of stored numbers, native-endian, of type ``scaling.dtype``; `raw` may be overwritten.

    Unsigned integers stand as signed ones with an offset of half their range (FITS standard 4.0, 5.2.5):
    flipping the highest bit makes them, without a detour by floats.
    """
    if not raw.dtype.isnative:
        stored, raw = raw, empty_block(raw.shape, raw.dtype.newbyteorder("="))
        raw[...] = stored  # four times as quick as byteswap()
    goal = np.dtype(scaling.dtype)
    if goal == raw.dtype:
        return raw
    if goal.kind == "u":
        unsigned = raw.view(goal)
        unsigned ^= goal.type(1 << (8 * goal.itemsize - 1))
        return unsigned
    values = raw.astype(np.float64)
    values *= scaling.scale
    values += scaling.zero
    if scaling.blank is not None:
        values[raw == scaling.blank] = np.nan
    return values.astype(goal, copy=False)


def read_file(image: FitsImage) -> NDArray[Any]:
    """All pixels of one file."""
    if image.access == "tiles":
        return decode(read_tiles(image, None), image.scaling)
    raw = np.empty(image.axes, image.scaling.raw)
    if image.access == "plain":
        file = RawFile(image.path)
        try:
            file.read_into(raw, image.offset)
        finally:
            file.close()
        return decode(raw, image.scaling)
    try:
        with gzip.open(image.path, "rb") as unpacked:
            unpack_into(unpacked, raw, image.offset, image.path.name)
    except OSError as error:
        raise DataError(f"{image.path.name}: cannot be read: {error.strerror or error}") from error
    return decode(raw, image.scaling)


def unpack_into(unpacked: gzip.GzipFile, raw: NDArray[Any], offset: int, name: str) -> None:
    """Fill an array from a place in a gzip stream."""
    view = raw.reshape(-1).view(np.uint8).data
    try:
        unpacked.seek(offset)
        done = 0
        while done < len(view) and (got := unpacked.readinto(view[done:])):
            done += got
    except EOFError as error:
        raise TruncatedError(f"{name}: the gzip stream is cut off; re-copy the file") from error
    except (OSError, zlib.error) as error:
        raise DataError(f"{name}: the gzip stream is damaged ({error}); re-copy the file") from error
    if done < len(view):
        raise TruncatedError(
            f"{name}: truncated: {len(view) - done} bytes of pixels are missing; re-copy the file"
        )


class _Unpacked(io.RawIOBase):
    """A gzip stream that ends with an error where it is damaged, and stays so.

    Astropy's own takes a failed read for an empty one, and then reads the same header without end.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._stream = gzip.GzipFile(path, "rb")
        self._name = path.name
        self.mode = "rb"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        with self._told():
            return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        with self._told():
            return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()
        super().close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except EOFError as error:
            raise TruncatedError(f"{self._name}: the gzip stream is cut off; re-copy the file") from error
        except (OSError, zlib.error) as error:
            raise DataError(
                f"{self._name}: the gzip stream is damaged ({error}); re-copy the file"
            ) from error


def _opened(path: Path) -> io.RawIOBase | BinaryIO:
    """A file's bytes, unpacked."""
    file = path.open("rb")
    if file.read(2) == b"\x1f\x8b":
        file.close()
        return _Unpacked(path)
    file.seek(0)
    return file


@contextmanager
def _astropy(path: Path) -> Iterator[Any]:
    """Astropy's view of a file, its complaints on damage turned into one DataError."""
    from astropy.io import fits
    from astropy.io.fits.hdu.compressed._compression import CfitsioException  # has no public name

    with _astropy_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with (
                _opened(path) as file,
                fits.open(file, memmap=False, do_not_scale_image_data=True) as hdus,
            ):
                yield hdus
        except (*DAMAGE, fits.VerifyError, CfitsioException) as error:
            raise DataError(f"{path.name}: damaged: {error}; re-copy the file") from error


def read_tiles(image: FitsImage, rows: slice | None) -> NDArray[Any]:
    """Stored numbers of a tile-compressed image, or of some of a cube's frames."""
    with _astropy(image.path) as hdus:
        part = hdus[image.hdu]
        data = np.asarray(part.data if rows is None else part.section[rows])
    expected = image.axes if rows is None else (rows.stop - rows.start, *image.axes[1:])
    if data.size != int(np.prod(expected)):
        raise DataError(f"{image.path.name}: damaged: {data.shape} pixels unpacked, {expected} expected")
    return data.reshape(expected)


def time_table(image: FitsImage, frames: int) -> Mapping[str, NDArray[Any]]:
    """Columns of the first table with one row per frame behind a plain cube; empty without one."""
    if image.size is not None and image.size <= image.offset + image.data_bytes + BLOCK:
        return {}
    with _astropy(image.path) as hdus:
        for part in hdus[image.hdu + 1 :]:
            columns = getattr(part, "columns", None)
            if columns is not None and part.header.get("NAXIS2") == frames:
                table = part.data
                return {name.upper(): np.array(table[name]) for name in columns.names}
    return {}
