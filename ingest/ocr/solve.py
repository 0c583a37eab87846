"""The times of all fields of a recording from what was read of them: misread digits repaired, jumps found.

Each field has a number on the inserter; the numbers that the likeliest digits name, on the recording's
clock, are the possible ones. How well each agrees with what all cells of a field show, and how rarely
numbers jump, give the probability of each number for each field (forward-backward algorithm of a hidden
Markov chain: Rabiner 1989, Proc. IEEE 77, 257). A field whose number is not sure is flagged.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.parse import UNREAD, Readings
from ingest.ocr.phase import DAY_S, Clock, find_step, fit_clock, unwrapped

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

JUMP = -7.0
"""Log-probability of a jump between two frames; about one in a thousand."""

JUMP_INSIDE = -10.0
"""The same between the fields of one frame."""

SPOILT = 0.02
"""Probability that a field's digits show nothing true, whatever they look like."""

SURE = 0.999
MOST_NUMBERS = 400
COUNTS_AGREE = 0.5
_NONE = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Solution:
    """Times of fields.

    Attributes
    ----------
    ticks : array, (n,), float64
        Time of day (beyond a day after midnight) in units of the last decimal; NaN where nothing is known.
    number : array, (n,), int64
        Number of the field, 0 for the first; it jumps where fields are missing or repeated.
    sure : array, (n,), float64
        Probability that the number is right.
    read : array, (n,), bool
        Every digit was read as the time is; the others are repaired.
    spread : array, (n,), float64
        Ticks, standard deviation of the time over all possible numbers.
    clock : Clock
        The line on which the times lie.
    counter : int or None
        What the inserter's counter shows at number 0, where it has one that agrees.
    residual : array, (n,), float64
        Ticks, time shown less the line; NaN where it was not read.
    """

    ticks: Floats
    number: Ints
    sure: Floats
    read: Mask
    spread: Floats
    clock: Clock
    counter: int | None
    residual: Floats

    @property
    def flagged(self) -> Mask:
        """Fields whose time is not sure."""
        return ~(self.sure >= SURE)


def solve(readings: Readings, together: int = 2) -> Solution | None:
    """Solve for the times of fields, given in the order of their exposure.

    Parameters
    ----------
    readings : Readings
        Of all fields.
    together : int
        Fields of one frame: 2 for interlaced video, else 1.

    Returns
    -------
    Solution or None
        None where too few times can be read, or they lie on no line.
    """
    ticks = unwrapped(readings.ticks, readings.per_second)
    step = find_step(ticks, readings.per_second)
    clock = None if step is None else fit_clock(ticks, readings.sure, step)
    if clock is None:
        return None
    jumps = _jumps(ticks, readings.sure, clock)
    numbers = np.unique(jumps[jumps != _NONE])
    numbers = _commonest(jumps, numbers)
    if not numbers.size:
        return None
    start = int(numbers[0])
    numbers, jumps = numbers - start, np.where(jumps == _NONE, _NONE, jumps - start)
    clock = replace(clock, phase=clock.phase + clock.step * start)
    counter = _counter(readings.count, jumps)
    agreement = np.stack([_agreement(readings, clock, counter, int(jump)) for jump in numbers], axis=1)
    chance = _probabilities(agreement, together)
    best = chance.argmax(axis=1)
    return _solution(ticks, clock, numbers, chance, best, counter)


def _jumps(ticks: Ints, sure: Floats, clock: Clock) -> Ints:
    """Number less place by each time read that lies on the clock; `_NONE` for the others."""
    turns = (ticks - clock.at(np.zeros(ticks.size, np.int64))) / clock.step
    whole = np.rint(turns)
    near = (ticks != UNREAD) & (np.abs(turns - whole) * clock.step <= clock.tolerance) & (sure > 0.2)
    return np.where(near, whole, _NONE).astype(np.int64)


def _commonest(jumps: Ints, numbers: Ints) -> Ints:
    count = np.array([np.count_nonzero(jumps == n) for n in numbers])
    keep = np.sort(np.argsort(-count, kind="stable")[:MOST_NUMBERS])
    return np.asarray(numbers[keep], np.int64)


def _counter(count: Ints, jumps: Ints) -> int | None:
    """What the counter shows at number 0, where most readings of counter and time agree on it."""
    both = (count != UNREAD) & (jumps != _NONE)
    if both.sum() < 4:
        return None
    values, votes = np.unique((count - np.arange(count.size) - jumps)[both], return_counts=True)
    best = int(votes.argmax())
    return int(values[best]) if votes[best] >= COUNTS_AGREE * both.sum() else None


def _agreement(readings: Readings, clock: Clock, counter: int | None, jump: int) -> Floats:
    """Log-probability of what each field shows if its number is its place and `jump`."""
    n = readings.ticks.size
    line = clock.at(np.full(n, jump, np.int64))
    reach = max(1, int(np.floor(clock.tolerance)))
    tried = np.rint(line)[None, :] + np.arange(-reach, reach + 1)[:, None]
    shown = np.max([_shows(readings.time, value, readings.per_second) for value in tried], axis=0)
    cells = readings.time.shape[1]
    if counter is not None:
        found, used = _counts(readings.counter, counter + jump + np.arange(n))
        shown, cells = shown + found, cells + used
    nothing = cells * np.log(0.1)
    return np.asarray(np.logaddexp(np.log(1.0 - SPOILT) + shown, np.log(SPOILT) + nothing))


