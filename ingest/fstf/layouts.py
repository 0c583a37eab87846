"""From the bytes of a frame to its pixels, for every layout and compression.

What a layout is called says less than its size: a raw layout of 12 bits may be packed or not, and
differences may have a flag, signs, a checksum and a copy of the frame beside them. The size of what is
decompressed settles it. Lagarith16 does not say how much it holds: the usual form is then taken.
"""

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ingest.fstf import lagarith, quicklz
from ingest.fstf.checksum import crc32_plain, crc32_table
from ingest.fstf.container import COMPRESSIONS, ImageLayout, ImageSection
from ingest.fstf.frames import DIFFERENCE
from ingest.packed_samples import take_samples
from reduction.errors import DataError

Bytes = NDArray[np.uint8]
Checksum = Literal["format", "zlib", "bytes"]

CRC_BYTES = 4
TABLE_BYTES = 1 << 19
"""A table of all 65,536 symbols with their probabilities, and some more."""

FREE_BYTES = 64 << 20
GREATEST_RATIO = 1000
"""A frame of more than `FREE_BYTES` is not believed to come out of a thousandth of them."""

COLOUR = "8BIT-COLOR-IMAGE"
PACKED = "12BIT-IMAGE-PACKED"
TWELVE = "12 bit, one after the other"
RAW = "FULL-IMAGE-RAW"
SIGNED = "FULL-IMAGE-DIFFERENTIAL-CODING"
UNSIGNED = "FULL-IMAGE-DIFFERENTIAL-CODING-NOSIGNS"
READABLE = {COLOUR, PACKED, RAW, SIGNED, UNSIGNED}


class DamagedFrameError(DataError):
    """The bytes of a frame are there, but they are not those of a picture."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Bits by which samples are moved so that all layouts of a file have one scale.

    Attributes
    ----------
    words : int
        16-bit samples, to the right (version 1: ``IMAGE-DYNABITS`` 16 of a sensor of 12 or 14 bits).
    packed : int
        12-bit samples, to the left (version 1: packed from a sensor of 16 bits).
    """

    words: int = 0
    packed: int = 0


@dataclass(frozen=True, slots=True)
class _Parts:
    """A decompressed frame: depth of its samples, bytes of a flag and of signs before them, their end."""

    bits: int
    flag: int
    signs: int
    end: int

    @property
    def start(self) -> int:
        """Where the samples begin."""
        return self.flag + self.signs


