"""Where D and R may be: grids of times that close in on what the data allow."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reduction.events.flanks import Floats
from reduction.events.posterior import Posterior

COARSE = 96
"""Times of one edge on the first grid, at most."""

FINE = (48, 64, 80)
"""Times of one edge on the grids after it."""

SUPPORT = 20.0
"""Logarithm of the likelihood, below its greatest, to which times are kept."""

EDGE_OF_RANGE = 14.0
"""The same at an end of the range, from which the range is too short."""

EVEN = 0.2
"""Share of the times that lie evenly over the range."""


@dataclass(frozen=True, slots=True)
class Range:
    """Times that an edge may have, seconds; one infinite time where it lies outside the recording."""

    low: float
    high: float
    least: float
    most: float

    @property
    def outside(self) -> bool:
        """Whether the edge lies outside the recording."""
        return not np.isfinite(self.low)

    def grid(self, step: float) -> Floats:
        """Even times, `step` apart or as close as `COARSE` of them lie."""
        if self.outside:
            return np.array([self.low])
        n = int(np.clip(np.ceil((self.high - self.low) / step), 8, COARSE))
        return np.linspace(self.low, self.high, n + 1)

    def widened(self, low: bool, high: bool) -> "Range":
        """Longer by its own length at the ends that are too short, within what is possible."""
        more = self.high - self.low
        return Range(
            max(self.least, self.low - more) if low else self.low,
            min(self.most, self.high + more) if high else self.high,
            self.least,
            self.most,
        )

    def short(self, profile: Floats) -> tuple[bool, bool]:
        """Whether the profile still stands high at either end that could be moved."""
        if self.outside:
            return False, False
        return (
            bool(profile[0] > -EDGE_OF_RANGE and self.low > self.least),
            bool(profile[-1] > -EDGE_OF_RANGE and self.high < self.most),
        )


OUTSIDE_D = Range(-np.inf, -np.inf, -np.inf, -np.inf)
OUTSIDE_R = Range(np.inf, np.inf, np.inf, np.inf)

Judge = Callable[[Floats, Floats], Posterior]


def profiles(found: Posterior) -> tuple[Floats, Floats]:
    """Greatest log density at each D and at each R."""
    return found.log_density.max(axis=1), found.log_density.max(axis=0)


def close_in(judge: Judge, d: Range, r: Range, step: float) -> Posterior:
    """Judge edges on grids that follow what is found: wider if need be, then ever finer where it matters."""
    found = judge(d.grid(step), r.grid(step))
    for _ in range(8):
        at_d, at_r = profiles(found)
        wider_d, wider_r = d.short(at_d), r.short(at_r)
        if not any((*wider_d, *wider_r)):
            break
        d, r = d.widened(*wider_d), r.widened(*wider_r)
        found = judge(d.grid(step), r.grid(step))
    for count in FINE:
        at_d, at_r = profiles(found)
        found = judge(refined(found.surface.d_s, at_d, count), refined(found.surface.r_s, at_r, count))
    return found


def refined(nodes: Floats, profile: Floats, count: int) -> Floats:
    """`count` times where the log profile, straight between `nodes`, is high; densest where it is highest."""
    if nodes.size == 1:
        return nodes
    kept = np.flatnonzero(profile > -SUPPORT)
    first, last = max(kept[0] - 1, 0), min(kept[-1] + 1, nodes.size - 1)
    x = np.linspace(nodes[first], nodes[last], 8 * count + 1)
    height = np.exp(np.maximum(np.interp(x, nodes, np.maximum(profile, -60.0)), -60.0) / 3.0)
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (height[1:] + height[:-1]))])
    cumulative = (1 - EVEN) * cumulative / cumulative[-1] + EVEN * np.linspace(0.0, 1.0, x.size)
    times: Floats = np.interp(np.linspace(0.0, 1.0, count), cumulative, x)
    return times
