"""Where the pixels of a FITS file lie and what its header says (FITS standard 4.0).

A lean reader of cards: a sequence has thousands of files, and of each header only some keywords matter. Every
number is checked here, before anything is allocated from it.
"""

import gzip
import math
import re
import zlib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np

from reduction.errors import DataError

MAGIC = b"SIMPLE  ="
BLOCK = 2880
CARD = 80
MAX_HEADER_BLOCKS = 400
MAX_SIDE = 65_536
MAX_AXES = 999
MAX_HDUS = 64
GZIP_RATIO = 1_100  # deflate cannot do better than 1032
TILE_RATIO = 20_000
RAW_TYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}

Access = Literal["plain", "gzip", "tiles"]
_STRING = re.compile(r"\s*'((?:[^']|'')*)'")
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[EDed][+-]?\d{1,3})?)\s*(?:/|$)")


class TruncatedError(DataError):
    """A file that is cut off; the last of a sequence may be, when a recording was stopped short."""


@dataclass(frozen=True, slots=True)
class FitsHeader:
    """Keywords of one file: those of the primary header, overruled by those of the image's own.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    cards : mapping of str to str
        Keyword to the rest of its card, unparsed.
    """

    name: str
    cards: Mapping[str, str]

    def text(self, key: str) -> str | None:
        """Value as text: a string without quotes, or all before the comment; None if absent or empty."""
        field = self.cards.get(key)
        if field is None:
            return None
        match = _STRING.match(field)
        value = match.group(1).replace("''", "'") if match else field.split("/", 1)[0]
        return value.strip() or None

    def number(self, key: str) -> float | None:
        """Value as a finite number, also where it is written as a string; None if it is none."""
        field = self.cards.get(key)
        if field is None:
            return None
        match = _NUMBER.match(field) or _NUMBER.match(self.text(key) or "")
        if match is None:
            return None
        value = float(match.group(1).translate(str.maketrans("Dd", "Ee")))
        return value if math.isfinite(value) else None

    def comment(self, key: str) -> str:
        """Comment of a card, lower case."""
        field = self.cards.get(key, "")
        match = _STRING.match(field)
        return (field[match.end() :] if match else field).partition("/")[2].strip().lower()

    def true(self, key: str) -> bool:
        """Whether a logical value is T."""
        return self.cards.get(key, "").strip().startswith("T")

    def count(self, key: str, default: int | None = None, low: int = 0, high: int = 2**40) -> int:
        """A structural integer within bounds.

        Raises
        ------
        DataError
            Missing without a default, not an integer, or out of bounds.
        """
        if key not in self.cards and default is not None:
            return default
        value = self.number(key)
        if value is None or value != int(value) or not low <= value <= high:
            seen = self.cards.get(key, "nothing").strip() or "nothing"
            raise DataError(f"{self.name}: FITS header says {key} = {seen[:30]}; the header is damaged")
        return int(value)


@dataclass(frozen=True, slots=True)
class Scaling:
    """From stored numbers to values: ``BZERO + BSCALE x stored``, `BLANK` (integers) is not a number."""

    raw: str
    scale: float
    zero: float
    blank: int | None

    @property
    def dtype(self) -> str:
        """Native type of the values: integers stay what they are; a real scaling, or BLANK, makes floats."""
        raw = np.dtype(self.raw)
        if raw.kind == "f":
            return raw.newbyteorder("=").name
        if self.blank is None and self.scale == 1:
            if self.zero == 0:
                return raw.newbyteorder("=").name
            if raw.itemsize > 1 and self.zero == 2.0 ** (8 * raw.itemsize - 1):
                return f"uint{8 * raw.itemsize}"
        return "float32" if raw.itemsize <= 2 else "float64"