class Decoder:
    """Decodes the frames of one layout.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    section : ImageSection
        Geometry.
    layout : ImageLayout
    dtype : dtype
        Of the pixels: uint8 or uint16.
    scaling : Scaling

    Raises
    ------
    DataError
        The layout, its depth or its compression is not known.
    """

    def __init__(
        self, name: str, section: ImageSection, layout: ImageLayout, dtype: np.dtype[Any], scaling: Scaling
    ) -> None:
        self.layout, self.section = layout, section
        self.dtype, self._scaling = dtype, scaling
        if layout.data not in READABLE:
            raise DataError(f"{name}: layout {layout.number} is {layout.data}, which is not known")
        said = layout.tags.get("SECTION-DATA-COMPRESSION", "")
        if said not in COMPRESSIONS:
            raise DataError(f"{name}: layout {layout.number} is compressed by {said}, which is not known")
        self.compression = COMPRESSIONS[said]
        if layout.bits not in {8, 12, 16}:
            raise DataError(
                f"{name}: layout {layout.number} has {layout.bits} bits; 8, 12 and 16 can be read"
            )
        self.colour = layout.data == COLOUR
        self.checked = section.checked(layout)
        self.bgr = section.tags.get("IMAGE-BAYER-PATTERN", "").upper() == "BGR"

    @cached_property
    def _table(self) -> NDArray[np.int64]:
        return crc32_table()

    @property
    def samples(self) -> int:
        """Samples of a frame."""
        return self.section.pixels * (3 if self.colour else 1)

    @property
    def least_bytes(self) -> int:
        """Bytes below which a stored frame cannot hold its pixels."""
        bytes_only = self.layout.bits == 16 and self.section.bits <= 8
        need = self.sample_bytes(8 if bytes_only else self.layout.bits)
        if self.compression == "UNCOMPRESSED":
            return need
        ratio = GREATEST_RATIO if self.compression == "LAGARITH16" else quicklz.GREATEST_RATIO
        return 0 if need <= FREE_BYTES else need // ratio

    @property
    def most_bytes(self) -> int:
        """Bytes of a stored frame of which more are not read: samples, signs, a copy of them, tables."""
        return 8 * self.samples + TABLE_BYTES

    def sample_bytes(self, bits: int) -> int:
        """Bytes of the samples of a frame at a depth."""
        return (self.samples * bits + 7) // 8

    def plain(self, size: int) -> bool:
        """Whether the bytes of a frame of `size` bytes are its pixels, just as they stand in memory."""
        return (
            self.compression == "UNCOMPRESSED"
            and self.layout.data == RAW
            and not self.checked
            and not self._scaling.words
            and 8 * self.dtype.itemsize == self.layout.bits
            and not (self.layout.bits == 16 and self.section.big_endian)
            and size >= self.sample_bytes(self.layout.bits)
        )

    def packed(self, size: int) -> bool:
        """Whether the bytes of a frame of `size` bytes are its samples, two in three bytes, and no more."""
        return (
            self.compression == "UNCOMPRESSED"
            and self.layout.bits == 12
            and not self.colour
            and not self.layout.differential
            and not self.checked
            and self.dtype == np.uint16
            and self.sample_bytes(12) <= size
            and (self.layout.data == PACKED or size < self.sample_bytes(16))
        )

    def take_packed(self, part: Bytes, values: NDArray[np.uint16], past_caches: bool = False) -> None:
        """Samples of 12 bits, scaled as the file's others are; `values` is ``(n,)``; see `take_samples`."""
        scale = self._scaling.packed
        take_samples(part, part.size, values.reshape(1, -1), TWELVE, scale, past_caches=past_caches)

    def unpacked(self, stored: Bytes, mode: int, where: str) -> Bytes:
        """Bytes of a frame, decompressed: as many as it holds, or as many as its pixels can need.

        Raises
        ------
        DamagedFrameError
            Damaged, or too few for the frame.
        """
        if self.compression == "UNCOMPRESSED":
            return stored
        if self.compression == "LAGARITH16":
            need = self.sample_bytes(self.layout.bits)
            if self.layout.differential:
                signed = mode == DIFFERENCE and self.layout.data == SIGNED and self.layout.bits == 8
                need += 1 + (self._sign_bytes if signed else 0)
            symbols = np.empty((need + 1) // 2, np.uint16)
            if not lagarith.decompress(stored, symbols):
                raise self._damaged(where, "the Lagarith16 data are damaged, or hold fewer pixels")
            return symbols.view(np.uint8)
        size = quicklz.declared_size(stored)
        if size is None:
            raise self._damaged(where, f"{stored.size} bytes are no whole QuickLZ block")
        if size > 4 * self.samples + self._sign_bytes + 64:
            raise self._damaged(where, f"QuickLZ says {size} bytes for {self.samples} pixels")
        out = np.empty(size, np.uint8)
        if not quicklz.decompress(stored, out):
            raise self._damaged(where, "the QuickLZ data are damaged")
        return out

    @property
    def _sign_bytes(self) -> int:
        return (self.samples + 7) // 8

    def pixels(self, raw: Bytes, mode: int, base: NDArray[Any] | None, where: str) -> NDArray[Any]:
        """Pixels of a frame, ``(y, x)``, or ``(c, y, x)`` in the order R, G, B.

        Parameters
        ----------
        raw : array, uint8
            As `unpacked` gives them.
        mode : int
            Whole, key frame or differences.
        base : array or None
            The frame that differences are to.
        where : str
            Name of file and frame, for messages.

        Raises
        ------
        DamagedFrameError
            Too few bytes, or differences without a base.
        """
        parts = self._parts(raw, mode, where)
        values = self._samples(raw, parts)
        if self.layout.differential and mode == DIFFERENCE:
            if base is None:
                raise self._damaged(where, "it stands as differences to a frame that is not there")
            if parts.signs:
                minus = np.unpackbits(raw[parts.flag : parts.start], count=self.samples, bitorder="little")
                values = np.where(minus, -values, values).astype(self.dtype)
            values = values + base.reshape(-1)
            if parts.bits < 16 and not self._scaling.packed:
                values &= self.dtype.type((1 << parts.bits) - 1)
        height, width = self.section.height, self.section.width
        if not self.colour:
            return values.reshape(height, width)
        planes = np.moveaxis(values.reshape(height, width, 3), -1, 0)
        return np.ascontiguousarray(planes[::-1] if self.bgr else planes)

    def _parts(self, raw: Bytes, mode: int, where: str) -> _Parts:
        """Where the samples stand and what stands before them, by what the size of the frame leaves."""
        bits = self.layout.bits
        if self.layout.data == RAW and bits == 12 and raw.size >= self.sample_bytes(16):
            bits = 16  # two bytes each, whatever the depth of the layout
        elif (
            self.layout.data == RAW and bits == 16 and self.section.bits <= 8 and raw.size < 2 * self.samples
        ):
            bits = 8
        need = self.sample_bytes(bits)
        if raw.size < need:
            raise self._damaged(where, f"{raw.size} bytes, its pixels take {need}")
        if not self.layout.differential:
            return _Parts(bits, 0, 0, need)
        signed = mode == DIFFERENCE and self.layout.data == SIGNED
        signs = self._sign_bytes if signed and raw.size >= need + self._sign_bytes else 0
        rest = raw.size - need - signs
        said = rest > 0 and int(raw[0]) == mode
        flag = int(said and (rest != CRC_BYTES or self.compression == "LAGARITH16"))
        if rest < flag:
            raise self._damaged(where, f"{raw.size} bytes, its pixels take {need + signs + flag}")
        return _Parts(bits, flag, signs, flag + signs + need)

    def _samples(self, raw: Bytes, parts: _Parts) -> NDArray[Any]:
        part = raw[parts.start : parts.end]
        if parts.bits == 12:
            values = np.empty(self.samples, np.uint16)
            self.take_packed(part, values)
            return values.astype(self.dtype, copy=False)
        if parts.bits == 8:
            return part.astype(self.dtype, copy=False)
        words = part.view(">u2" if self.section.big_endian else "<u2")
        shifted = words >> self._scaling.words if self._scaling.words else words
        return shifted.astype(self.dtype, copy=False)

    def stored_checksum(self, raw: Bytes, mode: int, where: str) -> tuple[int, Bytes] | None:
        """The checksum behind the samples, and what stands before it; None where there is none, or zero."""
        end = self._parts(raw, mode, where).end
        if raw.size < end + CRC_BYTES:
            return None
        value = int.from_bytes(raw[end : end + CRC_BYTES].tobytes(), "little")
        return (value, raw[:end]) if value else None

    def checksum(self, kind: Checksum, data: Bytes, pixels: NDArray[Any]) -> int:
        """Checksum of a frame by one of the ways that are in use.

        Parameters
        ----------
        kind : str
            ``format``: of the pixels as 16-bit words, by the format's own remainder; ``zlib``: of the pixels
            as recorded, as zip and PNG have it; ``bytes``: likewise of the bytes before the checksum.
        data : array, uint8
            The bytes before it.
        pixels : array
        """
        if kind == "bytes":
            return zlib.crc32(data.tobytes())
        if kind == "zlib":
            return zlib.crc32(np.ascontiguousarray(pixels).tobytes())
        words = np.ascontiguousarray(pixels).astype("<u2").reshape(-1).view(np.uint8)
        return int(crc32_plain(words, self._table)) if words.size >= CRC_BYTES else 0

    def _damaged(self, where: str, what: str) -> DamagedFrameError:
        return DamagedFrameError(f"{where}: {what}; copy the file again")
