"""Header, sections and tables of an FSTF file, checked before anything is made of them."""

from dataclasses import dataclass, field
from typing import Literal

from ingest.fstf.cursor import Cursor
from ingest.rawfile import RawFile
from reduction.caveats import Caveat, Note
from reduction.errors import DataError

MAGIC = b"FSTF"
VERSIONS = (1, 2)
MAX_SIDE = 65_536
Compression = Literal["UNCOMPRESSED", "QUICKLZ", "LAGARITH16"]
COMPRESSIONS: dict[str, Compression] = {
    "UNCOMPRESSED": "UNCOMPRESSED",
    "": "UNCOMPRESSED",
    "QUICKLZ": "QUICKLZ",
    "LAGARITH16": "LAGARITH16",
}


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """How the pixels of a frame are laid down.

    Attributes
    ----------
    number : int
        As frames refer to it.
    bits : int
        Bits per pixel in this layout.
    tags : dict of str to str
        ``DATA-LAYOUT``, ``SECTION-DATA-COMPRESSION`` and others.
    """

    number: int
    bits: int
    tags: dict[str, str]

    @property
    def data(self) -> str:
        """Name of the layout of the data."""
        return self.tags.get("DATA-LAYOUT", "FULL-IMAGE-RAW")

    @property
    def pictureless(self) -> bool:
        """Frames have a status and no picture."""
        return self.data == "STATUS-CHANNEL-ONLY"

    @property
    def differential(self) -> bool:
        """Frames may stand as differences to others."""
        return self.data.startswith("FULL-IMAGE-DIFFERENTIAL-CODING")

    @property
    def from_key(self) -> bool:
        """Differences are to the last key frame, not to the frame before."""
        return self.tags.get("DIFFCODE-BASE-FRAME") == "KEY-FRAME"


@dataclass(frozen=True, slots=True)
class ImageSection:
    """Geometry of the frames and the layouts they may have."""

    width: int
    height: int
    bits: int
    layouts: dict[int, ImageLayout]
    tags: dict[str, str]

    @property
    def pixels(self) -> int:
        """Of a frame."""
        return self.width * self.height

    @property
    def big_endian(self) -> bool:
        """Byte order of 16-bit pixels."""
        return self.tags.get("IMAGE-BYTE-ORDER") == "BIG-ENDIAN"

    def checked(self, layout: ImageLayout) -> bool:
        """Whether a checksum follows the pixels of a layout."""
        name = "SECTION-DATA-REDUNDANCY-CHECK"
        return "CRC32" in {self.tags.get(name), layout.tags.get(name)}


@dataclass(frozen=True, slots=True)
class StatusSection:
    """Names and types of the values beside each frame.

    Attributes
    ----------
    tags : tuple of (str, int)
        Name and type code, by the number that frames refer to.
    accuracy_ns : int
        Of UTC stamps as the recorder states it, nanoseconds; 0 where it does not.
    """

    tags: tuple[tuple[str, int], ...] = ()
    accuracy_ns: int = 0


@dataclass(frozen=True, slots=True)
class Stream:
    """A series of frames: ``MAIN`` or ``CALIBRATION``."""

    name: str
    frames: int
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Container:
    """An FSTF file without its frames.

    Attributes
    ----------
    version : int
        1 or 2.
    streams : tuple of Stream
        ``MAIN`` first; version 1 has no other.
    image, status : ImageSection, StatusSection
    tags : dict of str to str
        System and user metadata; system metadata go before.
    index_offset : int
        Where the index should stand; 0 in a file that was not finished.
    first_frame : int
        From where on frames may stand.
    notes : tuple of Note
    """

    version: int
    streams: tuple[Stream, ...]
    image: ImageSection
    status: StatusSection
    tags: dict[str, str]
    index_offset: int
    first_frame: int
    notes: tuple[Note, ...] = ()

    @property
    def analogue(self) -> bool:
        """Astronomical analogue video: integrated frames of a video camera."""
        return self.tags.get("FSTF-TYPE") == "AAV" or "AAV-VERSION" in self.tags