@dataclass(frozen=True, slots=True)
class FitsImage:
    """Where one file keeps its pixels.

    Attributes
    ----------
    path : Path
        The file.
    access : Access
        Plain bytes, inside gzip, or tile-compressed.
    hdu : int
        Number of the header and data unit.
    offset : int
        First byte of the pixels (of the unpacked bytes for gzip; 0 for tiles).
    axes : tuple of int
        Slowest first: ``(y, x)``, ``(n, y, x)``, ``(t, c, y, x)``; outer axes of length one are left out.
    scaling : Scaling
        How numbers are stored.
    size : int or None
        Bytes of the file where that bounds the pixels (plain), else None.
    """

    path: Path
    access: Access
    hdu: int
    offset: int
    axes: tuple[int, ...]
    scaling: Scaling
    size: int | None

    @property
    def data_bytes(self) -> int:
        """Bytes of all pixels as stored, unpacked."""
        return math.prod(self.axes) * np.dtype(self.scaling.raw).itemsize

    @property
    def missing_bytes(self) -> int:
        """Bytes that a truncated plain file lacks."""
        return 0 if self.size is None else max(0, self.offset + self.data_bytes - self.size)


def read_image(path: Path, wanted: frozenset[str]) -> tuple[FitsImage, FitsHeader]:
    """Find the first image of a file.

    Parameters
    ----------
    path : Path
        Plain, gzipped or tile-compressed.
    wanted : frozenset of str
        Keywords to keep beside the structural ones.

    Raises
    ------
    TruncatedError
        The file ends before its header, or before its compressed tiles, do.
    DataError
        No FITS file, damaged, or without an image.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as raw:
            if raw.read(2) != b"\x1f\x8b":
                raw.seek(0)
                return _first_image(raw, path, size, False, wanted)
        with gzip.open(path, "rb") as unpacked:
            return _first_image(cast(BinaryIO, unpacked), path, size, True, wanted)
    except EOFError as error:
        raise TruncatedError(f"{path.name}: the gzip stream is cut off; re-copy the file") from error
    except zlib.error as error:
        raise DataError(f"{path.name}: the gzip stream is damaged ({error}); re-copy the file") from error
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror or error}") from error


def _first_image(
    file: BinaryIO, path: Path, size: int, packed: bool, wanted: frozenset[str]
) -> tuple[FitsImage, FitsHeader]:
    """Walk the header and data units up to one with pixels."""
    primary: dict[str, str] = {}
    offset = 0
    for hdu in range(MAX_HDUS):
        file.seek(offset)
        cards, length = read_cards(file, path.name, first=hdu == 0, wanted=wanted)
        if not length:
            break
        merged = FitsHeader(path.name, primary | cards)
        own = FitsHeader(path.name, cards)
        offset += length
        if own.true("ZIMAGE"):
            image = _image(own, path, "tiles", hdu, 0, None, "Z")
            _check_size(image, size, TILE_RATIO)
            end = offset + _unit_bytes(own, own.count("NAXIS", high=MAX_AXES))
            if not packed and end > size:
                raise TruncatedError(
                    f"{path.name}: truncated: {end - size} bytes are missing; re-copy the file"
                )
            return image, merged
        axes = own.count("NAXIS", high=MAX_AXES)
        if axes and not _is_table(own):
            image = _image(
                own, path, "gzip" if packed else "plain", hdu, offset, None if packed else size, ""
            )
            if packed:
                _check_size(image, size, GZIP_RATIO)
            return image, merged
        if hdu == 0:
            primary = cards
        offset += _padded(_unit_bytes(own, axes))
        if not packed and offset >= size:
            break
    raise DataError(f"{path.name}: a FITS file without an image")


def _is_table(header: FitsHeader) -> bool:
    return (header.text("XTENSION") or "IMAGE") != "IMAGE"


def _unit_bytes(header: FitsHeader, axes: int) -> int:
    """Bytes of a data unit (FITS standard 4.0, equation 2)."""
    if not axes:
        return 0
    bits = abs(header.count("BITPIX", low=-64, high=64))
    pixels = math.prod(header.count(f"NAXIS{i}") for i in range(1, axes + 1))
    groups = header.count("GCOUNT", 1)
    return bits // 8 * groups * (header.count("PCOUNT", 0) + pixels)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _image(
    header: FitsHeader, path: Path, access: Access, hdu: int, offset: int, size: int | None, prefix: str
) -> FitsImage:
    """Geometry and number type from the checked keywords; `prefix` is Z for a compressed image's own."""
    number = header.count(f"{prefix}NAXIS", low=1, high=MAX_AXES)
    lengths = [header.count(f"{prefix}NAXIS{i}", high=2**31) for i in range(1, number + 1)]
    if number < 2 or 0 in lengths:
        raise DataError(f"{path.name}: its FITS image has {' x '.join(map(str, lengths))} pixels: no picture")
    width, height = lengths[:2]
    if max(width, height) > MAX_SIDE:
        raise DataError(f"{path.name}: FITS header says {width} x {height} pixels; the header is damaged")
    outer = tuple(length for length in reversed(lengths[2:]) if length > 1)
    if len(outer) > 2 or math.prod(outer) > 2**31:
        raise DataError(
            f"{path.name}: a FITS image of {number} axes {lengths}; give frames or a cube of frames"
        )
    bits = header.count(f"{prefix}BITPIX", low=-64, high=64)
    if bits not in RAW_TYPES:
        raise DataError(f"{path.name}: FITS header says BITPIX = {bits}, which does not exist; it is damaged")
    return FitsImage(path, access, hdu, offset, (*outer, height, width), _scaling(header, bits), size)


