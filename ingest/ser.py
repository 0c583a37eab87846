"""SER version 3 (H. Heidemann, S. Wesp, C. Garry: "SER format description", 2014), read in place.

What the format leaves open is settled by content and said: the byte order of 16-bit samples (writers and the
specification disagree), the number of frames after a crash, and whether a trailer of times is there. It does
not say which instant of an exposure a stamp names.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.block_memory import empty_block
from ingest.instants import DAY_NS, SECOND_NS
from ingest.rawfile import RawFile, check_span, frames_per_shard, read_blocks
from ingest.sample_order import ByteOrder, settle_order
from ingest.stamps import Stamps, solve
from ingest.timeoptions import TimeOptions, apply_times
from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.stack import Colour, FrameBlock, SourceInfo
from reduction.timing import UNKNOWN_NS, TimeSolution, utc_text

MAGIC = b"LUCAM-RECORDER"
HEADER = struct.Struct("<14s7i40s40s40s2q")
MAX_SIDE = 65_536
MAX_FRAMES = 20_000_000  # 55 hours at 100 frames a second; keeps a damaged header from claiming memory
COLOURS: dict[int, Colour] = {
    0: "mono",
    8: "rggb",
    9: "grbg",
    10: "gbrg",
    11: "bggr",
    16: "cyym",
    17: "ycmy",
    18: "ymcy",
    19: "myyc",
    100: "rgb",
    101: "rgb",
}
BGR = 101
TICK_NS = 100
TICKS_AT_UNIX_EPOCH = 621_355_968_000_000_000
KIND_MASK = 0x3FFF_FFFF_FFFF_FFFF  # .NET keeps the kind of a DateTime in the two highest bits
PLAUSIBLE_NS = (20 * 365 * DAY_NS, 140 * 365 * DAY_NS)  # 1990 to 2110
LONGEST_NS = 400 * DAY_NS
SAMPLE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class SerHeader:
    """The header's fields, checked; `frame_count` as written, whatever the file holds."""

    colour_id: int
    flag: int
    width: int
    height: int
    depth: int
    frame_count: int
    observer: str
    instrument: str
    telescope: str
    local_ticks: int
    utc_ticks: int

    @property
    def planes(self) -> int:
        """Interleaved samples per pixel."""
        return 3 if self.colour_id >= 100 else 1

    @property
    def sample_bytes(self) -> int:
        """Bytes per sample."""
        return 1 if self.depth <= 8 else 2

    @property
    def frame_bytes(self) -> int:
        """Bytes per frame in the file."""
        return self.width * self.height * self.planes * self.sample_bytes

    @property
    def nominal_order(self) -> ByteOrder:
        """What the flag means to the programs that write it: the reverse of the specification."""
        return "little" if self.flag == 0 else "big"


def parse_header(head: bytes, size: int, name: str) -> SerHeader:
    """Read and check a header before anything is allocated from it.

    Parameters
    ----------
    head : bytes
        First 178 bytes of the file.
    size : int
        Bytes of the file.
    name : str
        Of the file, for messages.

    Raises
    ------
    DataError
        Too short, impossible values, or not one whole frame in the file.
    """
    if len(head) < HEADER.size or not head.startswith(MAGIC):
        raise DataError(
            f"{name}: no SER header: {len(head)} bytes, {HEADER.size} are needed; re-copy the file"
        )
    _, _, colour, flag, width, height, depth, count, *texts, local, utc = HEADER.unpack(head[: HEADER.size])
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise DataError(f"{name}: SER header says frames of {width} x {height} pixels; the header is damaged")
    if not 1 <= depth <= 16:
        raise DataError(
            f"{name}: SER header says {depth} bits per sample, 1 to 16 exist; the header is damaged"
        )
    if colour not in COLOURS:
        raise DataError(f"{name}: SER header says colour {colour}, which the format does not know")
    observer, instrument, telescope = (_text(raw) for raw in texts)
    header = SerHeader(colour, flag, width, height, depth, count, observer, instrument, telescope, local, utc)
    held = size - HEADER.size
    if held // header.frame_bytes > MAX_FRAMES:
        raise DataError(
            f"{name}: SER header says frames of {width} x {height} pixels, so that {held} bytes hold "
            f"{held // header.frame_bytes} of them; the header is damaged"
        )
    if held < header.frame_bytes:
        raise DataError(
            f"{name}: no whole frame: one of {width} x {height} pixels takes {header.frame_bytes} bytes, the "
            f"file holds {held} after its header; it is truncated, or its header is wrong"
        )
    return header


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """How many frames there are, their stamps (ns, or None), and what was odd."""

    frames: int
    stamp_ns: NDArray[np.int64] | None
    notes: tuple[Note, ...] = ()


