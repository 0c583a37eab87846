"""Whether the times of a recording can be trusted: one word and one sentence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from ingest.cadence import Cadence, FrameFlag
from reduction.caveats import Caveat, Note
from reduction.timing import TimeSolution

State = Literal["good", "caution", "bad"]

WRONG: Mapping[Caveat, str] = MappingProxyType(
    {
        Caveat.TIMES_ABSENT: "there are no times",
        Caveat.GPS_ALMANAC: "the GPS almanac is stale: whole seconds are unsure",
        Caveat.LOCAL_TIME: "they may be local time",
        Caveat.CLOCK_UNKNOWN: "nothing kept the clock",
        Caveat.DATE_UNSET: "the recorder knew no date",
    }
)
"""Caveats with which absolute times cannot be relied on."""

DOUBTS: Mapping[Caveat, str] = MappingProxyType(
    {
        Caveat.TIME_MEANING_ASSUMED: "whether stamps name start, middle or end is assumed",
        Caveat.EXPOSURE_ASSUMED: "the exposure is assumed",
        Caveat.WHOLE_SECONDS: "the clock wrote whole seconds",
        Caveat.CLOCK_UNSTATED: "how sure the clock was is not stated",
        Caveat.NETWORK_TIME: "they are of a computer, set by network time",
        Caveat.TIMES_COMPUTED: "they are computed from a start and a cadence",
        Caveat.TIMES_PARTIAL: "some frames have none",
        Caveat.CAMERA_UNKNOWN: "the camera's internal delay is not known",
        Caveat.BURNT_IN_UNSURE: "the burnt-in time is not sure on some frames",
        Caveat.GPS_FIX: "the GPS receiver had no fix on some frames",
        Caveat.LEAP_SECOND: "a leap second falls inside",
        Caveat.LOCAL_TIME_CORRECTED: "they were local time and have been shifted",
        Caveat.TIMES_CONFLICT: "the recording contradicts itself",
    }
)
"""Caveats that make the times less sure than they look."""

DISORDER = 0.01
"""Share of frames out of order above which the times are bad, not doubtful."""


@dataclass(frozen=True, slots=True)
class TimeVerdict:
    """One word, and the sentence with its reasons."""

    state: State
    sentence: str


def judge_times(times: TimeSolution, cadence: Cadence, notes: Iterable[Note]) -> TimeVerdict:
    """Judge times by their caveats, their order and how regular they are.

    Parameters
    ----------
    times : TimeSolution
    cadence : Cadence
        Of the same times.
    notes : iterable of Note
        Caveats of the recording and of its times.
    """
    kinds = {note.caveat for note in notes}
    bad = [text for caveat, text in WRONG.items() if caveat in kinds]
    doubtful = [text for caveat, text in DOUBTS.items() if caveat in kinds]
    if not times.known.any():
        return TimeVerdict("bad", "there are no times")
    backwards = cadence.frames_with(FrameFlag.BACKWARDS).size
    if backwards:
        text = f"{backwards} run{'s' * (backwards == 1)} backwards"
        (bad if backwards > DISORDER * times.mid_ns.size else doubtful).append(text)
    if cadence.dropped:
        doubtful.append(f"{_count(cadence.dropped, 'frame is', 'frames are')} missing")
    if twice := cadence.frames_with(FrameFlag.REPEATED_TIME).size:
        doubtful.append(f"{_count(twice, 'frame is', 'frames are')} one too many")
    if late := cadence.frames_with(FrameFlag.OFF_CADENCE).size:
        doubtful.append(f"{_count(late, 'stamp stands', 'stamps stand')} beside the cadence")
    sigma = float(np.nanmedian(times.sigma_s))
    kept = f"regular within {_text(cadence.scatter_s)}" if cadence.regular else "no regular cadence"
    state: State = "bad" if bad else "caution" if doubtful else "good"
    reasons = "; ".join([*bad, *doubtful])
    sure = f"±{_text(sigma)}, {kept}"
    return TimeVerdict(state, f"{sure}; {reasons}" if reasons else sure)


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _text(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return "less than 1 µs"
