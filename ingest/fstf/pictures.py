"""The pixels of an FSTF recording: frames decoded one by one, on all cores, wherever reading begins.

A frame whose bytes are damaged is zero everywhere, so that those before and after it keep their numbers and
times; what stands as differences to it is so, too. Which frames these are depends on the file alone.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.block_memory import empty_block
from ingest.fstf.chains import Chains
from ingest.fstf.container import Container
from ingest.fstf.description import scaling
from ingest.fstf.frames import DIFFERENCE
from ingest.fstf.layouts import Bytes, Checksum, DamagedFrameError, Decoder, Scaling
from ingest.packed_samples import CACHED_BYTES
from ingest.rawfile import RawFile, make_present
from reduction.caveats import Caveat, Note
from reduction.cores import on_all_cores
from reduction.errors import DataError

TOGETHER_BYTES = 8 << 20
"""Frames that are not compressed are read by a thread in parts of about this size."""

CHECKSUMS: tuple[Checksum, ...] = ("format", "zlib", "bytes")
SAMPLES = 1 << 20
MOST_TRIED = 32
"""Frames of which one must be sound."""

Kept = dict[int, NDArray[Any]]


class Pictures:
    """Decodes the frames of a recording.

    Parameters
    ----------
    file : RawFile
        Not closed here.
    container : Container
    chains : Chains

    Attributes
    ----------
    dtype : dtype
        Of the pixels: uint8 or uint16.
    frame_shape : tuple of int
        ``(y, x)`` or ``(c, y, x)``.
    notes : tuple of Note
        Caveats.

    Raises
    ------
    DataError
        A layout or a compression is not known, the frames differ in their number of planes, or none of those
        that were tried is sound.
    """

    def __init__(self, file: RawFile, container: Container, chains: Chains) -> None:
        self._file, self._chains = file, chains
        self._lock = threading.Lock()
        self._last: Kept = {}
        self._damaged: set[int] = set()
        self._checksum: Checksum | None = None
        image, name = container.image, file.path.name
        used = [image.layouts[number] for number in np.unique(chains.frames.layout).tolist()]
        self.dtype = np.dtype(np.uint8 if max(layout.bits for layout in used) <= 8 else np.uint16)

        def decoders(scale: Scaling) -> dict[int, Decoder]:
            return {one.number: Decoder(name, image, one, self.dtype, scale) for one in used}

        self._decoders = decoders(Scaling())
        colour = {decoder.colour for decoder in self._decoders.values()}
        if len(colour) > 1:
            raise DataError(f"{name}: some frames are in colour and some are not; split the recording first")
        self.frame_shape = (*((3,) if True in colour else ()), image.height, image.width)
        self._decoders = decoders(scaling(container, self._some_words))
        self._checksum, self.notes = self._settle_checksum()
        self._require_one()

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames `start` to `stop` (excluded) of the recording; safe in several threads.

        Raises
        ------
        DataError
            The file cannot be read.
        """
        rows = self._chains.shown[start:stop].tolist()
        out = empty_block((stop - start, *self.frame_shape), self.dtype)
        if all(self._direct(row) for row in rows):
            size = max(1, TOGETHER_BYTES // out[:1].nbytes) if rows else 1
            parts = [range(first, min(first + size, len(rows))) for first in range(0, len(rows), size)]
            on_all_cores(partial(self._copy, rows, out, self._packed(rows)), parts)
            return out
        with self._lock:
            before = dict(self._last)
        kept = on_all_cores(partial(self._decode_run, rows, out, before), self._runs(rows))
        with self._lock:
            self._last = kept[-1]
        return out

    def _believe(self, row: int) -> None:
        """Refuse a frame that cannot hold its pixels, before memory is taken for more than zeros."""
        frames = self._chains.frames
        size, least = int(frames.image_bytes[row]), self._decoders[int(frames.layout[row])].least_bytes
        if size < least:
            raise DamagedFrameError(
                f"{self._where(row)}: its {size} bytes cannot hold {self.frame_shape[-1]} x "
                f"{self.frame_shape[-2]} pixels, which take {least} at least; the file is damaged"
            )

    def _plain(self, row: int) -> bool:
        frames = self._chains.frames
        return self._decoders[int(frames.layout[row])].plain(int(frames.image_bytes[row]))

    def _direct(self, row: int) -> bool:
        """Whether a frame goes from the file to its place: as it stands, or out of packed bytes."""
        frames = self._chains.frames
        decoder, size = self._decoders[int(frames.layout[row])], int(frames.image_bytes[row])
        return decoder.plain(size) or decoder.packed(size)

    def _packed(self, rows: Sequence[int]) -> tuple[Bytes | None, int]:
        """The packed ones of some frames in one view of the file, and where it begins."""
        frames = self._chains.frames
        packed = [row for row in rows if not self._plain(row)]
        size = max((self._decoders[int(frames.layout[row])].sample_bytes(12) for row in packed), default=0)
        return self._file.mapped_together(frames.image[packed].tolist(), size)

    def _copy(
        self, rows: Sequence[int], out: NDArray[Any], view: tuple[Bytes | None, int], part: range
    ) -> None:
        """Frames that stand in the file as in memory, or packed."""
        frames, (mapped, begins) = self._chains.frames, view
        for k in part:
            place = int(frames.image[rows[k]])
            if self._plain(rows[k]):
                self._file.read_into(out[k], place)
                continue
            decoder = self._decoders[int(frames.layout[rows[k]])]
            size = decoder.sample_bytes(12)
            data = None if mapped is None else mapped[place - begins : place - begins + size]
            if data is None or not make_present(data):
                data = np.empty(size, np.uint8)
                self._file.read_into(data, place)
            decoder.take_packed(data, out[k].reshape(-1), out.nbytes >= CACHED_BYTES)

    def _runs(self, rows: Sequence[int]) -> list[range]:
        """Frames that are decoded one after the other, for each stands as differences to one before it."""
        alone = self._chains.base[np.array(rows, np.int64)] < 0
        starts = [0, *(np.flatnonzero(alone[1:]) + 1).tolist(), len(rows)]
        return [range(first, stop) for first, stop in pairwise(starts)]

    def _decode_run(self, rows: Sequence[int], out: NDArray[Any], before: Kept, run: range) -> Kept:
        """Decode a run into `out`; returns what a frame after it may stand as differences to."""
        kept = dict(before)
        for k in run:
            try:
                out[k] = self._decode(rows[k], kept)
            except DamagedFrameError:
                out[k] = 0
        return kept

    def _decode(self, row: int, kept: Kept) -> NDArray[Any]:
        """One frame, by way of those that it stands as differences to; `kept` has what the next may need."""
        base = self._chains.base
        chain = [row]
        while (at := int(base[chain[-1]])) >= 0 and at not in kept:
            if at in self._damaged:
                raise DamagedFrameError(f"{self._where(row)}: it stands as differences to a damaged frame")
            chain.append(at)
        for at in reversed(chain):
            try:
                kept[at] = self._frame(at, kept.get(int(base[at])))
            except DamagedFrameError:
                self._damaged.update(chain[: chain.index(at) + 1])
                raise
        for at in set(kept) - {row, int(base[row])}:
            del kept[at]
        if base[row] < 0 and not self._decoders[int(self._chains.frames.layout[row])].layout.differential:
            return kept.pop(row)
        return kept[row]

    def _frame(self, row: int, base: NDArray[Any] | None) -> NDArray[Any]:
        frames, where = self._chains.frames, self._where(row)
        decoder, mode = self._decoders[int(frames.layout[row])], int(frames.mode[row])
        raw = self._unpacked(decoder, row)
        pixels = decoder.pixels(raw, mode, base, where)
        if decoder.checked and self._checksum is not None:
            stored = decoder.stored_checksum(raw, mode, where)
            if stored is not None and decoder.checksum(self._checksum, stored[1], pixels) != stored[0]:
                raise DamagedFrameError(
                    f"{where}: its pixels do not match their checksum; copy the file again"
                )
        return pixels

    def _unpacked(self, decoder: Decoder, row: int) -> Bytes:
        self._believe(row)
        frames = self._chains.frames
        stored = np.empty(min(int(frames.image_bytes[row]), decoder.most_bytes), np.uint8)
        self._file.read_into(stored, int(frames.image[row]))
        return decoder.unpacked(stored, int(frames.mode[row]), self._where(row))

    def _where(self, row: int) -> str:
        number = int(np.searchsorted(self._chains.shown, row))
        return f"{self._file.path.name}: frame {number}"

    def _some_words(self) -> NDArray[Any]:
        """Samples of some frames of 16 bits, as they stand in the file."""
        words = [number for number, decoder in self._decoders.items() if decoder.layout.bits == 16]
        parts = [np.empty(0, np.uint16)]
        for row in self._some_rows(words):
            with suppress(DamagedFrameError):
                parts.append(self._frame(row, None).reshape(-1)[:SAMPLES])
        return np.concatenate(parts)

    def _some_rows(self, layouts: Sequence[int]) -> list[int]:
        """Rows of the first, middle and last frame that stands alone in one of some layouts."""
        frames = self._chains.frames
        rows = np.flatnonzero(np.isin(frames.layout, layouts) & (frames.mode != DIFFERENCE))
        return rows[np.unique([0, rows.size // 2, rows.size - 1])].tolist() if rows.size else []

    def _require_one(self) -> None:
        """Refuse a recording of which none of some evenly spread frames is sound.

        Raises
        ------
        DamagedFrameError
            What is wrong with the first.
        """
        shown = self._chains.shown
        first: DamagedFrameError | None = None
        for row in shown[np.unique(np.linspace(0, shown.size - 1, MOST_TRIED).astype(np.int64))].tolist():
            try:
                self._believe(row)
                if not self._direct(row):
                    self._decode(row, {})
            except DamagedFrameError as error:
                first = first or error
            else:
                return
        if first is not None:
            raise first

    def _settle_checksum(self) -> tuple[Checksum | None, tuple[Note, ...]]:
        """Which way of taking checksums the file's writer had, by some frames; None where it took none."""
        layouts = [number for number, decoder in self._decoders.items() if decoder.checked]
        matches = dict.fromkeys(CHECKSUMS, 0)
        seen = 0
        for row in self._some_rows(layouts):
            frames = self._chains.frames
            decoder, mode = self._decoders[int(frames.layout[row])], int(frames.mode[row])
            try:
                raw = self._unpacked(decoder, row)
                stored = decoder.stored_checksum(raw, mode, self._where(row))
                pixels = decoder.pixels(raw, mode, None, self._where(row))
            except DamagedFrameError:
                continue
            if stored is None:
                continue
            seen += 1
            for kind in CHECKSUMS:
                matches[kind] += decoder.checksum(kind, stored[1], pixels) == stored[0]
        best = max(matches, key=lambda kind: matches[kind])
        if matches[best]:
            return best, ()
        text = f"{self._file.path.name}: its checksums are of no known kind: pixels are not checked by them"
        return None, (Note(Caveat.CHECKSUM_UNCHECKED, text),) if seen else ()
