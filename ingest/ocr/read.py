"""Reading the burnt-in time of a whole recording: the line is found on a sample, then read in every frame.

Video has two fields in a frame, each with its own time; a recording whose fields show the same time is
read in whole frames.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.cells import Cells, find_cells, read_cells
from ingest.ocr.crop import PITCH, Crop, normalise
from ingest.ocr.find import Line, find_lines, spikes
from ingest.ocr.layouts import Layout, Model, find_layout
from ingest.ocr.network import STRIDE
from ingest.ocr.parse import Readings, joined, parse
from ingest.ocr.shifts import line_shifts
from ingest.ocr.solve import field_order
from reduction.cores import on_all_cores
from reduction.stack import Stack

SAMPLE_FRAMES = 24
BLOCK_BYTES = 16 << 20
MARGIN = 1.6
"""Cells left and right of the outermost that are read."""

Frames = NDArray[Any]
Progress = Callable[[int, int], None]


class Recogniser(Protocol):
    """What reads pictures: `ingest.ocr.network.Network`, or EasyOCR with the same network."""

    def columns(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Log-probability of each class at each column, ``(n, width // 2, 14)``."""
        ...


@dataclass(frozen=True, slots=True)
class Overlay:
    """Where a recording's time stands and what its cells mean.

    Attributes
    ----------
    crop : Crop
        Rows and columns, of a field where `interlaced`, else of a frame.
    cells : Cells
        Of the line.
    layout : Layout
        What the cells hold.
    interlaced : bool
        The fields of a frame show times of their own.
    """

    crop: Crop
    cells: Cells
    layout: Layout
    interlaced: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What every frame shows: `even` of its even rows (or of the whole frame), `odd` of its odd rows."""

    overlay: Overlay
    even: Readings
    odd: Readings | None


def find_overlay_time(stack: Stack, recogniser: Recogniser, model: Model | None = None) -> Overlay | None:
    """Find a burnt-in time by a sample of frames; None where there is none.

    Parameters
    ----------
    stack : Stack
        The recording.
    recogniser : Recogniser
        Reads pictures.
    model : Model, optional
        What a person says the inserter is.

    Raises
    ------
    DataError
        There is a time, but not in the layout of `model`.
    """
    count = stack.info.frames
    numbers = np.unique(np.linspace(0, count - 1, SAMPLE_FRAMES).round().astype(int))
    frames = np.concatenate([gray(stack.read(int(k), int(k) + 1)) for k in numbers])
    fields = np.concatenate([frames[:, 0::2][:, : frames.shape[1] // 2], frames[:, 1::2]])
    found = _of_fields(fields, recogniser, model, interlaced=True)
    if found is not None:
        even, odd = _both_fields(frames, found, recogniser)
        if field_order(even, odd).first is not None:
            return found
    whole = _of_fields(frames, recogniser, model, interlaced=False)
    if whole is None or found is not None:
        return whole or found
    halved = replace(whole.crop, top=whole.crop.top / 2.0, bottom=whole.crop.bottom / 2.0)
    fielded = replace(whole, crop=halved, interlaced=True)
    order = field_order(*_both_fields(frames, fielded, recogniser))
    combed = order.first is not None and 2 * order.votes > order.frames > 0
    return fielded if combed else whole


def _of_fields(fields: Frames, recogniser: Recogniser, model: Model | None, interlaced: bool) -> Overlay | None:
    """The best line that holds a time; all fields are looked at, then parts, for a line may move."""
    lines = find_lines(fields, recogniser)
    thirds = np.array_split(np.arange(len(fields)), 3)
    for part in (np.arange(len(fields)), *thirds):
        for line in lines:
            found = _at(fields[part], line, recogniser, model, interlaced)
            if found is not None:
                return found
    return None


def _at(
    fields: Frames, line: Line, recogniser: Recogniser, model: Model | None, interlaced: bool
) -> Overlay | None:
    """The cells of a line, and the crop drawn in to them."""
    found, layout = _cells(fields, line.crop, recogniser, model)
    if layout is None:
        return None
    crop = line.crop
    ends = crop.left + (found.column[[0, -1]] + np.array([-MARGIN, MARGIN]) * PITCH) / crop.scale
    tight = replace(crop, left=float(max(crop.left, ends[0])), right=float(min(crop.right, ends[1])))
    cells, again = _cells(fields, tight, recogniser, model)
    if again is None or again.decimals != layout.decimals:
        return Overlay(crop, found, layout, interlaced)
    return Overlay(tight, cells, again, interlaced)


def _cells(
    fields: Frames, crop: Crop, recogniser: Recogniser, model: Model | None
) -> tuple[Cells, Layout | None]:
    columns = recogniser.columns(normalise(fields, crop))
    cells = find_cells(spikes(columns), len(fields), STRIDE * columns.shape[1])
    return cells, find_layout(cells, model)


def read_overlay(
    stack: Stack, overlay: Overlay, recogniser: Recogniser, progress: Progress | None = None
) -> Reading:
    """Read the time in every frame.

    Parameters
    ----------
    stack : Stack
        The recording.
    overlay : Overlay
        From `find_overlay_time`.
    recogniser : Recogniser
        Reads pictures.
    progress : callable, optional
        Called with frames done and frames in all.
    """
    size = max(1, BLOCK_BYTES // max(1, stack.info.frame_bytes))
    starts = list(range(0, stack.info.frames, size))

    def block(start: int) -> tuple[Readings, Readings | None]:
        frames = gray(stack.read(start, min(start + size, stack.info.frames)))
        if overlay.interlaced:
            return _both_fields(frames, overlay, recogniser)
        return _parsed(frames, overlay, recogniser), None

    even: list[Readings] = []
    odd: list[Readings] = []
    for group in _grouped(starts):
        for one, two in on_all_cores(block, group):
            even.append(one)
            if two is not None:
                odd.append(two)
        if progress is not None:
            progress(min(group[-1] + size, stack.info.frames), stack.info.frames)
    return Reading(overlay, joined(even), joined(odd) if odd else None)


def _grouped(starts: list[int], together: int = 32) -> Iterator[list[int]]:
    for k in range(0, len(starts), together):
        yield starts[k : k + together]


def _both_fields(frames: Frames, overlay: Overlay, recogniser: Recogniser) -> tuple[Readings, Readings]:
    """Readings of the even and the odd rows."""
    rows = frames.shape[1] // 2
    even, odd = frames[:, 0 : 2 * rows : 2], frames[:, 1 : 2 * rows : 2]
    return _parsed(even, overlay, recogniser), _parsed(odd, overlay, recogniser)


def _parsed(fields: Frames, overlay: Overlay, recogniser: Recogniser) -> Readings:
    columns = recogniser.columns(normalise(fields, overlay.crop))
    shifts = line_shifts(spikes(columns), overlay.cells, len(fields))
    return parse(read_cells(columns, overlay.cells, shifts), overlay.layout)


def gray(frames: Frames) -> Frames:
    """Frames ``(n, y, x)``: of colour the green plane, which digits of any usual colour light up."""
    return frames[:, min(1, frames.shape[1] - 1)] if frames.ndim == 4 else frames