def _settle_layout(file: RawFile, header: SerHeader) -> _Layout:
    """Frames and trailer from the header's count where the file agrees, else from the file's size."""
    name, count = file.path.name, header.frame_count
    held = file.size - HEADER.size
    available = held // header.frame_bytes
    rest = held - count * header.frame_bytes
    if count > 0 and rest >= 0:
        stamps = _trailer(file, header, count)
        if stamps is not None or rest == 8 * count:
            return _Layout(count, stamps)
    whole, odd = divmod(held, header.frame_bytes + 8)
    if whole and not odd and (stamps := _trailer(file, header, whole)) is not None:
        text = f"{name}: the header says {count} frames; the file holds {whole}, each with its time"
        return _Layout(whole, stamps, (Note(Caveat.FRAME_COUNT_WRONG, text),))
    if count > available:
        text = f"{name}: the header says {count} frames; {available} whole frames are there and are used"
        return _Layout(available, None, (Note(Caveat.FILE_TRUNCATED, text),))
    if count > 0 and (rest < header.frame_bytes or _begins_trailer(file, header, count)):
        return _Layout(count, None, _incomplete_trailer(name, rest, count))
    text = f"{name}: the header says {count} frames; by its size the file holds {available}, which are used"
    return _Layout(available, None, (Note(Caveat.FRAME_COUNT_WRONG, text),))


def _incomplete_trailer(name: str, rest: int, count: int) -> tuple[Note, ...]:
    if rest == 0:
        return ()
    text = (
        f"{name}: {rest} bytes follow the last frame, a trailer with the times of {count} frames has "
        f"{8 * count}; no times are taken from it"
    )
    return (Note(Caveat.FILE_TRUNCATED, text),)


def _trailer(file: RawFile, header: SerHeader, frames: int) -> NDArray[np.int64] | None:
    """Stamps behind `frames` frames, nanoseconds; None if the trailer is not complete or not plausible."""
    offset = HEADER.size + frames * header.frame_bytes
    if offset + 8 * frames > file.size:
        return None
    ticks = np.empty(frames, "<i8")
    file.read_into(ticks, offset)
    return _plausible_stamps(ticks)


