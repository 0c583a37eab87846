"""The file header of RAVF: typed metadata entries, checked before anything is allocated from them."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from reduction.errors import DataError
from reduction.stack import Colour

MAGIC = b"RAVF"
LEAD = struct.Struct("<4sHI")
VERSION = 1
MAX_ENTRIES = 4096
MAX_HEADER_BYTES = 8 << 20
MAX_SIDE = 65_536
NUMBERS = {
    0: struct.Struct("<b"),
    1: struct.Struct("<B"),
    2: struct.Struct("<h"),
    3: struct.Struct("<H"),
    4: struct.Struct("<i"),
    5: struct.Struct("<I"),
    6: struct.Struct("<q"),
    7: struct.Struct("<Q"),
    8: struct.Struct("<Q"),  # a time, nanoseconds since 2010
    9: struct.Struct("<f"),
    10: struct.Struct("<d"),
}
TEXT = 11
COLOURS: tuple[Colour, ...] = (
    "mono",
    "rggb",
    "grbg",
    "gbrg",
    "bggr",
    "cyym",
    "ycmy",
    "ymcy",
    "myyc",
    "rgb",
    "rgb",
)
BGR = 10


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How samples stand in a row: significant bits, and whether they are packed without gaps."""

    name: str
    bits: int
    packed: bool

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample that is not packed."""
        return 1 if self.bits == 8 else 2

    def row_bytes(self, samples: int) -> int:
        """Bytes that the samples of a row take; a last group that is not full ends with its last byte."""
        if not self.packed:
            return samples * self.sample_bytes
        if self.bits == 10:
            return -(-samples // 4) * 5  # the low bits of a group stand behind it
        return (3 * samples + 1) // 2


FORMATS = (
    PixelFormat("8 bit", 8, False),
    PixelFormat("16 bit", 16, False),
    PixelFormat("packed 10 bit", 10, True),
    PixelFormat("packed 12 bit", 12, True),
    PixelFormat("unpacked 10 bit", 10, False),
    PixelFormat("unpacked 12 bit", 12, False),
)

Value = int | float | str


@dataclass(frozen=True, slots=True)
class RavfHeader:
    """The header's fields, checked.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    entries : mapping of str to value
        All entries; of those written twice the first.
    end : int
        First byte behind the header.
    colour_id, width, height, row_stride : int
        Geometry; the stride is bytes from row to row.
    format : PixelFormat
        How samples stand in a row.
    """

    name: str
    entries: Mapping[str, Value]
    end: int
    colour_id: int
    width: int
    height: int
    row_stride: int
    format: PixelFormat

    @property
    def planes(self) -> int:
        """Interleaved samples per pixel."""
        return 3 if COLOURS[self.colour_id] == "rgb" else 1

    @property
    def row_samples(self) -> int:
        """Samples of a row."""
        return self.width * self.planes

    @property
    def row_bytes(self) -> int:
        """Bytes of a row that hold samples; the rest of the stride is padding."""
        return self.format.row_bytes(self.row_samples)

    @property
    def needed_bytes(self) -> int:
        """Bytes of a frame up to the last sample."""
        return self.row_stride * (self.height - 1) + self.row_bytes

    def whole(self, key: str, default: int = 0) -> int:
        """An entry that is a whole number; `default` where it is absent or something else."""
        value = self.entries.get(key)
        return value if isinstance(value, int) else default

    def text(self, key: str) -> str:
        """An entry that is a text, without blanks around it; empty where it is absent or something else."""
        value = self.entries.get(key)
        return value.strip() if isinstance(value, str) else ""


def parse_header(head: bytes, name: str) -> RavfHeader:
    """Read and check the header.

    Parameters
    ----------
    head : bytes
        The file's first `MAX_HEADER_BYTES`, or all of it.
    name : str
        Of the file, for messages.

    Raises
    ------
    DataError
        Cut off, of another version, damaged, or with values that cannot be true.
    """
    if len(head) < LEAD.size or not head.startswith(MAGIC):
        raise DataError(
            f"{name}: no RAVF header: {len(head)} bytes, begins with {head[:8]!r}; re-copy the file"
        )
    _, version, count = LEAD.unpack_from(head)
    if version != VERSION:
        raise DataError(f"{name}: RAVF version {version}; version {VERSION} is known")
    if count > MAX_ENTRIES:
        raise DataError(f"{name}: the RAVF header says {count} entries; it is damaged")
    entries: dict[str, Value] = {}
    at = LEAD.size
    for number in range(count):
        key, value, at = _entry(head, at, f"{name}: entry {number} of {count} in the RAVF header")
        entries.setdefault(key, value)
    return _checked(name, entries, at)


def _entry(head: bytes, at: int, where: str) -> tuple[str, Value, int]:
    """Name and value of the entry at a place, and the place behind it."""
    key, at = _text(head, at, where)
    kind = _slice(head, at, 1, where)[0]
    at += 1
    if kind == TEXT:
        text, at = _text(head, at, f"{where} ({key})")
        return key, text, at
    number = NUMBERS.get(kind)
    if number is None:
        raise DataError(f"{where} ({key!r}): type {kind}, 0 to {TEXT} exist; the header is damaged")
    (value,) = number.unpack(_slice(head, at, number.size, f"{where} ({key})"))
    return key, value, at + number.size


def _text(head: bytes, at: int, where: str) -> tuple[str, int]:
    size = int.from_bytes(_slice(head, at, 2, where), "little")
    return _slice(head, at + 2, size, where).decode("utf-8", "replace"), at + 2 + size


def _slice(head: bytes, at: int, size: int, where: str) -> bytes:
    if at + size > len(head):
        raise DataError(f"{where} is cut off at byte {len(head)}; re-copy the file")
    return head[at : at + size]


def _checked(name: str, entries: Mapping[str, Value], end: int) -> RavfHeader:
    def number(key: str, low: int, high: int) -> int:
        value = entries.get(key)
        if not isinstance(value, int) or not low <= value <= high:
            seen = "nothing" if value is None else repr(value)
            raise DataError(
                f"{name}: the RAVF header says {key} = {seen}, {low} to {high} exist; it is damaged"
            )
        return value

    header = RavfHeader(
        name=name,
        entries=entries,
        end=end,
        colour_id=number("COLOR-TYPE", 0, len(COLOURS) - 1),
        width=number("IMAGE-WIDTH", 1, MAX_SIDE),
        height=number("IMAGE-HEIGHT", 1, MAX_SIDE),
        row_stride=number("IMAGE-ROW-STRIDE", 1, 16 * MAX_SIDE),
        format=FORMATS[number("IMAGE-FORMAT", 0, len(FORMATS) - 1)],
    )
    if header.row_stride < header.row_bytes:
        raise DataError(
            f"{name}: the RAVF header says rows of {header.row_stride} bytes, {header.row_samples} samples "
            f"of {header.format.name} take {header.row_bytes}; it is damaged"
        )
    return header
