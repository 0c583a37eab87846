"""The regular cadence behind stamps that scatter, and the frames that do not keep to it.

A frame that was dropped, or recorded twice, moves all that follow; a stamp that a busy computer wrote late
moves nothing but itself. So a jump counts where the medians of the stamps before and after it differ by whole
cadences, and it is put at the frame whose own interval shows it. Slow drift of a clock moves no frame.
"""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from reduction.caveats import Caveat, Note
from reduction.timing import TimeSolution

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

SIDE = 3
"""Frames on either side whose median is compared."""
REGULAR_SCATTER = 0.2
"""Scatter of the intervals, in cadences, above which a recording has no regular cadence."""
OFF_CADENCE = 0.5
LARGEST_JUMP = 1 << 40
PLACES = 5


class FrameFlag(IntFlag):
    """What is odd about the time of a frame."""

    NO_TIME = 1
    FRAMES_MISSING = 2  # before this frame
    REPEATED_TIME = 4  # the time of the frame before, or a frame too many
    BACKWARDS = 8  # earlier than the frame before
    OFF_CADENCE = 16  # half a cadence or more beside its place, alone
    SAME_PIXELS = 32  # the pixels of the frame before


@dataclass(frozen=True, slots=True, eq=False)
class Cadence:
    """How the frames of a recording follow each other.

    Attributes
    ----------
    step_s : float
        Seconds from frame to frame; NaN with fewer than two times.
    regular : bool
        Whether there is a cadence that the intervals keep to; without one nothing is called dropped.
    scatter_s : float
        Scatter of the stamps about it, one sigma from the median deviation.
    residual_s : array, (t,)
        Stamp minus its place in the cadence; NaN without a time.
    missing : array, (t,), int64
        Frames missing before each frame; -1 where it is one too many.
    flags : array, (t,), uint8
        Bits of `FrameFlag`.
    """

    step_s: float
    regular: bool
    scatter_s: float
    residual_s: Floats
    missing: Counts
    flags: NDArray[np.uint8]

    def frames_with(self, flag: FrameFlag) -> NDArray[np.intp]:
        """Numbers of the frames that have `flag`."""
        return np.flatnonzero(self.flags & flag.value)

    @property
    def dropped(self) -> int:
        """Frames that are missing, all places together."""
        return int(self.missing[self.missing > 0].sum())

    def document(self) -> dict[str, object]:
        """The same as a JSON document: figures, and how many frames have each flag."""
        known = np.isfinite(self.step_s)
        return {
            "regular": self.regular,
            "step_s": self.step_s if known else None,
            "scatter_s": self.scatter_s if known else None,
            "frames_missing": self.dropped,
            "flags": {str(flag.name).lower(): int(self.frames_with(flag).size) for flag in FrameFlag},
        }


def find_cadence(times: TimeSolution, same_pixels: NDArray[np.bool_] | None = None) -> Cadence:
    """Fit the regular cadence of a recording and flag what departs from it.

    Parameters
    ----------
    times : TimeSolution
        Of the frames.
    same_pixels : array, (t,), bool, optional
        Frames whose pixels equal those of the frame before.
    """
    known = np.flatnonzero(times.known)
    flags = np.where(times.known, 0, FrameFlag.NO_TIME.value).astype(np.uint8)
    if same_pixels is not None:
        flags[same_pixels] |= FrameFlag.SAME_PIXELS.value
    residual = np.full(times.mid_ns.size, np.nan)
    missing = np.zeros(times.mid_ns.size, np.int64)
    t = (times.mid_ns[known] - times.mid_ns[known[0]]) * 1e-9 if known.size else np.empty(0)
    step = _step(t, known)
    if not np.isfinite(step):
        return Cadence(np.nan, False, np.nan, residual, missing, flags)
    intervals = np.diff(t)
    flags[known[1:][intervals < 0]] |= FrameFlag.BACKWARDS.value
    flags[known[1:][intervals == 0]] |= FrameFlag.REPEATED_TIME.value
    spread = 1.4826 * float(np.median(np.abs(intervals / np.diff(known) - step)))
    regular = known.size > 2 and spread <= REGULAR_SCATTER * step
    if regular:
        missing[known] = _missing(t, known, step)
    slots = known + np.cumsum(missing[known])
    step, residual[known] = _line(slots.astype(np.float64), t, step)
    scatter = 1.4826 * float(np.median(np.abs(residual[known])))
    flags[missing > 0] |= FrameFlag.FRAMES_MISSING.value
    flags[missing < 0] |= FrameFlag.REPEATED_TIME.value
    if regular:
        flags[known[_alone(residual[known], step)]] |= FrameFlag.OFF_CADENCE.value
    return Cadence(step, regular, scatter, residual, missing, flags)