def _scaling(header: FitsHeader, bits: int) -> Scaling:
    scale, zero = header.number("BSCALE"), header.number("BZERO")
    blank = header.number("BLANK") if "BLANK" in header.cards else header.number("ZBLANK")
    real = bits < 0 or blank is None or abs(blank) > 2**63 or blank != int(blank)
    return Scaling(
        raw=RAW_TYPES[bits],
        scale=1.0 if scale is None or scale == 0 else scale,
        zero=0.0 if zero is None else zero,
        blank=None if real or blank is None else int(blank),
    )


def _check_size(image: FitsImage, size: int, ratio: int) -> None:
    if image.data_bytes > size * ratio:
        raise DataError(
            f"{image.path.name}: FITS header says {' x '.join(map(str, image.axes))} pixels, more than "
            f"{size} packed bytes can hold; the header is damaged"
        )


_STRUCTURE = re.compile(r"Z?(?:BITPIX|NAXIS\d*)|ZIMAGE|ZBLANK|BLANK|BSCALE|BZERO|XTENSION|PCOUNT|GCOUNT")


def read_cards(
    file: BinaryIO, name: str, *, first: bool, wanted: Container[str]
) -> tuple[dict[str, str], int]:
    """Cards of the header at the file's place and its length in bytes; length 0 where no header follows."""
    cards: dict[str, str] = {}
    for number in range(MAX_HEADER_BLOCKS):
        block = file.read(BLOCK)
        if not number:
            if first and len(block) < len(MAGIC) and (MAGIC.startswith(block) or block == b"\x1f"):
                raise TruncatedError(f"{name}: holds {len(block)} bytes; it is truncated")
            if first and not block.startswith(MAGIC):
                raise DataError(f"{name}: not a FITS file: begins with {block[:16]!r}")
            if not first and not block.startswith(b"XTENSION"):
                return {}, 0
        text = block.decode("latin-1")
        for place in range(0, len(text) - CARD + 1, CARD):
            key = text[place : place + 8].rstrip()
            if key == "END":
                if len(block) < BLOCK and not first:
                    raise TruncatedError(f"{name}: the file ends inside a FITS header; it is truncated")
                return cards, (number + 1) * BLOCK
            if (key in wanted or _STRUCTURE.fullmatch(key)) and text[place + 8] == "=":
                cards.setdefault(key, text[place + 9 : place + CARD])
        if len(block) < BLOCK:
            raise TruncatedError(f"{name}: the file ends inside its FITS header; it is truncated")
    raise DataError(f"{name}: a FITS header without END in {MAX_HEADER_BLOCKS * BLOCK} bytes; it is damaged")
