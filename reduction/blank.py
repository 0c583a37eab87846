"""Frames without a picture: one value everywhere, where a recorder wrote none or a reader found it damaged.

No star is on them. What a place from a file, or one that is held, would measure there is no light.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Caveat, Note
from reduction.lightcurve import Columns
from reduction.result import Flag
from reduction.scan import Scan
from reduction.stack import SourceInfo


def blank_frames(scan: Scan) -> NDArray[np.bool_]:
    """Which frames have one value everywhere."""
    return np.equal(scan.lowest, scan.highest)


def without_blank(raw: Columns, scan: Scan) -> Columns:
    """Nothing is measured on frames without a picture; they are flagged as lost."""
    blank = blank_frames(scan)
    for column in (raw.flux, raw.sigma, raw.reference, raw.reference_sigma, raw.x, raw.y, raw.sky):
        column[blank] = np.nan
    raw.flags[blank] = np.uint32(Flag.LOST.value)
    return raw


def blank_notes(scan: Scan, info: SourceInfo) -> Iterator[Note]:
    """Say how many frames have no picture, unless the recording's own notes do."""
    places = np.flatnonzero(blank_frames(scan))
    if places.size and not any(note.caveat is Caveat.FRAMES_BLANK for note in info.notes):
        yield blank_note(info.name, places, info.frames)


def blank_note(name: str, places: NDArray[np.intp], frames: int) -> Note:
    """The caveat, for frames that are known to have no picture."""
    text = (
        f"{name}: {places.size} of {frames} frames have no picture (one value everywhere: damaged, or never "
        f"written), the first is number {places[0]}; nothing is measured on them, and they are flagged"
    )
    return Note(Caveat.FRAMES_BLANK, text)
