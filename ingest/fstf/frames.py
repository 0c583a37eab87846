"""Where the frames of an FSTF file stand: from its index, or where that fails from the frames themselves."""

import struct
from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.fstf.container import Container
from ingest.rawfile import RawFile
from reduction.caveats import Caveat, Note
from reduction.errors import DataError

MAGIC = b"\xff\x22\x01\xee"
HEADS = {1: struct.Struct("<4sqII"), 2: struct.Struct("<4sBqqI")}
"""Of a frame: magic, stamp and exposure, bytes of the image (1); magic, stream, ticks, bytes (2)."""

_PICTURE = [("bytes", "<u4"), ("layout", "u1"), ("mode", "u1")]
FIELDS = {
    1: np.dtype([("magic", "S4"), ("stamp", "<i8"), ("exposure", "<u4"), *_PICTURE]),
    2: np.dtype([("magic", "S4"), ("stream", "u1"), ("start", "<i8"), ("end", "<i8"), *_PICTURE]),
}
"""The same with the beginning of the image."""

ENTRIES = {
    1: np.dtype([("elapsed", "<u4"), ("offset", "<i8"), ("bytes", "<u4")]),
    2: np.dtype([("elapsed", "<i8"), ("offset", "<i8"), ("bytes", "<u4")]),
}
WHOLE, KEY, DIFFERENCE = MODES = 0, 1, 2
SEARCH_BYTES = 1 << 20
MOST_FALSE = 100_000
"""Magic numbers without a frame after which a file is searched no further."""

Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """Where the parts of each frame stand, bytes from the start of the file; arrays (t,), int64.

    Attributes
    ----------
    offset, end : array
    stream : array
        0 ``MAIN``, 1 ``CALIBRATION``.
    layout, mode : array
        Number of the layout; 0 whole, `KEY` or `DIFFERENCE`.
    image, image_bytes, status, status_bytes : array
    stamp_ms, exposure_tenths : array
        Version 1: milliseconds since 2010, and tenths of them; 0 in version 2.
    follows : array
        0 where something is lost before the frame, else 1.
    """

    offset: Column
    end: Column
    stream: Column
    layout: Column
    mode: Column
    image: Column
    image_bytes: Column
    status: Column
    status_bytes: Column
    stamp_ms: Column
    exposure_tenths: Column
    follows: Column

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.offset.size

    def only(self, wanted: NDArray[Any]) -> "FrameTable":
        """The rows that are wanted, by a mask or by their numbers."""
        return FrameTable(*(getattr(self, name)[wanted] for name in FrameTable.__slots__))


COLUMNS = len(FrameTable.__slots__)
END = 1


def find_frames(file: RawFile, container: Container) -> tuple[FrameTable, int, list[Note]]:
    """Frames of the main stream in recorded order, how many belong to other streams, and what was odd.

    Raises
    ------
    DataError
        No whole frame is there.
    """
    name = file.path.name
    stated = container.streams[0].frames
    indexed = _by_index(file, container)
    if indexed is not None:
        table, others = indexed
        notes = []
        if stated != table.frames:
            text = f"{name}: the header says {stated} frames, the index has {table.frames}, which are used"
            notes.append(Note(Caveat.FRAME_COUNT_WRONG, text))
        return table, others, notes
    found = _by_magic(file, container)
    table = found.only(found.stream == 0)
    if not table.frames:
        raise DataError(f"{name}: no whole frame is in the file; it is empty, cut off or damaged")
    return table, found.frames - table.frames, _rebuilt(file, container, found, table.frames)


def _rebuilt(file: RawFile, container: Container, found: FrameTable, count: int) -> list[Note]:
    """What to say of frames that were searched for."""
    name, stated = file.path.name, container.streams[0].frames
    says = f", the header says {stated}" if stated else ""
    notes = [
        Note(
            Caveat.INDEX_REBUILT,
            f"{name}: its index is missing or wrong (the recorder did not finish, or the file is cut off or "
            f"damaged); {count} whole frames were found by searching{says}",
        )
    ]
    lost = int((found.follows == 0).sum())
    if lost:
        text = (
            f"{name}: bytes that are no frame stand between frames at {lost} places: frames may be lost there"
        )
        notes.append(Note(Caveat.FILE_TRUNCATED, text))
    tail = file.size - int(found.end[-1])
    if tail > 0 and not container.first_frame <= container.index_offset < file.size:
        text = f"{name}: its last {tail} bytes are no whole frame and are left out"
        notes.append(Note(Caveat.FILE_TRUNCATED, text))
    return notes


