"""A light curve as a small chart: what the report's template draws."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.campaign.outcomes import Curve, Edge
from reduction.timing import utc_text

WIDTH, HEIGHT = 360, 170
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 16, 24
MOST_DOTS = 320
AROUND = 1.5
"""Durations of the event that are shown before and after it."""

FEWEST_AROUND = 25
"""Samples that are shown before and after an event, at least."""


@dataclass(frozen=True, slots=True)
class Card:
    """Shapes of a chart of `WIDTH` by `HEIGHT`; `bars` are (x, y of the mean, y above, y below)."""

    bars: tuple[tuple[float, float, float, float], ...]
    left_out: tuple[tuple[float, float], ...]
    edges: tuple[tuple[str, float, float, float], ...]
    level: float
    zero: float
    start: str
    stop: str
    span: str
    binned: int

    width = WIDTH
    height = HEIGHT
    left = LEFT
    right = WIDTH - RIGHT
    top = TOP
    bottom = HEIGHT - BOTTOM


def make_card(curve: Curve, d: Edge | None, r: Edge | None) -> Card | None:
    """Lay out a curve: around its event where it has both edges, else all of it; None with nothing to draw.

    More samples than can be told apart are drawn as means of equal numbers of them, with their sigmas.
    """
    known = np.flatnonzero(curve.used)
    if known.size < 2:
        return None
    first, last = int(curve.mid_ns[known].min()), int(curve.mid_ns[known].max())
    low, high = _window(curve, d, r, first, last)
    inside = known[(curve.mid_ns[known] >= low) & (curve.mid_ns[known] <= high)]
    if inside.size < 2:
        inside, low, high = known, first, last
    scale = (WIDTH - LEFT - RIGHT) / max(1, high - low)
    flux, sigma = curve.flux[inside], np.nan_to_num(curve.sigma[inside])
    bottom, top = _limits(flux)

    def across(ns: float) -> float:
        return round(LEFT + (ns - low) * scale, 1)

    def up(value: float) -> float:
        clipped = min(max(value, bottom), top)
        return round(HEIGHT - BOTTOM - (clipped - bottom) / (top - bottom) * (HEIGHT - BOTTOM - TOP), 1)

    size = -(-inside.size // MOST_DOTS)
    bars = []
    for start in range(0, inside.size, size):
        part = slice(start, start + size)
        mean = float(flux[part].mean())
        error = float(np.sqrt(np.sum(sigma[part] ** 2)) / flux[part].size)
        at = low + float((curve.mid_ns[inside[part]] - low).mean())
        bars.append((across(at), up(mean), up(mean + error), up(mean - error)))
    out = np.flatnonzero(
        ~curve.used & np.isfinite(curve.flux) & (curve.mid_ns >= low) & (curve.mid_ns <= high)
    )
    left_out = tuple((across(float(curve.mid_ns[i])), up(float(curve.flux[i]))) for i in out[:MOST_DOTS])
    shown = (high - low) * 1e-9
    whole = (last - first) * 1e-9
    return Card(
        bars=tuple(bars),
        left_out=left_out,
        edges=tuple(
            _mark(name, edge, across, low, high) for name, edge in (("D", d), ("R", r)) if edge is not None
        ),
        level=up(1.0),
        zero=up(0.0),
        start=utc_text(low, 1)[11:],
        stop=utc_text(high, 1)[11:],
        span=f"{shown:.3g} s" if shown >= 0.99 * whole else f"{shown:.3g} s of {whole:.4g} s",
        binned=size,
    )


def _window(curve: Curve, d: Edge | None, r: Edge | None, first: int, last: int) -> tuple[int, int]:
    """First and last instant that are shown."""
    if d is None or r is None or r.ns <= d.ns:
        return first, last
    step = float(np.median(np.diff(curve.mid_ns[curve.used])))
    around = round(max(AROUND * (r.ns - d.ns), FEWEST_AROUND * step))
    return max(first, d.ns - around), min(last, r.ns + around)


def _limits(flux: NDArray[np.float64]) -> tuple[float, float]:
    """Lowest and highest flux that is drawn: nought, the baseline and nearly all samples are inside."""
    low, high = np.percentile(flux, [0.5, 99.5])
    pad = 0.12 * max(1.0, float(high) - min(0.0, float(low)))
    return min(-0.1, float(low) - pad), max(1.2, float(high) + pad)


def _mark(
    name: str, edge: Edge, across: Callable[[float], float], low: int, high: int
) -> tuple[str, float, float, float]:
    """Name, place, and the ends of the one-sigma interval of an edge."""
    sigma = 0.0 if not np.isfinite(edge.sigma_s) else edge.sigma_s * 1e9
    ends = [across(min(max(edge.ns + sign * sigma, low), high)) for sign in (-1, 1)]
    return name, across(min(max(edge.ns, low), high)), ends[0], ends[1]
