"""The clock of a recording: time shown is linear in the number of the field, with a slow drift.

The place of field `k` in the order of recording and its number `n` on the inserter differ by what was
dropped and repeated; the time of `n` is ``step * n`` and a phase that drifts by some ten parts in a
million. Times are in ticks, units of the last decimal that is shown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.parse import UNREAD

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DAY_S = 86_400
NOMINAL_S = (1001.0 / 60_000.0, 0.02, 1001.0 / 30_000.0, 0.04)
"""Fields and frames of NTSC and PAL."""

CHUNK = 96
TOLERANCE = 1.3
"""Ticks between a time shown and the line: it is rounded, and the line is fitted."""

ROUNDING = 0.5
"""Ticks, largest scatter that rounding alone leaves; clocks that scatter more have a wider tolerance."""

BINS = 48
LEAST_AGREEING = 0.25
LEAST_READ = 4


@dataclass(frozen=True, slots=True)
class Clock:
    """Times by place: ``ticks = step * (place + jump) + phase[place]``.

    Attributes
    ----------
    step : float
        Ticks from one field to the next.
    phase : array, (n,), float64
        Ticks, at each place.
    tolerance : float
        Ticks by which a time shown may lie off.
    scatter : float
        Ticks, standard deviation of the times shown about the line.
    """

    step: float
    phase: Floats
    tolerance: float
    scatter: float

    def at(self, jump: Ints) -> Floats:
        """Ticks at every place, with `jump` numbers more than places."""
        return self.step * (np.arange(self.phase.size) + jump) + self.phase


def unwrapped(ticks: Ints, per_second: int) -> Ints:
    """Times of day continued over midnight; `UNREAD` stays."""
    day = DAY_S * per_second
    read = ticks != UNREAD
    if not read.any():
        return ticks
    middle = int(np.median(ticks[read]))
    first = int(np.median(ticks[read][:LEAST_READ]))
    if abs(first - middle) > day // 2:  # most lies behind midnight
        middle = middle + day if first > middle else middle - day
    moved = (ticks - middle + day // 2) % day + middle - day // 2
    moved = moved - int(np.floor(first_of(moved, read) / day)) * day
    return np.where(read, moved, UNREAD).astype(np.int64)


def first_of(moved: Ints, read: NDArray[np.bool_]) -> int:
    """A typical early time."""
    return int(np.median(moved[read][:LEAST_READ]))


def find_step(ticks: Ints, per_second: int, nominal: tuple[float, ...] = NOMINAL_S) -> float | None:
    """Ticks from one field to the next: a nominal one where it fits, else as measured; None with too few."""
    read = np.flatnonzero(ticks != UNREAD)
    near = read[:-1][np.diff(read) == 1]
    steps = (ticks[near + 1] - ticks[near]).astype(np.float64)
    steps = steps[np.abs(steps) < 60 * per_second]
    if steps.size < LEAST_READ or np.median(steps) <= 0.0:
        return None  # also where the time shown is coarser than the fields
    step = float(np.median(steps[steps > 0]))
    for usual in nominal:
        if abs(step - usual * per_second) <= max(1.01, 0.004 * step):
            return usual * per_second
    for lag in (8, 64, 512):
        pairs = read[np.isin(read + lag, read)]
        if pairs.size < LEAST_READ:
            break
        over = (ticks[pairs + lag] - ticks[pairs]) / lag
        close = over[np.abs(over - step) < 0.25 * step]
        if close.size < 0.5 * pairs.size:
            break
        step = float(np.median(close))
    return step


def fit_clock(ticks: Ints, sure: Floats, step: float) -> Clock | None:
    """The clock on which most of the times that were read agree.

    Parameters
    ----------
    ticks : array, (n,), int64
        Times read, `UNREAD` where there is none; some may be wrong.
    sure : array, (n,), float64
        Probability of each.
    step : float
        Ticks from field to field.

    Returns
    -------
    Clock or None
        None where fewer than a quarter of the times read agree.
    """
    places = np.arange(ticks.size)
    read = np.flatnonzero((ticks != UNREAD) & (sure > 0.3))
    if read.size < LEAST_READ:
        return None
    turns = (ticks[read] - step * places[read]) / step
    phase = _phase_by_chunks(turns, read, ticks.size)
    tolerance = TOLERANCE
    scatter = 0.3
    for _ in range(3):
        away = turns - phase[read]
        away -= np.rint(away)
        good = np.abs(away) * step <= max(tolerance, 0.08 * step if _ == 0 else 0.0)
        if good.sum() < max(LEAST_READ, LEAST_AGREEING * read.size):
            return None
        phase = phase + _smooth(away[good], read[good], ticks.size)
        away = turns - phase[read]
        away = (away - np.rint(away))[good] * step
        scatter = max(0.3, 1.4826 * float(np.median(np.abs(away))))
        wide = TOLERANCE if scatter <= ROUNDING else TOLERANCE + 4.0 * (scatter - ROUNDING)
        tolerance = min(wide, step / 4.0)
    return Clock(step, phase * step, tolerance, scatter)


def _phase_by_chunks(turns: Floats, read: NDArray[np.intp], size: int) -> Floats:
    """Fraction of a step, unwrapped along the recording, from the commonest fraction in each chunk."""
    middles: list[float] = []
    values: list[float] = []
    chunks = max(1, round(size / CHUNK))
    last = 0.0
    for part in np.array_split(np.arange(read.size), chunks):
        if part.size < LEAST_READ:
            continue
        value = _commonest(turns[part])
        if values:
            value += float(np.rint(last - value))
        values.append(value)
        middles.append(float(np.median(read[part])))
        last = value
    if not values:
        values, middles = [_commonest(turns)], [0.0]
    return np.interp(np.arange(size), middles, values)


def _commonest(turns: Floats) -> float:
    """The fraction of a turn about which most lie."""
    part = turns - np.floor(turns)
    count = np.bincount((part * BINS).astype(np.intp) % BINS, minlength=BINS)
    peak = (np.argmax(count + np.roll(count, 1) + np.roll(count, -1)) + 0.5) / BINS
    away = part - peak
    away -= np.rint(away)
    return float(peak + np.median(away[np.abs(away) < 2.0 / BINS]))


def _smooth(away: Floats, places: NDArray[np.intp], size: int) -> Floats:
    """Slow part of what the times lie off: straight lines through medians of runs of readings."""
    runs = max(1, round(away.size / (2 * CHUNK)))
    parts = np.array_split(np.arange(away.size), runs)
    if runs == 1:
        return _straight(away, places, size)
    middles = [float(places[part].mean()) for part in parts]
    values = [float(away[part].mean()) for part in parts]
    return np.interp(np.arange(size), middles, values)


def _straight(away: Floats, places: NDArray[np.intp], size: int) -> Floats:
    """A straight line through all, level where they span too little."""
    if places.size < 8:
        return np.full(size, float(np.median(away)))
    slope, level = np.polyfit(places - places.mean(), away, 1)
    return np.asarray(level + slope * (np.arange(size) - places.mean()), np.float64)
