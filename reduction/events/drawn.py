"""The fitted light of a curve, at any instant and as its exposures saw it: what figures draw."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reduction.events.curve import EventCurve, Floats
from reduction.events.fit import flanks_of
from reduction.events.flanks import well
from reduction.events.results import Edge, Event, EventAnalysis
from reduction.events.settings import EventSettings

RISES = 8.0
"""Times a flank's rise from 10 to 90 % to which it is drawn in fine steps, its fringes included."""

Share = Callable[[Floats, Floats], Floats]
"""Mean share of the light that is gone between two times, seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A curve's model.

    Attributes
    ----------
    seconds, light : array, (n_fine,)
        Fine steps, and the light at each: out-of-event level less what events take.
    measured : array, (n_sample,)
        Mean of the light over each exposure.
    level : array, (n_sample,)
        Out-of-event level.
    half_exposure_s : array, (n_sample,)
        Half of each exposure, seconds; 0 where nobody knows it.
    """

    seconds: Floats
    light: Floats
    measured: Floats
    level: Floats
    half_exposure_s: Floats


def drawn(curve: EventCurve, analysis: EventAnalysis, settings: EventSettings) -> Drawn:
    """The model of a curve with the events that the analysis says.

    The out-of-event level is the polynomial of the settings' order through the samples out of events.
    """
    half = 0.5 * exposures(curve, settings)
    shares = [share_of(event, settings) for event in analysis.events]
    gone = np.zeros(curve.time_s.size)
    for event, share in zip(analysis.events, shares, strict=True):
        gone += event.depth.value * share(curve.time_s - half, curve.time_s + half)
    level = _level(curve, gone, settings.baseline_order)
    fine = fine_steps(curve, analysis, settings)
    taken = np.zeros(fine.size)
    for event, share in zip(analysis.events, shares, strict=True):
        taken += event.depth.value * share(fine, fine)
    light = np.interp(fine, curve.time_s, level) * (1.0 - taken)
    return Drawn(fine, light, level * (1.0 - gone), level, half)


def exposures(curve: EventCurve, settings: EventSettings) -> Floats:
    """Exposure of each sample, seconds; 0 where neither curve nor settings know it."""
    if settings.exposure_s is not None:
        return np.full(curve.time_s.size, settings.exposure_s)
    if settings.dead_time_s is not None:
        return np.full(curve.time_s.size, max(curve.cadence_s() - settings.dead_time_s, 0.0))
    return np.nan_to_num(curve.exposure_s)


def fine_steps(curve: EventCurve, analysis: EventAnalysis, settings: EventSettings) -> Floats:
    """Every sample's time, and six hundred steps about each edge, as far as its flank reaches."""
    cadence = curve.cadence_s()
    parts = [curve.time_s]
    for event in analysis.events:
        for edge, flank in zip((event.d, event.r), flanks_of(event, settings), strict=True):
            if edge is not None:
                width = max(3.0 * cadence, RISES * flank.rise_s(), 2.0 * edge.seconds.sigma)
                parts.append(edge.seconds.value + np.linspace(-width, width, 601))
    return np.unique(np.concatenate(parts))


def edges_of(analysis: EventAnalysis) -> list[Edge]:
    """Every edge of the events, in their order."""
    return [edge for event in analysis.events for edge in (event.d, event.r) if edge is not None]


def share_of(event: Event, settings: EventSettings) -> Share:
    """Mean share gone by the flanks that were fitted; at an instant where start and stop are one."""
    flanks = flanks_of(event, settings)
    d_s = -np.inf if event.d is None else event.d.seconds.value
    r_s = np.inf if event.r is None else event.r.seconds.value

    def share(start_s: Floats, stop_s: Floats) -> Floats:
        if np.any(stop_s > start_s):
            still = stop_s <= start_s
            mean = well(flanks, start_s, np.where(still, start_s + 1.0, stop_s), d_s, r_s)
            return np.where(still, instant(start_s), mean)
        return instant(start_s)

    def instant(t: Floats) -> Floats:
        gone = np.ones(np.shape(t))
        if event.d is not None:
            gone = flanks[0].taken(t - d_s)
        if event.r is not None:
            gone = gone - (1.0 - flanks[1].taken(r_s - t))
        return gone

    return share


def _level(curve: EventCurve, gone: Floats, order: int) -> Floats:
    """Polynomial through the samples that no event dims, by their errors."""
    good = curve.usable & np.isfinite(curve.flux) & (np.abs(gone) < 1e-3)
    if np.count_nonzero(good) <= order:
        return np.ones(curve.flux.size)
    span = float(curve.time_s[-1] - curve.time_s[0])
    x = 2.0 * (curve.time_s - curve.time_s[0]) / span - 1.0
    sigma = np.where(np.isfinite(curve.sigma) & (curve.sigma > 0), curve.sigma, np.nan)
    weight = 1.0 / np.where(np.isfinite(sigma), sigma, np.nanmedian(np.append(sigma, 1.0)))
    fit = np.polynomial.legendre.legfit(x[good], curve.flux[good], order, w=weight[good])
    return np.asarray(np.polynomial.legendre.legval(x, fit))