def _by_index(file: RawFile, container: Container) -> tuple[FrameTable, int] | None:
    """Frames as the index has them; None unless each one stands where it says, behind the one before."""
    tables = _index(file, container)
    if not tables or not tables[0].size:
        return None
    offset = tables[0]["offset"].astype(np.int64)
    kind = FIELDS[container.version]
    last = file.size - kind.itemsize - 4
    if offset.min() < container.first_frame or offset.max() > last:
        return None
    head = file.gather(offset, kind.itemsize).reshape(-1).view(kind)
    status = offset + kind.itemsize - 2 + head["bytes"]
    if (head["magic"] != MAGIC).any() or (head["bytes"] < 2).any() or status.max() > file.size - 4:
        return None
    length = file.gather(status, 4).view("<u4").reshape(-1).astype(np.int64)
    end = status + 4 + length
    sound = (offset >= np.concatenate([offset[:1], end[:-1]])) & (end <= file.size)
    sound &= np.isin(head["layout"], list(container.image.layouts)) & np.isin(head["mode"], MODES)
    first = container.version == 1
    zeros = np.zeros(offset.size, np.int64)
    stream = zeros if first else head["stream"].astype(np.int64)
    if not sound.all() or stream.any():
        return None
    table = FrameTable(
        offset=offset,
        end=end,
        stream=stream,
        layout=head["layout"].astype(np.int64),
        mode=head["mode"].astype(np.int64),
        image=offset + kind.itemsize,
        image_bytes=head["bytes"].astype(np.int64) - 2,
        status=status + 4,
        status_bytes=length,
        stamp_ms=head["stamp"].astype(np.int64) if first else zeros,
        exposure_tenths=head["exposure"].astype(np.int64) if first else zeros,
        follows=zeros + 1,
    )
    return table, sum(table.size for table in tables[1:])


def _table(rows: "array[int]") -> FrameTable:
    columns = np.frombuffer(rows, np.int64).reshape(-1, COLUMNS) if rows else np.empty((0, COLUMNS), np.int64)
    return FrameTable(*(np.ascontiguousarray(column) for column in columns.T))


def _index(file: RawFile, container: Container) -> list[NDArray[np.void]]:
    """Entries per stream; none where the index is cut off or claims more than the file holds."""
    at, kind = container.index_offset, ENTRIES[container.version]
    if container.version == 2:
        at += 9  # version and places of the tables, which follow each other
    if not container.first_frame <= at < file.size:
        return []
    tables: list[NDArray[np.void]] = []
    for _ in container.streams:
        head = file.read_bytes(4, at)
        count = int.from_bytes(head, "little")
        if len(head) < 4 or at + 4 + count * kind.itemsize > file.size:
            break
        table = np.empty(count, kind)
        file.read_into(table, at + 4)
        tables.append(table)
        at += 4 + table.nbytes
    return tables


def _by_magic(file: RawFile, container: Container) -> FrameTable:
    """Whole frames from front to back; what lies between them is searched for the next one's beginning."""
    search = _Search(file)
    at: int | None = container.first_frame
    follows, false = True, 0
    rows = array("q")
    while at is not None and false <= MOST_FALSE:
        row = _frame_at(file, container, at)
        if row is None:
            at, follows, false = search.magic(at + 1), False, false + 1
            continue
        rows.extend(row if follows else (*row[:-1], 0))
        at, follows = row[END], True
    return _table(rows)


class _Search:
    """Magic numbers of a file, in parts that are read once."""

    def __init__(self, file: RawFile) -> None:
        self._file, self._part, self._start = file, b"", 0

    def magic(self, start: int) -> int | None:
        """Where the first magic number from a byte on stands, or None."""
        while start <= self._file.size - len(MAGIC):
            inside = start - self._start
            if not 0 <= inside <= len(self._part) - len(MAGIC):
                self._part, self._start, inside = self._file.read_bytes(SEARCH_BYTES, start), start, 0
            at = self._part.find(MAGIC, inside)
            if at >= 0:
                return self._start + at
            start = self._start + len(self._part) - len(MAGIC) + 1
        return None


def _frame_at(file: RawFile, container: Container, offset: int) -> tuple[int, ...] | None:
    """Row of the frame that begins at a byte; None where there is none, or not all of it."""
    head = HEADS[container.version]
    raw = file.read_bytes(head.size + 2, offset)
    if len(raw) < head.size + 2 or not raw.startswith(MAGIC):
        return None
    fields = head.unpack(raw[: head.size])
    image, size = offset + head.size, int(fields[-1])
    status = image + size
    if size < 2 or status + 4 > file.size:
        return None
    length = int.from_bytes(file.read_bytes(4, status), "little")
    end = status + 4 + length
    layout, mode = raw[-2:]
    if end > file.size or layout not in container.image.layouts or mode not in MODES:
        return None
    stream, *stamps = (0, *fields[1:3]) if container.version == 1 else (fields[1], 0, 0)
    return (offset, end, stream, layout, mode, image + 2, size - 2, status + 4, length, *stamps, 1)
