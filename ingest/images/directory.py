"""The directories of a TIFF file (TIFF 6.0, 1992; BigTIFF): tags and their values, bounded.

EXIF is laid out the same way.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from reduction.errors import DataError

MAX_TAGS = 2048
MAX_VALUES = 1 << 20
MAX_PAGES = 1_000_000
TYPES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 6: "b", 7: "s", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d",
         13: "I", 16: "Q", 17: "q", 18: "Q"}  # fmt: skip

Reader = Callable[[int, int], bytes]
"""``(size, offset) -> bytes``, fewer at the end of the file."""

Value = bytes | tuple[int | float, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte order, and the sizes that differ between TIFF and BigTIFF."""

    order: str
    big: bool
    first: int


@dataclass(frozen=True, slots=True)
class Directory:
    """Tags of one picture."""

    order: str
    tags: Mapping[int, Value]

    def number(self, tag: int, default: int = 0) -> int:
        """First value of a tag as a whole number."""
        value = self.tags.get(tag)
        return int(value[0]) if isinstance(value, tuple) and value and abs(value[0]) < 2**63 else default

    def numbers(self, tag: int) -> tuple[int, ...]:
        """All values of a tag; empty where it is absent or a text."""
        value = self.tags.get(tag)
        return tuple(int(v) for v in value if abs(v) < 2**63) if isinstance(value, tuple) else ()

    def text(self, tag: int) -> str:
        """A text, up to its end; empty where it is absent or a number."""
        value = self.tags.get(tag)
        return value.split(b"\0")[0].decode("latin-1").strip() if isinstance(value, bytes) else ""

    def ratio(self, tag: int) -> float | None:
        """A quotient of two numbers; None where it is absent or has no value."""
        value = self.tags.get(tag)
        if not isinstance(value, tuple) or len(value) < 2 or value[1] == 0:
            return None
        return value[0] / value[1]


def read_layout(head: bytes, name: str) -> Layout:
    """Layout by the first 16 bytes.

    Raises
    ------
    DataError
        They are not those of a TIFF file.
    """
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise DataError(f"{name}: not a TIFF file: {len(head)} bytes, begins with {head[:8]!r}")
    (version,) = struct.unpack(order + "H", head[2:4])
    if version == 42:
        return Layout(order, False, struct.unpack(order + "I", head[4:8])[0])
    if version == 43 and len(head) >= 16:
        return Layout(order, True, struct.unpack(order + "Q", head[8:16])[0])
    raise DataError(f"{name}: TIFF version {version}; 42 and 43 exist")


def read_directory(
    read: Reader, layout: Layout, at: int, wanted: frozenset[int]
) -> tuple[Directory, int] | None:
    """Tags of the directory at a place, and the place of the next (0: none); None where it is not whole."""
    entry = struct.Struct(layout.order + ("HHQ8s" if layout.big else "HHI4s"))
    lead = struct.Struct(layout.order + ("Q" if layout.big else "H"))
    link = struct.Struct(layout.order + ("Q" if layout.big else "I"))
    head = read(lead.size, at)
    if at < 8 or len(head) < lead.size:
        return None
    (count,) = lead.unpack(head)
    body = read(count * entry.size + link.size, at + lead.size) if count <= MAX_TAGS else b""
    if not count or len(body) < count * entry.size + link.size:
        return None
    tags: dict[int, Value] = {}
    for number in range(count):
        tag, kind, values, inline = entry.unpack_from(body, number * entry.size)
        if tag in wanted and tag not in tags and kind in TYPES and values <= MAX_VALUES:
            value = _value(read, layout, TYPES[kind], values, inline)
            if value is not None:
                tags[tag] = value
    return Directory(layout.order, tags), link.unpack_from(body, count * entry.size)[0]


def _value(read: Reader, layout: Layout, form: str, count: int, inline: bytes) -> Value | None:
    size = struct.calcsize("=" + form) * count
    if size > len(inline):
        (place,) = struct.unpack(layout.order + ("Q" if layout.big else "I"), inline)
        inline = read(size, place)
        if len(inline) < size:
            return None
    if form == "s":
        return inline[:size]
    return struct.unpack(f"{layout.order}{count * len(form)}{form[0]}", inline[:size])


def directories(read: Reader, layout: Layout, wanted: frozenset[int]) -> Iterator[Directory | None]:
    """Directories one after the other, ending with None where the chain breaks or turns back on itself."""
    at, seen = layout.first, set[int]()
    while at and len(seen) < MAX_PAGES:
        found = None if at in seen else read_directory(read, layout, at, wanted)
        seen.add(at)
        if found is None:
            yield None
            return
        directory, at = found
        yield directory