def _shows(time: Floats, ticks: Floats, per_second: int) -> Floats:
    """Log-probability that the cells show these times."""
    n, cells, _ = time.shape
    day = DAY_S * per_second
    value = np.mod(ticks, day).astype(np.int64)
    seconds, fraction = value // per_second, value % per_second
    total = np.zeros(n)
    at = np.arange(n)
    clock = seconds // 3600 * 10000 + seconds // 60 % 60 * 100 + seconds % 60
    for k in range(cells):
        digit = clock // 10 ** (5 - k) if k < 6 else fraction // 10 ** (cells - 1 - k)
        total += time[at, k, digit % 10]
    return total


def _counts(counter: Floats, values: Ints) -> tuple[Floats, int]:
    """Log-probability that the cells of a counter, filled from the left, show these values; cells used."""
    n, cells, _ = counter.shape
    at = np.arange(n)
    length = np.where(values > 0, np.floor(np.log10(np.maximum(values, 1))), 0).astype(np.int64) + 1
    total = np.zeros(n)
    for k in range(cells):
        digit = values // 10 ** np.maximum(length - 1 - k, 0) % 10
        total += np.where((k < length) & (values >= 0), counter[at, k, 1 + digit], 0.0)
    return total, cells


def _probabilities(agreement: Floats, together: int) -> Floats:
    """Probability of each number for each field, given what all fields show."""
    n, numbers = agreement.shape
    if numbers == 1:
        return np.ones((n, 1))
    shifted = np.exp(agreement - agreement.max(axis=1, keepdims=True))
    between = np.exp(np.where(np.arange(1, n) % together == 0, JUMP, JUMP_INSIDE)) / (numbers - 1)
    stay = 1.0 - between * numbers
    forward = np.empty((n, numbers))
    forward[0] = shifted[0] / shifted[0].sum()
    for k in range(1, n):
        row = shifted[k] * (stay[k - 1] * forward[k - 1] + between[k - 1])
        forward[k] = row / row.sum()
    backward = np.ones(numbers)
    for k in range(n - 2, -1, -1):
        later = shifted[k + 1] * backward
        backward = stay[k] * later + between[k] * later.sum()
        backward /= backward.sum()
        forward[k] *= backward
    return np.asarray(forward / forward.sum(axis=1, keepdims=True))


def _solution(
    ticks: Ints,
    clock: Clock,
    numbers: Ints,
    chance: Floats,
    best: NDArray[np.intp],
    counter: int | None,
) -> Solution:
    n = ticks.size
    jump = numbers[best]
    line = clock.at(jump)
    residual = ticks - line
    read = (ticks != UNREAD) & (np.abs(residual) <= clock.tolerance)
    offset = numbers[None, :] - jump[:, None]
    spread = clock.step * np.sqrt((chance * offset**2).sum(axis=1))
    first = int(jump[0])
    return Solution(
        ticks=np.where(read, ticks, np.rint(line)),
        number=np.arange(n) + jump - first,
        sure=chance[np.arange(n), best],
        read=read,
        spread=spread,
        clock=clock,
        counter=None if counter is None else counter + first,
        residual=np.where(read, residual, np.nan),
    )


@dataclass(frozen=True, slots=True)
class Order:
    """How the two fields of a frame follow each other.

    Attributes
    ----------
    first : int or None
        0 where the even rows (top field) come first, 1 where the odd rows do; None where both show one time.
    votes, frames : int
        Frames that say so, and frames of which both fields were read.
    """

    first: int | None
    votes: int
    frames: int


def field_order(even: Readings, odd: Readings) -> Order:
    """Which field of the frames is the earlier, by the times that were read of both."""
    both = (even.ticks != UNREAD) & (odd.ticks != UNREAD)
    ahead = (odd.ticks - even.ticks)[both]
    ahead = ahead[np.abs(ahead) < even.per_second]
    votes = [
        int(np.count_nonzero(ahead > 0)),
        int(np.count_nonzero(ahead < 0)),
        int(np.count_nonzero(ahead == 0)),
    ]
    best = int(np.argmax(votes))
    return Order(None if best == 2 else best, votes[best], int(ahead.size))


def interleaved(even: Readings, odd: Readings, first: int) -> Readings:
    """Fields of all frames in the order of their exposure."""
    one, two = (even, odd) if first == 0 else (odd, even)

    def both(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.stack([a, b], axis=1).reshape(2 * len(a), *a.shape[1:])

    return Readings(
        time=both(one.time, two.time),
        counter=both(one.counter, two.counter),
        ticks=both(one.ticks, two.ticks),
        sure=both(one.sure, two.sure),
        count=both(one.count, two.count),
        side=both(one.side, two.side),
        decimals=even.decimals,
    )
