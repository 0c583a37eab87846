"""From what the cells show to the time of day and the counter of each field, and how sure they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.cells import BLANK
from ingest.ocr.layouts import Layout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
UNREAD = -1
ALIKE = 15
"""Fields of one parity that vote on which of two fractions is theirs."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What the fields show.

    Attributes
    ----------
    time : array, (n, c, 10), float64
        Log-probability of each digit of ``HHMMSSf...``.
    counter : array, (n, k, 12), float64
        Log-probability of each class in the cells of the counter, from the left.
    ticks : array, (n,), int64
        Time of day in units of the last decimal by the likeliest digits; `UNREAD` where that is no time.
    sure : array, (n,), float64
        Probability of the least sure digit of the time.
    count : array, (n,), int64
        The counter by the likeliest digits, or `UNREAD`.
    side : array, (n,), int64
        Which of two fractions the time is from.
    decimals : int
        Decimals of a second.
    """

    time: Floats
    counter: Floats
    ticks: Ints
    sure: Floats
    count: Ints
    side: Ints
    decimals: int

    @property
    def per_second(self) -> int:
        """Units of the last decimal in a second."""
        return int(10**self.decimals)

    def chosen(self, which: NDArray[np.intp]) -> "Readings":
        """The same of some fields, in the order given."""
        return Readings(
            self.time[which], self.counter[which], self.ticks[which], self.sure[which],
            self.count[which], self.side[which], self.decimals,
        )  # fmt: skip


def parse(cells: Floats, layout: Layout) -> Readings:
    """Read times and counters.

    Parameters
    ----------
    cells : array, (n, c, 12), float64
        From `ingest.ocr.cells.read_cells`.
    layout : Layout
        Which cells hold what.
    """
    clock = _digits(cells[:, list(layout.clock)], leading=(0,))
    side = np.zeros(len(cells), np.int64)
    parts = [_digits(cells[:, list(group)], leading=range(len(group) - 1)) for group in layout.fractions]
    if not parts:
        time = clock
    elif len(parts) == 1:
        time = np.concatenate([clock, parts[0]], axis=1)
    else:
        side = _sides(cells, layout, parts)
        time = np.concatenate([clock, np.where((side == 0)[:, None, None], parts[0], parts[1])], axis=1)
    ticks, sure = _ticks(time, layout.decimals)
    counter = cells[:, list(layout.counter)]
    return Readings(time, counter, ticks, sure, _counts(counter), side, layout.decimals)


def _digits(cells: Floats, leading: range | tuple[int, ...]) -> Floats:
    """Log-probabilities of digits; zeros of `leading` cells may be left blank if all before them are."""
    out = cells[:, :, 1:11].copy()
    before = np.zeros(len(cells))
    for k in leading:
        blank = before + cells[:, k, BLANK]
        out[:, k, 0] = np.logaddexp(out[:, k, 0], blank)
        before = before + cells[:, k, BLANK]
    return out


def _sides(cells: Floats, layout: Layout, parts: list[Floats]) -> Ints:
    """Which fraction is the field's own: the one that is filled, or of two the later."""
    if layout.alternate:
        blank = [cells[:, list(group), BLANK].sum(axis=1) for group in layout.fractions]
        return np.asarray(blank[0] > blank[1], np.int64)
    value = [(part.argmax(axis=2) @ 10 ** np.arange(part.shape[1])[::-1]).astype(np.int64) for part in parts]
    second = 10**layout.decimals
    ahead = (value[1] - value[0] + second // 2) % second - second // 2
    voices = np.convolve(np.sign(ahead), np.ones(ALIKE), mode="full")[ALIKE // 2 :][: len(ahead)]
    return np.asarray(
        voices > 0, np.int64
    )  # one parity shows its time on one side: misread ones are outvoted


def _ticks(time: Floats, decimals: int) -> tuple[Ints, Floats]:
    """Time of day by the likeliest digits, and the probability of the least sure one."""
    digits = time.argmax(axis=2)
    weights = 10 ** np.arange(time.shape[1])[::-1]
    hours = digits[:, 0] * 10 + digits[:, 1]
    minutes = digits[:, 2] * 10 + digits[:, 3]
    seconds = digits[:, 4] * 10 + digits[:, 5]
    fraction = digits[:, 6:] @ weights[6:]
    ticks = ((hours * 60 + minutes) * 60 + seconds) * 10**decimals + fraction
    valid = (hours < 24) & (minutes < 60) & (seconds < 61)
    sure = np.exp(time.max(axis=2).min(axis=1))
    return np.where(valid, ticks, UNREAD).astype(np.int64), np.where(valid, sure, 0.0)


def _counts(counter: Floats) -> Ints:
    """Number from the left, up to the first cell without a digit; `UNREAD` without any."""
    n, cells, _ = counter.shape
    best = counter.argmax(axis=2)
    count = np.zeros(n, np.int64)
    going = np.ones(n, np.bool_)
    length = np.zeros(n, np.int64)
    for k in range(cells):
        going &= (best[:, k] >= 1) & (best[:, k] <= 10)
        count = np.where(going, 10 * count + best[:, k] - 1, count)
        length += going
    return np.where(length > 0, count, UNREAD).astype(np.int64)


def reparsed(readings: Readings) -> Readings:
    """The same with the times by what are the likeliest digits now."""
    ticks, sure = _ticks(readings.time, readings.decimals)
    return replace(readings, ticks=ticks, sure=sure)


def joined(parts: Sequence[Readings]) -> Readings:
    """Readings of several runs of fields as one."""
    return Readings(
        time=np.concatenate([part.time for part in parts]),
        counter=np.concatenate([part.counter for part in parts]),
        ticks=np.concatenate([part.ticks for part in parts]),
        sure=np.concatenate([part.sure for part in parts]),
        count=np.concatenate([part.count for part in parts]),
        side=np.concatenate([part.side for part in parts]),
        decimals=parts[0].decimals,
    )
