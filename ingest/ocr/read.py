"""Reading the burnt-in time of a whole recording: the line is found on a sample, then read in every frame.

Video has two fields in a frame, each with its own time; a recording whose fields show the same time is
read in whole frames.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.cells import Cells, find_cells, read_cells
from ingest.ocr.crop import PITCH, Crop, normalise
from ingest.ocr.find import Line, find_lines, spikes
from ingest.ocr.layouts import Layout, Model, find_layout
from ingest.ocr.network import STRIDE, Recogniser
from ingest.ocr.parse import Readings, joined, parse
from ingest.ocr.shifts import line_shifts
from ingest.ocr.solve import field_order
from ingest.ocr.witness import cell_pictures
from reduction.cores import cores, in_order
from reduction.stack import FrameBlock, FrameSource, SourceInfo, Stack

SAMPLE_FRAMES = 24
BLOCK_BYTES = 16 << 20
KEPT_FRAMES = 1000
"""Of which pictures of the cells are kept, at most."""

COMBED = 0.6
"""Of the frames of which both fields were read, that agree on which is the earlier."""

MARGIN = 1.6
"""Cells left and right of the outermost that are read."""

Frames = NDArray[Any]
Progress = Callable[[int, int], None]


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
    """What every frame shows: `even` of its even rows (or of the whole frame), `odd` of its odd rows.

    `kept` numbers the frames of which the pictures of all cells were kept, `even_cells` and `odd_cells`.
    """

    overlay: Overlay
    even: Readings
    odd: Readings | None
    kept: NDArray[np.intp]
    even_cells: NDArray[np.uint8]
    odd_cells: NDArray[np.uint8] | None


def sample_frames(recording: FrameSource) -> Frames:
    """Gray frames, evenly spread over a recording, to find the line on: ``(n, y, x)``."""
    if isinstance(recording, Stack):
        numbers = sampled_numbers(recording.info)
        return np.concatenate([gray(recording.read(int(k), int(k) + 1)) for k in numbers])
    blocks = recording.blocks(_together(recording.info))
    return np.concatenate([sampled(block, recording.info) for block in blocks])


def sampled_numbers(info: SourceInfo) -> NDArray[np.intp]:
    """Numbers of the frames that `sample_frames` takes."""
    return np.unique(np.linspace(0, info.frames - 1, SAMPLE_FRAMES).round().astype(np.intp))


def sampled(block: FrameBlock, info: SourceInfo) -> Frames:
    """Those of a block that `sample_frames` takes, gray: ``(n, y, x)``."""
    numbers = sampled_numbers(info)
    inside = (numbers >= block.start) & (numbers < block.start + len(block.frames))
    return gray(block.frames[numbers[inside] - block.start])


def find_overlay_time(frames: Frames, recogniser: Recogniser, model: Model | None = None) -> Overlay | None:
    """Find a burnt-in time; None where there is none.

    Parameters
    ----------
    frames : array, (n, y, x)
        From `sample_frames`.
    recogniser : Recogniser
        Reads pictures.
    model : Model, optional
        What a person says the inserter is.

    Raises
    ------
    DataError
        There is a time, but not in the layout of `model`.
    """
    rows = frames.shape[1] // 2
    fields = np.concatenate([frames[:, 0 : 2 * rows : 2], frames[:, 1 : 2 * rows : 2]])
    found = _of_fields(fields, recogniser, model, interlaced=True)
    if found is not None and _is_combed(frames, found, recogniser):
        return found
    whole = _of_fields(frames, recogniser, model, interlaced=False)
    if whole is None or found is not None:
        return whole or found
    halved = replace(whole.crop, top=whole.crop.top / 2.0, bottom=whole.crop.bottom / 2.0)
    fielded = replace(whole, crop=halved, interlaced=True)
    return fielded if _is_combed(frames, fielded, recogniser) else whole


def _is_combed(frames: Frames, overlay: Overlay, recogniser: Recogniser) -> bool:
    """Whether most frames show a later time in one of their fields, always the same one."""
    order = field_order(*_both_fields(frames, overlay, recogniser))
    return order.first is not None and order.votes >= COMBED * order.frames > 0


def _of_fields(
    fields: Frames, recogniser: Recogniser, model: Model | None, interlaced: bool
) -> Overlay | None:
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
    tight = Crop(
        top=crop.top,
        bottom=crop.bottom,
        left=float(max(crop.left, ends[0])),
        right=float(min(crop.right, ends[1])),
        pitch=crop.pitch * found.spacing / PITCH,
        white=crop.white,
    )
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
    recording: FrameSource, overlay: Overlay, recogniser: Recogniser, progress: Progress | None = None
) -> Reading:
    """Read the time in every frame.

    Parameters
    ----------
    recording : FrameSource
        The recording.
    overlay : Overlay
        From `find_overlay_time`.
    recogniser : Recogniser
        Reads pictures.
    progress : callable, optional
        Called with frames done and frames in all.
    """
    every = -(-recording.info.frames // KEPT_FRAMES)

    def read(block: FrameBlock) -> list[tuple[Readings, NDArray[np.uint8]]]:
        frames = gray(block.frames)
        rows = frames.shape[1] // 2
        fields = [frames[:, k : 2 * rows : 2] for k in (0, 1)] if overlay.interlaced else [frames]
        return [
            _parsed(field, overlay, recogniser, range(-block.start % every, len(field), every))
            for field in fields
        ]

    found: list[list[tuple[Readings, NDArray[np.uint8]]]] = []
    done = 0
    for part in in_order(read, recording.blocks(_together(recording.info)), cores()):
        found.append(part)
        done += len(part[0][0].ticks)
        if progress is not None:
            progress(done, recording.info.frames)
    both = [
        (joined([p[k][0] for p in found]), np.concatenate([p[k][1] for p in found]))
        for k in range(len(found[0]))
    ]
    odd, odd_cells = both[1] if overlay.interlaced else (None, None)
    return Reading(overlay, both[0][0], odd, np.arange(0, done, every), both[0][1], odd_cells)


def _together(info: SourceInfo) -> int:
    """Frames read at a time."""
    return max(1, BLOCK_BYTES // max(1, info.frame_bytes))


def _both_fields(frames: Frames, overlay: Overlay, recogniser: Recogniser) -> tuple[Readings, Readings]:
    """Readings of the even and the odd rows."""
    rows = frames.shape[1] // 2
    even, odd = frames[:, 0 : 2 * rows : 2], frames[:, 1 : 2 * rows : 2]
    nothing = range(0)
    return _parsed(even, overlay, recogniser, nothing)[0], _parsed(odd, overlay, recogniser, nothing)[0]


def _parsed(
    fields: Frames, overlay: Overlay, recogniser: Recogniser, keep: range
) -> tuple[Readings, NDArray[np.uint8]]:
    """Readings of fields, and the pictures of the cells of some."""
    pictures = normalise(fields, overlay.crop)
    columns = recogniser.columns(pictures)
    shifts = line_shifts(spikes(columns), overlay.cells, len(fields))
    kept = cell_pictures(pictures[keep], overlay.cells, shifts[keep])
    return parse(read_cells(columns, overlay.cells, shifts), overlay.layout), kept


def gray(frames: Frames) -> Frames:
    """Frames ``(n, y, x)``: of colour the green plane, which digits of any usual colour light up."""
    return frames[:, min(1, frames.shape[1] - 1)] if frames.ndim == 4 else frames
