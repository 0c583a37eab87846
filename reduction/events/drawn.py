"""The fitted light of a curve, at any instant and as its exposures saw it: what figures draw."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reduction.events.curve import EventCurve, Floats
from reduction.events.results import Edge, Event, EventAnalysis
from reduction.events.settings import EventSettings

SHARE_OF_RAMP = 0.8
"""Of a straight ramp, what lies between 10 and 90 %."""

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

    The out-of-event level is the polynomial of the settings' order through the samples out of events. Where
    flanks are known only by their edges and their 10 to 90 % times, they are straight ramps.
    """
    half = 0.5 * exposures(curve, settings)
    shares = [share_of(event) for event in analysis.events]
    gone = np.zeros(curve.time_s.size)
    for event, share in zip(analysis.events, shares, strict=True):
        gone += event.depth.value * share(curve.time_s - half, curve.time_s + half)
    level = _level(curve, gone, settings.baseline_order)
    fine = fine_steps(curve, analysis)
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


def fine_steps(curve: EventCurve, analysis: EventAnalysis) -> Floats:
    """Every sample's time, and a hundred steps of a cadence about each edge."""
    cadence = curve.cadence_s()
    parts = [curve.time_s]
    for edge in edges_of(analysis):
        width = max(3.0 * cadence, 2.0 * (edge.gradual_s or 0.0), 2.0 * edge.seconds.sigma)
        parts.append(edge.seconds.value + np.linspace(-width, width, 601))
    return np.unique(np.concatenate(parts))


def edges_of(analysis: EventAnalysis) -> list[Edge]:
    """Every edge of the events, in their order."""
    return [edge for event in analysis.events for edge in (event.d, event.r) if edge is not None]


def share_of(event: Event) -> Share:
    """Mean share gone by the event's own edges, each sharp or a ramp."""

    def share(start_s: Floats, stop_s: Floats) -> Floats:
        gone = np.ones(np.shape(start_s))
        if event.d is not None:
            gone = _after(event.d, start_s, stop_s)
        if event.r is not None:
            gone = gone - _after(event.r, start_s, stop_s)
        return gone

    return share


def _after(edge: Edge, start_s: Floats, stop_s: Floats) -> Floats:
    """Mean over each interval of a ramp from 0 to 1 about the edge."""
    at, width = edge.seconds.value, (edge.gradual_s or 0.0) / SHARE_OF_RAMP
    length = stop_s - start_s
    instant = _ramp(0.5 * (start_s + stop_s) - at, width)
    mean = (_integral(stop_s - at, width) - _integral(start_s - at, width)) / np.where(
        length > 0, length, 1.0
    )
    return np.where(length > 0, mean, instant)


def _ramp(t: Floats, width: float) -> Floats:
    return np.clip(t / width + 0.5, 0.0, 1.0) if width > 0 else np.heaviside(t, 0.5)


def _integral(t: Floats, width: float) -> Floats:
    """Integral of the ramp from long before."""
    if width <= 0:
        return np.maximum(t, 0.0)
    x = np.clip(t / width + 0.5, 0.0, 1.0)
    return np.asarray(0.5 * width * x**2 + np.maximum(t - 0.5 * width, 0.0))


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