def _step(t: Floats, known: NDArray[np.intp]) -> float:
    """Mean interval of neighbours near the median interval: finer than the clock's resolution."""
    each = (np.diff(t) / np.diff(known))[np.diff(known) == 1]
    each = each[each > 0]
    if not each.size:
        return float("nan")
    middle = float(np.median(each))
    return float(each[np.abs(each - middle) < OFF_CADENCE * middle].mean())


def _missing(t: Floats, known: NDArray[np.intp], step: float) -> Counts:
    """Frames missing before each known frame, from jumps between the medians before and after it."""
    phase = t / step - known
    padded = np.pad(phase, SIDE, mode="edge")
    medians = np.median(sliding_window_view(padded, SIDE), axis=1)
    jump = np.rint(medians[SIDE : SIDE + t.size] - medians[: t.size])
    own = np.rint(np.diff(phase, prepend=phase[0]))
    found = np.zeros(t.size, np.int64)
    candidates = np.flatnonzero((jump != 0) & (np.abs(jump) < LARGEST_JUMP))
    if not candidates.size:
        return found
    for group in np.split(candidates, np.flatnonzero(np.diff(candidates) > 1) + 1):
        first, last = int(group[0]), int(group[-1])
        before, after = medians[first], medians[min(last + SIDE, medians.size - 1)]
        total = int(np.rint(after - before))
        steps = own[first : last + 1]
        if int(steps.sum()) == total and (steps >= -1).all():
            found[first : last + 1] = steps.astype(np.int64)
        elif total:
            found[first + int(np.argmax(steps * np.sign(total)))] = total
    return found


def _line(slots: Floats, t: Floats, step: float) -> tuple[float, Floats]:
    """Least-squares line through the stamps at their places, outliers left out: its slope and residuals."""
    kept = np.ones(t.size, np.bool_)
    residual = t - step * slots
    residual -= np.median(residual)
    for _ in range(4):
        x = slots - slots[kept].mean()
        square = float((x[kept] ** 2).sum())
        if square <= 0:
            break
        level = t[kept].mean()
        step = float((x[kept] * (t[kept] - level)).sum() / square)
        residual = t - level - step * x
        limit = 5 * 1.4826 * float(np.median(np.abs(residual[kept])))
        again = np.abs(residual) <= max(limit, 1e-9)
        if again.sum() < 2 or (again == kept).all():
            break
        kept = again
    return step, residual


def _alone(residual: Floats, step: float) -> NDArray[np.bool_]:
    """Stamps beside the median of their neighbours by half a cadence or more."""
    width = 2 * SIDE - 1
    padded = np.pad(residual, width // 2, mode="edge")
    near = np.median(sliding_window_view(padded, width), axis=1)
    found: NDArray[np.bool_] = np.abs(residual - near) >= OFF_CADENCE * step
    return found


def cadence_notes(found: Cadence) -> list[Note]:
    """Caveats with their places: frames missing, times repeated or too many."""
    notes = []
    gaps = found.frames_with(FrameFlag.FRAMES_MISSING)
    if gaps.size:
        places = [f"{found.missing[n]} before frame {n}" for n in gaps[:PLACES]]
        what = _count(found.dropped, "frame is", "frames are")
        text = f"{what} missing by the times: {_list(places, gaps.size)}"
        notes.append(Note(Caveat.FRAMES_DROPPED, text))
    twice = found.frames_with(FrameFlag.REPEATED_TIME)
    if twice.size:
        places = [f"frame {n}" for n in twice[:PLACES]]
        what = _count(twice.size, "frame is", "frames are")
        text = f"{what} one too many by the times: {_list(places, twice.size)}"
        notes.append(Note(Caveat.TIMES_REPEATED, text))
    return notes


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _list(places: list[str], count: int) -> str:
    more = f", and {count - len(places)} more places" if count > len(places) else ""
    return ", ".join(places) + more
