"""Times of frames: UTC nanoseconds, what they mean, how sure they are, and how they came about."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Note

UNKNOWN_NS = int(np.iinfo(np.int64).min)
"""An unknown time: the smallest int64, as NumPy's NaT."""

Instant = Literal["start", "mid", "end"]
"""Which instant of its exposure a stamp names."""

FirstField = Literal["top", "bottom"]
"""Which field of a frame was exposed first: that of rows 0, 2, 4, ... or of rows 1, 3, 5, ..."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One entry of the ledger: what moved every time from one instant to another.

    Attributes
    ----------
    what : str
        ``clock``, ``acquisition``, ``inserter``, ``camera``, ``stamp meaning``, ``integration``, ``field``,
        ``row``; each at most once.
    start, end : str
        The instant before and after; each entry starts where the one before it ended.
    value_s, sigma_s : float
        Added seconds (negative: earlier) and their uncertainty; a per-frame value is stated
        as its median.
    source : str
        Header keyword, table, option or assumption that it rests on.
    included : bool
        Whoever wrote the recording has applied it: it is stated, and nothing is added.
    """

    what: str
    start: str
    end: str
    value_s: float
    sigma_s: float
    source: str
    included: bool = False


@dataclass(frozen=True, slots=True)
class RowTimes:
    """How the exposure moves down a frame whose sensor is read row by row.

    Attributes
    ----------
    per_row_s : float
        Seconds from a recorded row to the one below it; negative where the sensor is read upwards.
    reference : float
        Where in the frame the row stands whose exposure the frame's time is of: 0 top, 1 bottom.
    sigma_s : float
        Uncertainty of `per_row_s`, seconds.
    source : str
        What they rest on.
    """

    per_row_s: float
    reference: float
    sigma_s: float
    source: str

    def rows_away(self, row: NDArray[np.float64], height: int) -> NDArray[np.float64]:
        """Recorded rows from the reference row down to `row`, in frames of `height` rows."""
        return row - self.reference * (height - 1)


@dataclass(frozen=True, slots=True, eq=False)
class TimeSolution:
    """Mid-exposure times of every frame.

    Attributes
    ----------
    mid_ns : array, (t,), int64
        POSIX UTC nanoseconds of mid-exposure; `UNKNOWN_NS` where unknown.
    sigma_s : array, (t,), float64
        One-sigma uncertainty of each time, seconds (NaN where unknown).
    exposure_s : array, (t,), float64
        Exposure of each frame, seconds (NaN where unknown).
    meaning : Instant or None
        What the recorded stamps named, None when there are none.
    source : str
        Where the times come from, e.g. ``SER trailer``, ``FITS DATE-OBS``, ``none``.
    ledger : tuple of Correction
        The chain from stamp to mid-exposure.
    notes : tuple of Note
        Caveats about times.
    rows : RowTimes or None
        How rows differ in time; None: all rows are exposed together, or nobody says.
    fields : "top", "bottom" or None
        Which field of a frame bears the earlier time; None: nothing tells.
    """

    mid_ns: NDArray[np.int64]
    sigma_s: NDArray[np.float64]
    exposure_s: NDArray[np.float64]
    meaning: Instant | None
    source: str
    ledger: tuple[Correction, ...] = ()
    notes: tuple[Note, ...] = ()
    rows: RowTimes | None = None
    fields: FirstField | None = None

    def __post_init__(self) -> None:
        n = self.mid_ns.shape[0]
        if self.sigma_s.shape != (n,) or self.exposure_s.shape != (n,):
            raise ValueError("mid_ns, sigma_s and exposure_s differ in length")
        check_ledger(self.ledger)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which frames have a time."""
        return np.not_equal(self.mid_ns, UNKNOWN_NS)

    @property
    def digest(self) -> str:
        """SHA-256 of times, sigmas, exposures and their ledger."""
        h = hashlib.sha256(b"umbra-times-1\n")
        for array in (self.mid_ns.astype("<i8"), self.sigma_s.astype("<f8"), self.exposure_s.astype("<f8")):
            h.update(np.ascontiguousarray(array).tobytes())
        entries = [
            [c.what, c.start, c.end, c.value_s, c.sigma_s, c.source, *(["included"] if c.included else [])]
            for c in self.ledger
        ]
        h.update(json.dumps([self.meaning, self.source, entries], sort_keys=True).encode())
        if self.rows is not None:
            r = self.rows
            h.update(json.dumps([r.per_row_s, r.reference, r.sigma_s, r.source]).encode())
        if self.fields is not None:
            h.update(f"{self.fields} field first".encode())
        return h.hexdigest()

    def cadence_s(self) -> float | None:
        """Median interval between neighbouring frames with known times, seconds; None without two."""
        both = self.known[1:] & self.known[:-1]
        if not both.any():
            return None
        steps = np.diff(self.mid_ns)[both]
        return float(np.median(steps)) * 1e-9

    def with_notes(self, extra: Sequence[Note]) -> "TimeSolution":
        """The same times with further caveats."""
        return replace(self, notes=(*self.notes, *extra))


def check_ledger(ledger: Sequence[Correction]) -> None:
    """Refuse a ledger that is no chain, or in which something is corrected twice.

    Raises
    ------
    ValueError
        An entry starts elsewhere than the one before it ended, a kind of correction stands twice, or
        the chain comes back to an instant that it has left.
    """
    for before, after in pairwise(ledger):
        if before.end != after.start:
            raise ValueError(f"ledger does not link: {before.end!r} then {after.start!r}")
    kinds = [entry.what for entry in ledger]
    instants = [entry.start for entry in ledger] + [entry.end for entry in ledger[-1:]]
    if len(set(kinds)) != len(kinds) or len(set(instants)) != len(instants):
        raise ValueError("the same interval is corrected twice")


def no_times(frames: int, exposure_s: float | None = None, notes: Sequence[Note] = ()) -> TimeSolution:
    """Return the solution of a recording that has no times: all unknown, and saying so."""
    return TimeSolution(
        mid_ns=np.full(frames, UNKNOWN_NS, np.int64),
        sigma_s=np.full(frames, np.nan),
        exposure_s=np.full(frames, np.nan if exposure_s is None else exposure_s),
        meaning=None,
        source="none",
        notes=tuple(notes),
    )


def utc_text(ns: int, digits: int = 6) -> str:
    """ISO-8601 UTC with `digits` decimals of a second, rounded; empty when unknown."""
    if ns == UNKNOWN_NS:
        return ""
    unit = 10 ** (9 - digits)
    ticks = (int(ns) + unit // 2) // unit
    seconds, fraction = divmod(ticks, 10**digits)
    stamp = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    tail = f".{fraction:0{digits}d}" if digits else ""
    return f"{stamp:%Y-%m-%dT%H:%M:%S}{tail}Z"
