"""Samples of RAVF frames: rows of any stride, packed or not, in the order that the content shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.block_memory import empty_block
from ingest.packed_samples import CACHED_BYTES, PATTERNS, take_samples
from ingest.ravf.header import BGR, RavfHeader
from ingest.ravf.packing import settle_packing
from ingest.ravf.unpacking import PATTERNS as PACKED
from ingest.rawfile import RawFile, make_present
from ingest.sample_order import ByteOrder, settle_order
from reduction.caveats import Caveat, Note
from reduction.cores import cores, on_all_cores

PIECE_BYTES = 4 << 20  # a thread's at a time: enough to be worth it, and no core waits long for another
SAMPLE_BYTES = 2 << 20
TOGETHER_BYTES = 256 << 10  # rows read together, so that they are unpacked from the processor's own cache


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """How the bytes of rows make samples.

    Attributes
    ----------
    packing : int
        Which of `ingest.ravf.unpacking.PACKINGS`; 0 where samples are not packed.
    byte_order : ByteOrder
        Of two-byte samples.
    text : str
        What was chosen, and what it rests on.
    bits : int
        Significant bits: those of the format, or 16 where values exceed them.
    notes : tuple of Note
        Caveats where the content contradicts the header.
    """

    packing: int
    byte_order: ByteOrder
    text: str
    bits: int
    notes: tuple[Note, ...] = ()


def settle_samples(file: RawFile, header: RavfHeader, places: NDArray[np.int64]) -> SampleOrder:
    """Byte order, or order of the low bits, from rows of the first, middle and last frame.

    Parameters
    ----------
    file : RawFile
        The file.
    header : RavfHeader
        Its header.
    places : array, (t,), int64
        First byte of each frame's pixels.
    """
    bits = header.format.bits
    if bits == 8:
        return SampleOrder(0, "little", "", bits)
    rows = _sample(file, header, places)
    if header.format.packed:
        packing = settle_packing(rows, header.row_samples, bits, header.planes)
        text = f"{header.name}: the packed samples have their {packing.reason}"
        notes = (Note(Caveat.PACKING_SETTLED, text),) if packing.contradicts else ()
        return SampleOrder(packing.number, "little", packing.reason, bits, notes)
    nominal: ByteOrder = "big" if header.whole("IMAGE-ENDIANESS", 1) == 0 else "little"
    little = np.ascontiguousarray(rows[:, : header.row_bytes]).view("<u2").astype(np.uint16)
    settled = settle_order(little, bits, nominal, 2 if header.planes == 1 else 3)
    text = f"{settled.order}-endian: {settled.reason}"
    if settled.order == nominal:
        notes = ()
    else:
        contradiction = (
            f"{header.name}: the samples are {settled.order}-endian ({settled.reason}); "
            f"the header says {nominal}-endian"
        )
        notes = (Note(Caveat.BYTE_ORDER_SETTLED, contradiction),)
    if settled.fits:
        return SampleOrder(0, settled.order, text, bits, notes)
    text += f"; values exceed the {bits} bits of the header: kept as stored, 16 bits"
    return SampleOrder(0, settled.order, text, 16, notes)


def _sample(file: RawFile, header: RavfHeader, places: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Rows from the middle of three frames, (n, row stride)."""
    stride = header.row_stride
    count = max(1, min(header.height, SAMPLE_BYTES // stride) // 2 * 2)  # even: rows of a mosaic alternate
    first = (header.height - count) // 2
    frames = sorted({0, places.size // 2, places.size - 1})
    sample = np.zeros((len(frames), count, stride), np.uint8)
    size = min(count * stride, header.needed_bytes - first * stride)
    for part, frame in zip(sample, frames, strict=True):
        file.read_into(part.reshape(-1)[:size], int(places[frame]) + first * stride)
    return sample.reshape(-1, stride)


def read_samples(
    file: RawFile, header: RavfHeader, order: SampleOrder, places: NDArray[np.int64]
) -> NDArray[Any]:
    """Frames whose pixels begin at `places`, ``(n, y, x)`` or ``(n, c, y, x)``, by several threads."""
    kind = np.dtype(np.uint8 if header.format.bits == 8 else np.uint16)
    samples = empty_block((places.size, header.height, header.row_samples), kind)
    most = max(1, PIECE_BYTES // (header.height * header.row_samples * kind.itemsize))
    piece = max(1, min(most, -(-places.size // cores())))
    size, past = _frame_bytes(header, order), samples.nbytes >= CACHED_BYTES
    view, begins = (None, 0)
    if not _as_stored(header, order):
        view, begins = file.mapped_together(places.tolist(), size)

    def decode(first: int) -> None:
        part = slice(first, first + piece)
        for frame, place in zip(samples[part], places[part].tolist(), strict=True):
            data = None if view is None else view[place - begins : place - begins + size]
            if data is None or not make_present(data):
                _decode(file, header, order, place, frame, past)
            else:
                _take_rows(header, order, data, frame, past)

    on_all_cores(decode, range(0, places.size, piece))
    if header.planes == 1:
        return samples
    colours = np.moveaxis(samples.reshape(places.size, header.height, header.width, 3), -1, 1)
    return np.ascontiguousarray(colours[:, ::-1] if header.colour_id == BGR else colours)


def _decode(
    file: RawFile, header: RavfHeader, order: SampleOrder, place: int, frame: NDArray[Any], past: bool
) -> None:
    """A frame, read from the file in parts where it does not stand there as in memory."""
    if _as_stored(header, order):
        file.read_into(frame, place)
        return
    stride, size = header.row_stride, _frame_bytes(header, order)
    count = max(1, min(header.height, TOGETHER_BYTES // stride))
    buffer = np.zeros(count * stride, np.uint8)
    for row in range(0, header.height, count):
        goal, at = frame[row : row + count], row * stride
        part = buffer[: min(len(goal) * stride, size - at)]
        file.read_into(part[: file.size - place - at], place + at)
        _take_rows(header, order, part, goal, past)


def _as_stored(header: RavfHeader, order: SampleOrder) -> bool:
    """Whether frames stand in the file as in memory."""
    plain = not header.format.packed and (order.byte_order == "little" or header.format.bits == 8)
    return plain and header.row_stride == header.row_bytes


def _frame_bytes(header: RavfHeader, order: SampleOrder) -> int:
    """Bytes of a frame up to its last sample."""
    return header.row_stride * (header.height - 1) + _last_row(header, order)


def _last_row(header: RavfHeader, order: SampleOrder) -> int:
    """Bytes of a row up to its last sample."""
    if not header.format.packed:
        return header.row_bytes
    return PATTERNS[_pattern(header, order)].needed(header.row_samples)


def _pattern(header: RavfHeader, order: SampleOrder) -> str:
    """How 16-bit samples stand in a row."""
    if header.format.packed:
        return PACKED[header.format.bits][order.packing]
    return f"16 bit, {order.byte_order}-endian"


def _take_rows(
    header: RavfHeader, order: SampleOrder, data: NDArray[np.uint8], goal: NDArray[Any], past: bool
) -> None:
    """Rows of a frame out of its bytes; past the caches, if they are part of a block that is large."""
    stride = header.row_stride
    if header.format.bits > 8:
        take_samples(data, stride, goal, _pattern(header, order), past_caches=past)
    elif header.row_samples % 2 == 0:
        pairs = goal.view(np.uint16)
        take_samples(data, stride, pairs, "16 bit, little-endian", past_caches=past)
    else:
        shape = len(goal), header.row_samples
        goal[...] = np.lib.stride_tricks.as_strided(data, shape, (stride, 1), writeable=False)
