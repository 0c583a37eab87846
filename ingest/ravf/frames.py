"""Where the frames of a RAVF file lie: from its index, or, where that is missing, from header to header."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.ravf.header import RavfHeader
from ingest.rawfile import RawFile
from reduction.caveats import Caveat, Note
from reduction.errors import DataError

FRAME_MAGIC = 0xAF8A_BD3C_2A98_CA3F
FRAME = np.dtype(
    [
        ("magic", "<u8"),
        ("header_bytes", "<u4"),
        ("data_bytes", "<u4"),
        ("type", "u1"),
        ("start", "<u8"),
        ("exposure", "<u8"),
        ("satellites", "u1"),
        ("almanac", "u1"),
        ("offset", "i1"),
        ("fix", "u1"),
        ("sequence", "<u4"),
    ]
)
"""A frame's header as written, 41 bytes; padding follows up to `header_bytes`. Times: ns since 2010, UTC."""

MAX_FRAME_HEADER = 65_536
MAX_FRAMES = 20_000_000
SEARCHED_BYTES = 1 << 20
LOST_IN_A_ROW = 64


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """The frames in the order of the file.

    Attributes
    ----------
    pixels : array, (t,), int64
        First byte of each frame's pixels.
    rows : array, (t,), `FRAME`
        Headers; zero where damaged.
    sound : array, (t,), bool
        Whether the header is whole: where it is not, the frame has pixels but no time.
    indexed_start : array, (t,), uint64
        Times of the index, ns since 2010; 0 without one.
    notes : tuple of Note
        Caveats.
    """

    pixels: NDArray[np.int64]
    rows: NDArray[Any]
    sound: NDArray[np.bool_]
    indexed_start: NDArray[np.uint64]
    notes: tuple[Note, ...]


def locate_frames(file: RawFile, header: RavfHeader) -> FrameTable:
    """Find all whole frames.

    Raises
    ------
    DataError
        There is none, or the frames are smaller than the header says.
    """
    first = _first_frame(file, header)
    index, trouble = _index(file, header, first)
    if index is not None:
        offsets, starts = index
        rows = _rows(file, offsets)
        sound = _sound(rows, offsets, header, file.size)
        if sound.any() and _fit(offsets, _usual(rows[sound][0]), file.size):
            return _table(header, offsets, rows, sound, starts, _count_note(header, offsets.size))
        trouble = "its index points beside the frames"
    offsets = _walk(file, header, first)
    rows = _rows(file, offsets)
    sound = _sound(rows, offsets, header, file.size)
    text = (
        f"{header.name}: {trouble}: {offsets.size} whole frames were found one after the other and are used"
    )
    note = Note(Caveat.FILE_TRUNCATED, text)
    return _table(header, offsets, rows, sound, np.zeros(offsets.size, np.uint64), (note,))


def _first_frame(file: RawFile, header: RavfHeader) -> int:
    """Place of the first frame: as stated, behind the header, or the first one to be seen.

    Raises
    ------
    DataError
        None is there, or it is smaller than the header says.
    """
    magic = FRAME_MAGIC.to_bytes(8, "little")
    stated = header.whole("OFFSET-FRAMES")
    for place in (stated, header.end):
        if header.end <= place < file.size and file.read_bytes(8, place) == magic:
            break
    else:
        found = file.read_bytes(SEARCHED_BYTES, header.end).find(magic)
        if found < 0:
            raise DataError(
                f"{header.name}: no frame follows the RAVF header, which ends at byte {header.end} of "
                f"{file.size}; the recording is empty, or the file is truncated"
            )
        place = header.end + found
    offsets = np.array([place], np.int64)
    (row,) = _rows(file, offsets)
    if row["data_bytes"] < header.needed_bytes:
        raise DataError(
            f"{header.name}: frame 0 holds {row['data_bytes']} bytes, {header.height} rows of "
            f"{header.row_stride} bytes are {header.row_stride * header.height}; the header is damaged"
        )
    if place + int(row["header_bytes"]) + int(row["data_bytes"]) > file.size:
        raise DataError(
            f"{header.name}: no whole frame: the first one takes {row['data_bytes']} bytes from byte "
            f"{place + int(row['header_bytes'])}, the file has {file.size}; it is truncated"
        )
    if not _sound(rows := _rows(file, offsets), offsets, header, file.size)[0]:
        raise DataError(
            f"{header.name}: frame 0 has a header of {rows['header_bytes'][0]} bytes; it is damaged"
        )
    return place


