"""A first look that no bad sample misleads: where an event's edges may lie, which samples may be bad."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from reduction.events.badpoints import Contamination, Mask
from reduction.events.edges import Range
from reduction.events.flanks import Flank, Floats, left_at_r, taken_at_d

TIMES = 240
"""Tried for each edge, evenly, at most; besides those at which a sample is cut just as it is seen."""

KEPT = 12.0
"""Logarithm of the likelihood below its greatest to which an edge may lie there."""

CASES = 8
"""Choices of bad samples by the edges that are fitted, at most."""

UNLIKELY = 7.0
"""Logarithm below that of the likeliest choice at which a choice is left out."""


@dataclass(frozen=True, slots=True)
class Case:
    """One choice of bad samples by the edges (indices), and where the edges then lie."""

    bad: frozenset[int]
    d: Range
    r: Range
    log: float


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is looked at; arrays ``(n_sample,)``.

    Attributes
    ----------
    start_s, stop_s : array, seconds
        Of the exposures.
    flux, sigma, usable : array
    flanks : tuple of Flank
    d, r : Range
    top, bottom : float
        Flux out of and in the event.
    memory : float
        Samples that one independent sample stands for under the noise's memory, at least 1.
    """

    start_s: Floats
    stop_s: Floats
    flux: Floats
    sigma: Floats
    usable: Mask
    flanks: tuple[Flank, Flank]
    d: Range
    r: Range
    top: float
    bottom: float
    memory: float

    def middle(self) -> float:
        """Time that parts the samples that D is judged by from those of R."""
        low = self.d.high if not self.d.outside else float(self.start_s[0])
        high = self.r.low if not self.r.outside else float(self.stop_s[-1])
        return 0.5 * (low + high)

    def by_the_edges(self, more: float) -> Mask:
        """Samples that an edge in its range may lie in, or within `more` seconds of."""
        by_d = (self.stop_s > self.d.low - more) & (self.start_s < self.d.high + more)
        by_r = (self.stop_s > self.r.low - more) & (self.start_s < self.r.high + more)
        near: Mask = by_d | by_r
        return near


def first_look(look: Look, bad: Contamination) -> tuple[Look, list[Case]]:
    """Judge each edge by the samples on its side of the event's middle, each of them good or bad.

    Returns
    -------
    look : Look
        With levels and ranges as found.
    cases : list of Case
        Choices of bad samples, the likeliest first.
    """
    for _ in range(2):
        sides = _sides(look, bad)
        look = _with_levels(
            replace(look, d=_hull([case.d for case in sides[0]]), r=_hull([case.r for case in sides[1]])),
            look,
        )
    cases = [
        Case(one.bad | two.bad, one.d, two.r, one.log + two.log) for one, two in product(*_sides(look, bad))
    ]
    cases.sort(key=lambda case: -case.log)
    return look, [case for case in cases if case.log > cases[0].log - UNLIKELY][:CASES]


def _sides(look: Look, bad: Contamination) -> tuple[list[Case], list[Case]]:
    """Choices on the side of D, and on that of R."""
    middle, centre = look.middle(), 0.5 * (look.start_s + look.stop_s)
    first, second = (look.usable & (centre < middle)), (look.usable & (centre >= middle))
    return _side(look, bad, first, True), _side(look, bad, second, False)


def _side(look: Look, bad: Contamination, side: Mask, is_d: bool) -> list[Case]:
    """Choices on one side, with the times for which each is made."""
    within = look.d if is_d else look.r
    at = np.flatnonzero(side & (look.stop_s > within.low) & (look.start_s < within.high))
    if within.outside or not at.size:
        return [Case(frozenset(), look.d, look.r, 0.0)]
    start, stop = look.start_s[at], look.stop_s[at]
    step = float(np.median(stop - start)) / 4
    even = np.linspace(within.low, within.high, int(np.clip((within.high - within.low) / step, 24, TIMES)))
    seen = np.clip((look.top - look.flux[at]) / max(look.top - look.bottom, 1e-12), 0.0, 1.0)
    cut = stop - seen * (stop - start) if is_d else start + seen * (stop - start)
    times = np.unique(np.concatenate([even, cut[(cut > within.low) & (cut < within.high)]]))
    gone = (
        taken_at_d(look.flanks[0], start, stop, times)
        if is_d
        else 1.0 - left_at_r(look.flanks[1], start, stop, times)
    )
    z = (look.flux[at] - look.top + (look.top - look.bottom) * gone) / look.sigma[at]
    log = bad.log_density(z).sum(axis=1) / look.memory
    log -= log.max()
    chosen = bad.bad_over_good(z) > 0
    found: dict[bytes, list[int]] = {}
    for k in np.flatnonzero(log > -KEPT):
        found.setdefault(chosen[k].tobytes(), []).append(int(k))
    cases = []
    for members in found.values():
        low, high = times[max(members[0] - 1, 0)], times[min(members[-1] + 1, times.size - 1)]
        span = Range(float(low), float(high), within.least, within.most)
        set_of = frozenset(at[chosen[members[0]]].tolist())
        cases.append(
            Case(set_of, span if is_d else look.d, look.r if is_d else span, float(log[members].max()))
        )
    return cases


def _hull(spans: list[Range]) -> Range:
    """All times of all choices."""
    return replace(spans[0], low=min(s.low for s in spans), high=max(s.high for s in spans))


def _with_levels(look: Look, before: Look) -> Look:
    """Levels from the samples that lie surely in the event, and surely out of it."""
    low = look.d.high if not look.d.outside else -np.inf
    high = look.r.low if not look.r.outside else np.inf
    inside = look.usable & (look.start_s >= low) & (look.stop_s <= high)
    out = look.usable & ((look.stop_s <= look.d.low) | (look.start_s >= look.r.high))
    if inside.sum() < 3 or out.sum() < 3:
        return replace(look, top=before.top, bottom=before.bottom)
    return replace(look, top=float(np.median(look.flux[out])), bottom=float(np.median(look.flux[inside])))
