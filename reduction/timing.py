"""Times of frames: UTC nanoseconds, what they mean, how sure they are, and how they came about."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Note

UNKNOWN_NS = int(np.iinfo(np.int64).min)
"""An unknown time: the smallest int64, as NumPy's NaT."""

Instant = Literal["start", "mid", "end"]
"""Which instant of its exposure a stamp names."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One entry of the ledger: what moved every time from one instant to another.

    Attributes
    ----------
    what : str
        ``stamp meaning``, ``inserter``, ``camera``, ``acquisition``, ``integration``, ``row``.
    start, end : str
        The instant before and after; each entry starts where the one before it ended.
    value_s, sigma_s : float
        Added seconds (negative: earlier) and their uncertainty; a per-frame value is stated
        as its median.
    source : str
        Header keyword, table, option or assumption that it rests on.
    """

    what: str
    start: str
    end: str
    value_s: float
    sigma_s: float
    source: str


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
    """

    mid_ns: NDArray[np.int64]
    sigma_s: NDArray[np.float64]
    exposure_s: NDArray[np.float64]
    meaning: Instant | None
    source: str
    ledger: tuple[Correction, ...] = ()
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        n = self.mid_ns.shape[0]
        if self.sigma_s.shape != (n,) or self.exposure_s.shape != (n,):
            raise ValueError("mid_ns, sigma_s and exposure_s differ in length")
        for before, after in zip(self.ledger, self.ledger[1:], strict=False):
            if before.end != after.start:
                raise ValueError(f"ledger does not link: {before.end!r} then {after.start!r}")
        seen = [(c.what, c.start, c.end) for c in self.ledger]
        if len(set(seen)) != len(seen):
            raise ValueError("the same interval is corrected twice")

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
        entries = [[c.what, c.start, c.end, c.value_s, c.sigma_s, c.source] for c in self.ledger]
        h.update(json.dumps([self.meaning, self.source, entries], sort_keys=True).encode())
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
