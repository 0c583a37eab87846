"""RAVF recordings of the tests: pixels, stamps, and how they are opened."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.formats import open_in_place
from ingest.ravf.source import RavfStack
from ingest.timeoptions import TimeOptions
from reduction.caveats import Caveat
from tests.ingest.ser_writer import starry, utc_ns

T0 = utc_ns("2026-03-01T21:00:00") + 123_456_789
STEP = 40_000_000
STARTS = [T0 + i * STEP for i in range(9)]
MID = np.array(STARTS) + STEP // 2


def sky(bits: int, frames: int = 9, height: int = 13, width: int = 18, seed: int = 1) -> NDArray[Any]:
    top = (1 << bits) - 1
    return starry(frames, height, width, sky=top / 12, peak=top / 2, top=top, seed=seed)


def opened(path: Path, times: TimeOptions | None = None) -> RavfStack:
    stack = open_in_place(path, times)
    assert isinstance(stack, RavfStack)
    return stack


def caveats(stack: RavfStack) -> set[Caveat]:
    return {note.caveat for note in (*stack.info.notes, *stack.times.notes)}


def message(stack: RavfStack, caveat: Caveat) -> str:
    (text,) = (note.message for note in (*stack.info.notes, *stack.times.notes) if note.caveat is caveat)
    return text