def _begins_trailer(file: RawFile, header: SerHeader, frames: int) -> bool:
    """Whether what follows `frames` frames begins as a trailer does, though it may be cut off."""
    offset = HEADER.size + frames * header.frame_bytes
    ticks = np.empty(min(frames, (file.size - offset) // 8), "<i8")
    file.read_into(ticks, offset)
    return ticks.size > 0 and _plausible_stamps(ticks) is not None


def _plausible_stamps(ticks: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Ticks as UTC nanoseconds; zero is unknown; None unless all others lie in one plausible span."""
    masked = ticks.astype(np.int64) & KIND_MASK
    given = masked != 0
    low, high = (TICKS_AT_UNIX_EPOCH + ns // TICK_NS for ns in PLAUSIBLE_NS)
    if not given.any() or masked[given].min() < low or masked[given].max() > high:
        return None
    if (masked[given].max() - masked[given].min()) * TICK_NS > LONGEST_NS:
        return None
    return np.where(given, (masked - TICKS_AT_UNIX_EPOCH) * TICK_NS, UNKNOWN_NS)


@dataclass(frozen=True, slots=True)
class _Order:
    """The byte order of the samples and what it rests on."""

    order: ByteOrder
    reason: str
    bit_depth: int
    notes: tuple[Note, ...] = ()


def _settle_order(file: RawFile, header: SerHeader, frames: int) -> _Order:
    """Byte order of two-byte samples from up to three frames of the recording."""
    if header.sample_bytes == 1:
        return _Order("little", "single bytes", 8)
    little = _sample(file, header, frames)
    settled = settle_order(little, header.depth, header.nominal_order, 3 if header.planes == 3 else 2)
    order, reason = settled.order, settled.reason
    notes = []
    if order != header.nominal_order:
        text = (
            f"{file.path.name}: the samples are {order}-endian ({reason}); the header's flag {header.flag} "
            f"usually means {header.nominal_order}-endian"
        )
        notes.append(Note(Caveat.BYTE_ORDER_SETTLED, text))
    return _Order(order, reason, header.depth if settled.fits else 16, tuple(notes))


def _sample(file: RawFile, header: SerHeader, frames: int) -> NDArray[np.uint16]:
    """Rows from the middle of the first, middle and last frame, as little-endian, (rows, samples per row)."""
    row_samples = header.width * header.planes
    rows = max(1, min(header.height, SAMPLE_BYTES // (2 * row_samples)))
    first_row = (header.height - rows) // 2
    parts = []
    for frame in sorted({0, frames // 2, frames - 1}):
        part = np.empty((rows, row_samples), "<u2")
        file.read_into(part, HEADER.size + frame * header.frame_bytes + first_row * row_samples * 2)
        parts.append(part.astype(np.uint16, copy=False))
    return np.concatenate(parts)


class SerStack:
    """A SER file, as a source and as a stack.

    Mono and Bayer frames are one plane ``(t, y, x)``, as recorded; colour frames are ``(t, c, y, x)`` in the
    order R, G, B. Samples keep the values as stored.

    Parameters
    ----------
    path : Path
        The file.
    times : TimeOptions
        What the person says about times.

    Raises
    ------
    DataError
        No SER file, a header that cannot be true, or no whole frame.
    RequestError
        The times options do not fit.
    """

    def __init__(self, path: Path, times: TimeOptions) -> None:
        self._file = RawFile(path)
        try:
            self._header = parse_header(self._file.read_bytes(HEADER.size, 0), self._file.size, path.name)
            layout = _settle_layout(self._file, self._header)
            order = _settle_order(self._file, self._header, layout.frames)
            self._swap = order.order == "big"
            self.info = _info(path.name, self._header, layout, order)
            self.times = apply_times(_native_times(layout, times), layout.frames, times)
        except BaseException:
            self._file.close()
            raise
        self.known_digests: NDArray[np.uint8] | None = None
        self.shard_size = frames_per_shard(self._header.frame_bytes)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames `start` to `stop` (excluded), ``(n, y, x)`` or ``(n, c, y, x)``; safe in several threads."""
        header = self._header
        check_span(self.info.name, start, stop, self.info.frames)
        shape = (stop - start, header.height, header.width, *((3,) if header.planes == 3 else ()))
        frames = empty_block(shape, np.uint8 if header.sample_bytes == 1 else "<u2")
        self._file.read_into(frames, HEADER.size + start * header.frame_bytes)
        if self._swap:
            stored, frames = frames.view(">u2"), empty_block(shape, "<u2")
            frames[...] = stored  # four times as quick as byteswap()
        if header.planes == 3:
            planes = np.moveaxis(frames, -1, 1)
            frames = np.ascontiguousarray(planes[:, ::-1] if header.colour_id == BGR else planes)
        return frames.astype(self.info.dtype, copy=False)

    def look(self, start: int, stop: int) -> NDArray[Any]:
        """As `read`, without a copy where the file lies on a built-in disk and holds what `read` returns."""
        header = self._header
        if self._swap or header.planes == 3:
            return self.read(start, stop)
        check_span(self.info.name, start, stop, self.info.frames)
        size = header.frame_bytes
        raw = self._file.mapped(HEADER.size + start * size, (stop - start) * size)
        if raw is None:
            return self.read(start, stop)
        return raw.view(self.info.dtype).reshape(stop - start, header.height, header.width)

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Blocks of `size` frames from frame `start`."""
        return read_blocks(self, size, start)

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def open_ser(paths: Sequence[Path], times: TimeOptions) -> SerStack:
    """Open the one SER file of `paths`; raises as `SerStack`."""
    (path,) = paths
    return SerStack(path, times)


def _info(name: str, header: SerHeader, layout: _Layout, order: _Order) -> SourceInfo:
    metadata = {
        "observer": header.observer,
        "instrument": header.instrument,
        "telescope": header.telescope,
        "ser_depth": str(header.depth),
        "ser_colour": str(header.colour_id),
        "ser_start_utc": _ticks_text(header.utc_ticks),
        "ser_start_local": _ticks_text(header.local_ticks).removesuffix("Z"),
    }
    if header.sample_bytes == 2:
        metadata["byte_order"] = f"{order.order}: {order.reason} (flag {header.flag})"
        if order.bit_depth != header.depth:
            metadata["scaling"] = (
                f"values exceed the {header.depth} bits of the header: kept as stored, 16 bits"
            )
    elif header.depth < 8:
        metadata["scaling"] = f"{header.depth} bits, aligned to the high end of the byte: kept as stored"
    planes = (3,) if header.planes == 3 else ()
    return SourceInfo(
        format="ser",
        name=name,
        shape=(layout.frames, *planes, header.height, header.width),
        dtype="uint8" if header.sample_bytes == 1 else "uint16",
        bit_depth=order.bit_depth,
        colour=COLOURS[header.colour_id],
        metadata={key: value for key, value in metadata.items() if value},
        notes=(*layout.notes, *order.notes),
    )


def _native_times(layout: _Layout, options: TimeOptions) -> TimeSolution:
    unknown = np.full(layout.frames, np.nan)
    stamps = layout.stamp_ns if layout.stamp_ns is not None else np.full(layout.frames, UNKNOWN_NS, np.int64)
    tick_s = TICK_NS / SECOND_NS
    return solve(
        Stamps(stamps, unknown, np.full(layout.frames, tick_s / 2), None, "SER trailer"), options.meaning
    )


def _ticks_text(ticks: int) -> str:
    stamps = _plausible_stamps(np.array([ticks], np.int64))
    return "" if stamps is None else utc_text(int(stamps[0]))


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "replace").strip()
