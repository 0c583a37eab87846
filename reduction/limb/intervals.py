"""Intervals of what is sampled, each draw with its weight."""

from typing import Literal

import numpy as np

from reduction.events.results import LEVELS, Figure
from reduction.limb.shape import Floats

Kind = Literal["middle", "bounded"]


def quantile(values: Floats, weight: Floats, shares: Floats) -> Floats:
    """Weighted quantiles, linear between the middles of the draws' shares."""
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weight[order])
    middle = (running - 0.5 * weight[order]) / running[-1]
    answer: Floats = np.interp(shares, middle, values[order])
    return answer


def interval(values: Floats, weight: Floats, level: float, kind: Kind = "middle") -> tuple[float, float]:
    """Interval that holds `level` of the weight.

    ``"middle"`` leaves as much out on either side. ``"bounded"`` is for a figure that is never negative (an
    oblateness, a relief): the interval from 0 where that is the narrower one.
    """
    shares = np.array([(1 - level) / 2, (1 + level) / 2, level])
    low, high, alone = (float(one) for one in quantile(values, weight, shares))
    if kind == "bounded" and alone < high - low:
        return 0.0, alone
    return low, high


def figure(values: Floats, weight: Floats, kind: Kind = "middle") -> Figure:
    """The median with its intervals at `LEVELS`; its sigma is half the width of the first."""
    value = float(quantile(values, weight, np.array([0.5]))[0])
    spans = tuple(interval(values, weight, level, kind) for level in LEVELS)
    return Figure(value=value, sigma=(spans[0][1] - spans[0][0]) / 2, intervals=spans)


def axis_figure(value_deg: float, angles_deg: Floats, weight: Floats) -> Figure:
    """A position angle of an axis, of period 180 degrees; its intervals may leave 0 to 180.

    They are the shortest arcs' ends, written next to `value_deg`.
    """
    spans = []
    for level in LEVELS:
        low, high = _arc(angles_deg, weight, level)
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
