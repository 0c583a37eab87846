"""Intervals of what is sampled, each draw with its weight."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from reduction.events.results import LEVELS, Figure
from reduction.limb.shape import Floats

Kind = Literal["middle", "bounded"]
BELT = (1.5, 1.6, 1.7, 1.85, 2.05, 2.3, 2.55, 2.8, 3.05, 3.3, 3.6, 3.85, 4.1, 4.4, 5.6, 7.0)
"""Means over standard deviations of a length's posterior, flat in the length, and for each of `LEVELS`"""
BELT_FROM = (1.494, 2.092, 3.098)
"""the one below which the interval begins at 0, and the shares of the posterior below the interval."""
BELT_LOW = (
    (
        0.122,
        0.159,
        0.19,
        0.193,
        0.181,
        0.163,
        0.151,
        0.149,
        0.155,
        0.16,
        0.161,
        0.162,
        0.162,
        0.16,
        0.16,
        0.16,
    ),
    (0, 0, 0, 0, 0.02, 0.051, 0.0576, 0.0576, 0.0563, 0.0502, 0.0389, 0.0318, 0.0267, 0.023, 0.0245, 0.025),
    (0, 0, 0, 0, 0, 0, 0, 0, 0.0013, 0.0033, 0.0036, 0.0035, 0.0034, 0.0033, 0.0027, 0.0015),
)
ROUND_FROM, ROUND_TO = 1.31, 1.48
"""Between these the upper share rises from the level to that of a middle interval."""


def quantile(values: Floats, weight: Floats, shares: Floats) -> Floats:
    """Weighted quantiles, linear between the middles of the draws' shares."""
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weight[order])
    middle = (running - 0.5 * weight[order]) / running[-1]
    answer: Floats = np.interp(shares, middle, values[order])
    return answer


def figure(values: Floats, weight: Floats, kind: Kind = "middle") -> Figure:
    """The median with its intervals at `LEVELS`; its sigma is half the width of the first.

    ``"middle"`` leaves as much out on either side. ``"bounded"`` is for a figure that is never negative (an
    oblateness, a relief): the interval from 0 where that is the narrower one.
    """
    levels = np.array(LEVELS)
    found = quantile(values, weight, np.concatenate([[0.5], (1 - levels) / 2, (1 + levels) / 2, levels]))
    value, low, high, alone = float(found[0]), *found[1:].reshape(3, levels.size)
    from_0 = (alone < high - low) & (kind == "bounded")
    low, high = np.where(from_0, 0, low), np.where(from_0, alone, high)
    spans = tuple((float(one), float(two)) for one, two in zip(low, high, strict=True))
    return Figure(value=value, sigma=(spans[0][1] - spans[0][0]) / 2, intervals=spans)


def length_figure(values: Floats, weight: Floats, of: Floats) -> Figure:
    """A figure that grows from 0 with the length `of` of a plane vector: an oblateness with its elongation.

    The value is the median. Interval ends are quantiles whose shares depend on how many errors the length
    is from 0, so that the intervals hold the truth as often as they say, whatever it is: those of the
    belt that orders by likelihood ratios (Feldman & Cousins 1998, Phys. Rev. D 57, 3873), for the
    distribution of Rice; but not below the level itself where the interval begins at 0.
    """
    mean = float(weight @ of / weight.sum())
    errors = mean / max(float(np.sqrt(weight @ (of - mean) ** 2 / weight.sum())), 1e-300)
    away = min(max((errors - ROUND_FROM) / (ROUND_TO - ROUND_FROM), 0.0), 1.0)
    shares = [0.5]
    for level, first, low in zip(LEVELS, BELT_FROM, BELT_LOW, strict=True):
        shares.append(float(np.interp(errors, BELT, low)) if errors > first else 0.0)
        shares.append(level + away * (1 - level) / 2)
    found = quantile(values, weight, np.array(shares))
    spans = tuple(
        (float(found[k]) if shares[k] > 0 else 0.0, float(found[k + 1])) for k in range(1, len(shares), 2)
    )
    return Figure(value=float(found[0]), sigma=(spans[0][1] - spans[0][0]) / 2, intervals=spans)


def reaching(one: Figure, other: Figure, where: Sequence[bool]) -> Figure:
    """`one` with those intervals stretched over `other`'s where both may be the same figure."""
    spans = tuple(
        (min(a[0], b[0]), max(a[1], b[1])) if same else a
        for a, b, same in zip(one.intervals, other.intervals, where, strict=True)
    )
    return Figure(value=one.value, sigma=(spans[0][1] - spans[0][0]) / 2, intervals=spans)


def axis_figure(
    value_deg: float, angles_deg: Floats, weight: Floats, nowhere: Sequence[bool] = (False,) * 3
) -> Figure:
    """A position angle of an axis, of period 180 degrees; its intervals may leave 0 to 180.

    They are the shortest arcs' ends, written next to `value_deg`; all 180 degrees at the levels at which
    there may be no axis, `nowhere`.
    """
    spans = []
    for level, none in zip(LEVELS, nowhere, strict=True):
        low, high = (value_deg - 90, value_deg + 90) if none else _arc(angles_deg, weight, level)
        middle = (low + high) / 2
        turn = 180.0 * round((value_deg - middle) / 180.0)
        spans.append((low + turn, high + turn))
    return Figure(value=value_deg, sigma=(spans[0][1] - spans[0][0]) / 2, intervals=tuple(spans))


def _arc(angles_deg: Floats, weight: Floats, level: float) -> tuple[float, float]:
    """Shortest arc, of 180 degrees at most, that holds `level` of the weight."""
    angles = np.mod(angles_deg, 180.0)
    order = np.argsort(angles, kind="stable")
    around = np.concatenate([angles[order], angles[order] + 180.0])
    running = np.cumsum(np.concatenate([weight[order], weight[order]])) / weight.sum()
    before = running - np.concatenate([weight[order], weight[order]]) / weight.sum()
    starts = np.arange(angles.size)
    ends = np.searchsorted(running, before[starts] + level * (1 - 1e-12))
    ends = np.minimum(ends, around.size - 1)
    # a few draws make the very shortest of many arcs too short: the mean of the near-shortest twentieth
    width = around[ends] - around[starts]
    near = np.argsort(width, kind="stable")[: max(1, angles.size // 400)]
    first = int(near[0])
    shift = np.mod(around[near] - around[first] + 90, 180.0) - 90
    low = float(around[first] + shift.mean())
    return low, min(low + float(width[near].mean()), low + 180.0)
