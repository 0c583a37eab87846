"""Rows around burnt-in digits, kept as frames come by: a video need not be decoded again to read them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.crop import normalised_rows
from ingest.ocr.read import Frames, Overlay, gray
from reduction.overlay import MOST_FRAMES, find_overlay
from reduction.stack import FrameBlock, SourceInfo
from reduction.timing import TimeSolution

MOST_BYTES = 256 << 20
"""Kept at most; of a longer recording nothing is."""


class KeptRows:
    """A recording of which only the rows are there that may hold its digits; the others are black.

    Parameters
    ----------
    info : SourceInfo
        Of the recording.
    times : TimeSolution
        Of its container.
    """

    def __init__(self, info: SourceInfo, times: TimeSolution) -> None:
        self.info, self.times = info, times
        self._rows: NDArray[np.intp] | None = None
        self._parts: list[Frames] = []

    def add(self, block: FrameBlock) -> None:
        """Keep the rows of the next frames; which ones is seen on the first of them."""
        frames = gray(block.frames)
        if self._rows is None:
            self._rows = _rows_of_digits(frames)
        kept = sum(part.nbytes for part in self._parts)
        part = frames[:, self._rows]
        if kept + part.nbytes > MOST_BYTES:
            self._rows, self._parts = np.empty(0, np.intp), []
            return
        self._parts.append(part)

    def hold(self, overlay: Overlay) -> bool:
        """Whether every frame is there, with all that is read of a line."""
        if self._rows is None or sum(map(len, self._parts)) != self.info.frames:
            return False
        fields = 2 if overlay.interlaced else 1
        first, last = normalised_rows(overlay.crop, self.info.height // fields)
        return bool(np.isin(np.arange(fields * first, fields * last), self._rows).all())

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Blocks of `size` gray frames from frame `start`."""
        rows = np.concatenate(self._parts)
        self._parts = [rows]
        for first in range(start, len(rows), size):
            part = rows[first : first + size]
            frames = np.zeros((len(part), self.info.height, self.info.width), rows.dtype)
            frames[:, self._rows] = part
            yield FrameBlock(first, frames)

    def close(self) -> None:
        """Let go of them."""
        self._parts = []


def _rows_of_digits(frames: Frames) -> NDArray[np.intp]:
    """Rows of lines of glyphs, and half their height above and below."""
    few = np.unique(np.linspace(0, len(frames) - 1, MOST_FRAMES).round().astype(np.intp))
    wanted = np.zeros(frames.shape[1], np.bool_)
    for line in find_overlay(list(frames[few])):
        around = -(-line.height // 2)
        wanted[max(0, line.top - around) : line.bottom + around] = True
    return np.flatnonzero(wanted)
