"""A second witness: the recording's own glyphs.

A digit that stands still, in the hours or behind a star, may be misread alike in every field, and no line
of times shows it. But the cells that roll show every digit, and there the line tells which is which: their
mean pictures are templates of the inserter's own glyphs, with which each cell that stands is compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.cells import Cells
from ingest.ocr.crop import HEIGHT
from ingest.ocr.layouts import Layout
from ingest.ocr.parse import Readings, reparsed
from ingest.ocr.solve import Solution

WIDE = 12
"""Columns of the picture of a cell."""

ROLLING = 3
"""Different digits that a cell shows at least, for the line to vouch for them."""

LEAST = 4
"""Pictures of which a mean is made."""

NEAR = 1
"""Columns by which a glyph may lie beside its cell."""

CLEARLY, BLATANTLY = 0.04, 0.12
"""By which the correlation with another digit must be higher, to overrule an unsure reading, or any."""

ALIKE, SAME = 0.86, 0.93
"""Correlation with a template from which a glyph may be that one, and which only that glyph has."""

FAR = 0.25
"""By which a template is ahead that is meant, however little the glyph is like it."""

INK = 0.7
"""Of the usual brightness of a cell, that a leading zero has at least which is not left blank."""

SURE, LIKELY = 0.9, 0.7
"""Probability, on average, of a digit that the templates contradict, or about which they are silent."""

Pictures = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Check:
    """What became of the cells: readings with their misread digits exchanged, and cells that stay unsure.

    `exchanged` and `unsure` name cells of the time, 0 the tens of hours, and digits.
    """

    readings: Readings
    exchanged: tuple[tuple[int, int, int], ...]
    unsure: tuple[tuple[int, int], ...]


def cell_pictures(pictures: Pictures, cells: Cells, shifts: Floats) -> Pictures:
    """Cut the cells out of pictures of lines.

    Parameters
    ----------
    pictures : array, (n, 16, width), uint8
        From `ingest.ocr.crop.normalise`.
    cells : Cells
        Of the line.
    shifts : array, (n,)
        Columns by which each line has moved.

    Returns
    -------
    array, (n, c, 16, 12), uint8
    """
    reach = WIDE // 2 + NEAR
    first = np.rint(cells.column[None, :] + shifts[:, None]).astype(np.intp) - reach
    columns = np.clip(first[:, :, None] + np.arange(2 * reach), 0, pictures.shape[2] - 1)
    taken = pictures[np.arange(len(pictures))[:, None, None], :, columns]  # (n, c, column, row)
    return np.ascontiguousarray(np.moveaxis(taken, 3, 2))


def check(
    readings: Readings, solution: Solution, layout: Layout, which: NDArray[np.intp], seen: Pictures
) -> Check:
    """Compare what stands still in the line with the glyphs of what rolls.

    Parameters
    ----------
    readings : Readings
        Of all fields.
    solution : Solution
        Of the same.
    layout : Layout
        Cells of the line.
    which : array, (m,), int
        Fields of which the cells' pictures were kept.
    seen : array, (m, c, 16, columns), uint8
        The pictures, from `cell_pictures`.
    """
    good = ~solution.flagged[which] & solution.read[which]
    which, seen = which[good], seen[good]
    if not which.size:
        return Check(readings, (), ())
    digits = shown_digits(solution.ticks[which], readings)
    places = _places(layout, readings.side[which])
    own = seen[np.arange(which.size)[:, None], places]  # (m, digits of the time, rows, columns)
    means = _means(own, digits)
    rolling = _rolling(means)
    templates = _templates(means, rolling)
    exchanged, unsure = [], []
    for (cell, digit), mean in sorted(means.items()):
        if cell in rolling:
            continue
        likeness = {d: _likeness(mean, template) for d, template in templates.items()}
        best = max(likeness, key=lambda d: likeness[d], default=digit)
        sure = float(np.exp(readings.time[which, cell, digit][digits[:, cell] == digit]).mean())
        far = likeness.get(best, 0.0) > 0.5 and likeness[best] - likeness.get(digit, 1.0) > FAR
        if digit not in likeness or (likeness[best] < ALIKE and not far):
            if sure < LIKELY or likeness.get(best, 0.0) > SAME:
                unsure.append((cell, digit))
            continue
        ahead = likeness[best] - likeness[digit]
        if ahead > (BLATANTLY if sure >= SURE else CLEARLY):
            exchanged.append((cell, digit, best))
        elif ahead > CLEARLY or (ahead > 0.0 and sure < SURE):
            unsure.append((cell, digit))
    return Check(_exchanged(readings, exchanged), tuple(exchanged), tuple(unsure))


def shown_digits(ticks: Floats, readings: Readings) -> NDArray[np.int64]:
    """Digits ``(n, 6 + decimals)`` that show these times."""
    per_second = readings.per_second
    value = np.mod(np.rint(ticks), 86_400 * per_second).astype(np.int64)
    seconds, fraction = value // per_second, value % per_second
    clock = seconds // 3600 * 10_000 + seconds // 60 % 60 * 100 + seconds % 60
    powers = 10 ** np.arange(6)[::-1]
    tail = 10 ** np.arange(readings.decimals)[::-1]
    return np.concatenate([clock[:, None] // powers, fraction[:, None] // tail], axis=1) % 10


def _places(layout: Layout, side: NDArray[np.int64]) -> NDArray[np.intp]:
    """Cells of the line ``(m, digits)`` that show the time of each field."""
    m = side.size
    clock = np.broadcast_to(np.array(layout.clock, np.intp), (m, 6))
    if not layout.fractions:
        return clock
    groups = np.array(layout.fractions, np.intp)
    return np.concatenate([clock, groups[np.minimum(side, len(groups) - 1)]], axis=1)


def _means(own: Pictures, digits: NDArray[np.int64]) -> dict[tuple[int, int], Floats]:
    """Mean picture of each digit in each cell of the time."""
    means = {}
    ink = own.mean(axis=(2, 3))
    usual = float(np.median(ink))
    leading = {0, *range(6, digits.shape[1] - 1)}
    for cell in range(digits.shape[1]):
        for digit in range(10):
            these = digits[:, cell] == digit
            if digit == 0 and cell in leading:
                these &= ink[:, cell] >= INK * usual  # the others are left blank
            if np.count_nonzero(these) >= LEAST:
                means[cell, digit] = own[these, cell].mean(axis=0, dtype=np.float64)
    return means


def _rolling(means: Mapping[tuple[int, int], Floats]) -> set[int]:
    """Cells whose digits the line of times vouches for."""
    cells = [cell for cell, _ in means]
    return {cell for cell in cells if cells.count(cell) >= ROLLING}


def _templates(means: Mapping[tuple[int, int], Floats], rolling: set[int]) -> dict[int, Floats]:
    """Templates of the digits that the rolling cells show."""
    templates = {}
    for digit in range(10):
        found = [mean for (cell, d), mean in means.items() if d == digit and cell in rolling]
        if found:
            templates[digit] = np.median(found, axis=0)[:, NEAR:-NEAR]
    return templates


def _likeness(mean: Floats, template: Floats) -> float:
    """Correlation of a cell's picture with a template, at the shift where it is best."""
    size = template.shape[1]
    shifts = range(mean.shape[1] - size + 1)
    return max(_correlation(mean[:, k : k + size], template) for k in shifts)


def _correlation(a: Floats, b: Floats) -> float:
    assert a.shape[0] == HEIGHT
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(np.sqrt((a**2).sum() * (b**2).sum()), 1e-12))


def _exchanged(readings: Readings, swaps: list[tuple[int, int, int]]) -> Readings:
    """Readings in which two digits of a cell have changed places."""
    if not swaps:
        return readings
    time = readings.time.copy()
    for cell, one, two in swaps:
        time[:, cell, [one, two]] = time[:, cell, [two, one]]
    return reparsed(replace(readings, time=time))