def _rows(file: RawFile, offsets: NDArray[np.int64]) -> NDArray[Any]:
    return file.gather(offsets, FRAME.itemsize).view(FRAME).reshape(-1)


def _sound(
    rows: NDArray[Any], offsets: NDArray[np.int64], header: RavfHeader, size: int
) -> NDArray[np.bool_]:
    head, data = rows["header_bytes"].astype(np.int64), rows["data_bytes"].astype(np.int64)
    whole: NDArray[np.bool_] = (
        (rows["magic"] == FRAME_MAGIC)
        & (head >= FRAME.itemsize)
        & (head <= MAX_FRAME_HEADER)
        & (data >= header.needed_bytes)
        & (offsets + head + data <= size)
    )
    return whole


def _usual(row: Any) -> tuple[int, int]:
    """Bytes of a frame's header and data."""
    return int(row["header_bytes"]), int(row["data_bytes"])


def _index(
    file: RawFile, header: RavfHeader, first: int
) -> tuple[tuple[NDArray[np.int64], NDArray[np.uint64]] | None, str]:
    """Places and times of the index; None and the reason where there is none that can be true."""
    place = header.whole("OFFSET-INDEX")
    if place == 0:
        return None, "it has no index, the recording was not closed"
    if not header.end <= place <= file.size - 4:
        return None, f"it ends at byte {file.size}, before its index at byte {place}"
    count = int.from_bytes(file.read_bytes(4, place), "little")
    if not 0 < count <= MAX_FRAMES or place + 4 + 16 * count > file.size:
        return None, f"its index is cut off or damaged ({count} frames at byte {place} of {file.size})"
    entries = np.empty((count, 2), "<u8")
    file.read_into(entries, place + 4)
    offsets = entries[:, 0]
    apart = header.needed_bytes + FRAME.itemsize
    if offsets[0] != first or offsets.max() > file.size or np.any(np.diff(offsets.astype(np.int64)) < apart):
        return None, "its index is damaged"
    return (offsets.astype(np.int64), entries[:, 1].astype(np.uint64)), ""


def _fit(offsets: NDArray[np.int64], usual: tuple[int, int], size: int) -> bool:
    """Whether a frame of the usual size has room at the last place."""
    return int(offsets[-1]) + sum(usual) <= size


def _count_note(header: RavfHeader, found: int) -> tuple[Note, ...]:
    stated = header.whole("FRAMES-COUNT", found)
    if stated == found:
        return ()
    text = f"{header.name}: the header says {stated} frames; the index lists {found}, which are used"
    return (Note(Caveat.FRAME_COUNT_WRONG, text),)


def _walk(file: RawFile, header: RavfHeader, first: int) -> NDArray[np.int64]:
    """Places of frames one after the other; a header that is damaged is stepped over by the usual length."""
    found: list[int] = []
    place, pitch = first, 0
    while len(found) < MAX_FRAMES:
        row = _row(file, header, place)
        if row is not None:
            found.append(place)
            pitch = sum(_usual(row))
            place += pitch
            continue
        lost = next(
            (k for k in range(1, LOST_IN_A_ROW) if _row(file, header, place + k * pitch) is not None), None
        )
        if lost is None:
            break
        found += range(place, place + lost * pitch, pitch)
        place += lost * pitch
    return np.array(found, np.int64)


def _row(file: RawFile, header: RavfHeader, place: int) -> Any | None:
    """The frame's header at a place if it is sound and the frame whole."""
    if place + FRAME.itemsize > file.size:
        return None
    offsets = np.array([place], np.int64)
    rows = _rows(file, offsets)
    return rows[0] if _sound(rows, offsets, header, file.size)[0] else None


def _table(
    header: RavfHeader,
    offsets: NDArray[np.int64],
    rows: NDArray[Any],
    sound: NDArray[np.bool_],
    starts: NDArray[np.uint64],
    notes: tuple[Note, ...],
) -> FrameTable:
    usual, _ = _usual(rows[sound][0])
    if not sound.all():
        places = np.flatnonzero(~sound)
        text = (
            f"{header.name}: {places.size} of {offsets.size} frames have a damaged header, first frame "
            f"{places[0]}: their pixels are taken from where they must be, their exposures are unknown"
        )
        notes = (*notes, Note(Caveat.FRAME_HEADERS_DAMAGED, text))
    heads = np.where(sound, rows["header_bytes"].astype(np.int64), usual)
    rows = rows.copy()
    rows[~sound] = np.zeros((), FRAME)
    return FrameTable(offsets + heads, rows, sound, starts, notes)