def read_container(file: RawFile) -> Container:
    """Read everything but the frames.

    Raises
    ------
    DataError
        No FSTF file, of an unknown version, damaged, or cut off before its first frame.
    """
    name = file.path.name
    head = Cursor(file, 0, wide=True, what="header")
    magic, version = head.take(4), head.number("B")
    if magic != MAGIC:
        raise DataError(f"{name}: no FSTF file: begins with {magic!r}")
    if version not in VERSIONS:
        raise DataError(f"{name}: FSTF version {version}; versions 1 and 2 can be read")
    wide = version == 2
    head = Cursor(file, 5, wide, "header")
    frames = head.number("I")
    index, system, user = (head.number("q") for _ in range(3))
    streams = _streams(file, head) if wide else [Stream("MAIN", frames)]
    sections = {head.text(): head.number("q") for _ in range(head.number("B"))}
    if "IMAGE" not in sections:
        raise DataError(f"{name}: the header names no IMAGE section but {sorted(sections)}; it is damaged")
    ends = [head.offset]
    image = _image(file, Cursor(file, sections["IMAGE"], wide, "IMAGE section"), ends)
    status = StatusSection()
    if "STATUS" in sections:
        status = _status(Cursor(file, sections["STATUS"], wide, "STATUS section"), wide, ends)
    tags, notes = _metadata(file, system, user, wide, ends)
    return Container(version, tuple(streams), image, status, tags, index, max(ends), tuple(notes))


def _streams(file: RawFile, head: Cursor) -> list[Stream]:
    """Streams of version 2: name, frames, clock, and tags that stand elsewhere."""
    found = []
    for _ in range(head.number("B")):
        name, frames = head.text(), head.number("I")
        head.take(12)  # frequency and accuracy of the clock behind the ticks, which no time rests on
        found.append((name, frames, head.number("q")))
    if not found or found[0][0] != "MAIN":
        raise DataError(
            f"{file.path.name}: the first stream should be MAIN, found {[name for name, _, _ in found]}; "
            "the header is damaged"
        )
    streams = []
    for name, frames, offset in found:
        place = Cursor(file, offset, wide=True, what=f"tags of stream {name}")
        streams.append(Stream(name, frames, place.pairs(place.number("B"))))
    return streams


def _image(file: RawFile, place: Cursor, ends: list[int]) -> ImageSection:
    place.take(1)
    width, height, bits = place.number("I"), place.number("I"), place.number("B")
    layouts = {}
    for _ in range(place.number("B")):
        number, _, depth = place.number("B"), place.number("B"), place.number("B")
        layouts[number] = ImageLayout(number, depth, place.pairs(place.number("B")))
    section = ImageSection(width, height, bits, layouts, place.pairs(place.number("B")))
    ends.append(place.offset)
    name = file.path.name
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise DataError(f"{name}: the header says frames of {width} x {height} pixels; it is damaged")
    if not 1 <= bits <= 16:
        raise DataError(f"{name}: the header says {bits} bits per pixel, 1 to 16 can be read; it is damaged")
    if not layouts:
        raise DataError(f"{name}: the IMAGE section defines no layout of frames; it is damaged")
    return section


def _status(place: Cursor, wide: bool, ends: list[int]) -> StatusSection:
    place.take(1)
    accuracy = place.number("q") if wide else 0
    tags = tuple((place.text(), place.number("B")) for _ in range(place.number("B")))
    ends.append(place.offset)
    return StatusSection(tags, accuracy)


def _metadata(
    file: RawFile, system: int, user: int, wide: bool, ends: list[int]
) -> tuple[dict[str, str], list[Note]]:
    """System and user metadata; user metadata follow the frames and may be lost with a file's end."""
    tags: dict[str, str] = {}
    if system:
        place = Cursor(file, system, wide, "system metadata")
        tags = place.pairs(place.number("I"))
        ends.append(place.offset)
    if not user:
        return tags, []
    try:
        place = Cursor(file, user, wide, "user metadata")
        return place.pairs(place.number("I")) | tags, []
    except DataError as error:
        return tags, [Note(Caveat.FILE_TRUNCATED, f"{error}; the user's metadata are left out")]
