"""Light curves of a campaign below one another, each along its chord: the limb shows before any fit."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.fits.chords import ChordList, ChordView, EndView
from cluster.campaign.outcomes import Curve
from reduction.utc import utc_ns

WIDTH, HEIGHT = 860, 92
LEFT, RIGHT, TOP, BOTTOM = 40, 850, 14, 82
MOST_DOTS = 420
LOWEST, HIGHEST = -0.35, 1.55
"""Of the flux on the baseline that is drawn; what is beyond lies on the edge."""
AROUND = 0.6
"""Shown before the first and after the last end, in lengths of what lies between."""
STEPS = (1, 2, 5)

Floats = NDArray[np.float64]
Across = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Edge:
    """D or R in a strip: where, and its one-sigma interval."""

    name: str
    x: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Strip:
    """A station's light curve: `bars` are (x, y of the mean, y above, y below) of equal numbers of samples.

    Attributes
    ----------
    gone : tuple of float or None
        Between D and R, where there is no curve to show it.
    watched : tuple of float or None
        When the star was watched, of a station without a curve.
    """

    chord: ChordView
    bars: tuple[tuple[float, float, float, float], ...]
    binned: int
    edges: tuple[Edge, ...]
    gone: tuple[float, float] | None
    watched: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Stack:
    """Strips in order across the shadow, on one scale along the star's motion.

    Attributes
    ----------
    ticks : tuple of (x, text)
        Kilometres from where the star is nearest to the predicted centre.
    left_out : int
        Stations that have nothing to show.
    """

    strips: tuple[Strip, ...]
    ticks: tuple[tuple[float, str], ...]
    left_out: int

    width, height, left, right, top, bottom = WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM

    @property
    def level(self) -> float:
        """Of the baseline."""
        return up(1.0)

    @property
    def zero(self) -> float:
        """Of no light at all."""
        return up(0.0)


def up(flux: float) -> float:
    """Height of a flux in a strip."""
    clipped = min(max(flux, LOWEST), HIGHEST)
    return round(BOTTOM - (clipped - LOWEST) / (HIGHEST - LOWEST) * (BOTTOM - TOP), 1)


def along_km(chord: ChordView, ns: int) -> float:
    """How far the star has moved at an instant, as a station sees it, since it was nearest to the centre."""
    assert chord.closest_utc is not None
    assert chord.velocity_km_s is not None
    return (ns - utc_ns(chord.closest_utc)) * 1e-9 * chord.velocity_km_s


def stack(found: ChordList, curves: Mapping[str, Curve], diameter_km: float | None) -> Stack | None:
    """Lay out the curves of a campaign's chords; None where the geometry is not known, or there is nothing.

    Parameters
    ----------
    curves : mapping
        By the id of the observation.
    diameter_km : float or None
        As predicted: the least that is shown.
    """
    placed = [one for one in found.items if one.closest_utc is not None and one.velocity_km_s is not None]
    shown = [one for one in placed if one.observation in curves or one.used]
    if not shown:
        return None
    low, high = _window(shown, curves, diameter_km)
    scale = (RIGHT - LEFT) / (high - low)

    def across(km: float) -> float:
        return round(LEFT + (min(max(km, low), high) - low) * scale, 1)

    strips = [_strip(one, curves.get(one.observation), low, high, across) for one in shown]
    kept = tuple(one for one in strips if one.bars or one.gone or one.watched)
    return Stack(kept, _ticks(low, high, across), len(found.items) - len(kept)) if kept else None


def _window(
    shown: Sequence[ChordView], curves: Mapping[str, Curve], diameter_km: float | None
) -> tuple[float, float]:
    """First and last kilometre that are shown."""
    ends = [along_km(one, utc_ns(end.utc)) for one in shown for end in (one.d, one.r) if end is not None]
    half = 0.5 * (diameter_km or 0.0)
    if not ends and half == 0.0:
        for one in shown:
            curve = curves.get(one.observation)
            known = None if curve is None else curve.mid_ns[curve.used]
            if known is not None and known.size:
                ends += [along_km(one, int(known.min())), along_km(one, int(known.max()))]
    low, high = min([*ends, -half]), max([*ends, half])
    pad = max(AROUND * (high - low), 1e-3)
    return low - pad, high + pad


def _strip(chord: ChordView, curve: Curve | None, low: float, high: float, across: Across) -> Strip:
    bars, binned = ((), 1) if curve is None else _bars(chord, curve, low, high, across)
    ends = {"D": chord.d, "R": chord.r}
    edges = tuple(_edge(name, chord, end, across) for name, end in ends.items() if end is not None)
    gone = watched = None
    if not bars and chord.d is not None and chord.r is not None:
        first, last = (across(along_km(chord, utc_ns(end.utc))) for end in (chord.d, chord.r))
        gone = (first, last)
    if not bars and chord.watched_from and chord.watched_to:
        first, last = (
            across(along_km(chord, utc_ns(text))) for text in (chord.watched_from, chord.watched_to)
        )
        watched = (first, last)
    return Strip(chord, bars, binned, edges, gone, watched)


def _bars(
    chord: ChordView, curve: Curve, low: float, high: float, across: Across
) -> tuple[tuple[tuple[float, float, float, float], ...], int]:
    """Samples in the window; where there are more than can be told apart, means of equal numbers of them."""
    known = np.flatnonzero(curve.used & np.isfinite(curve.flux))
    if not known.size:
        return (), 1
    start = utc_ns(chord.closest_utc or "")
    km: Floats = np.asarray((curve.mid_ns[known] - start) * 1e-9 * (chord.velocity_km_s or 0.0), np.float64)
    inside = (km >= low) & (km <= high)
    km, flux, sigma = km[inside], curve.flux[known][inside], np.nan_to_num(curve.sigma[known][inside])
    size = max(1, -(-km.size // MOST_DOTS))
    bars = []
    for first in range(0, km.size, size):
        part = slice(first, first + size)
        mean, count = float(flux[part].mean()), flux[part].size
        error = math.sqrt(float((sigma[part] ** 2).sum())) / count
        bars.append((across(float(km[part].mean())), up(mean), up(mean + error), up(mean - error)))
    return tuple(bars), size


def _edge(name: str, chord: ChordView, end: EndView, across: Across) -> Edge:
    ns, speed = utc_ns(end.utc), chord.velocity_km_s or 0.0
    middle, error = along_km(chord, ns), speed * end.sigma_s
    return Edge(name, across(middle), across(middle - error), across(middle + error))


def _ticks(low: float, high: float, across: Across) -> tuple[tuple[float, str], ...]:
    """Round kilometres, six to twelve of them."""
    rough = (high - low) / 10
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in STEPS if m * power >= rough), 10 * power)
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple((across(k * step), f"{k * step:g}".replace("-", "−")) for k in range(first, last + 1))
