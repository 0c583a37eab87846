"""The fit of one event: its edges, its depth, their errors, and what its flanks are."""

from collections.abc import Sequence

import numpy as np

from reduction.errors import RequestError
from reduction.events.curve import EventCurve
from reduction.events.cut import cut_of
from reduction.events.exposures import exposures_of
from reduction.events.posterior import figure_of_density, figure_of_depth, figure_of_duration, marginals
from reduction.events.results import Dip, Edge, Event, Figure, NoiseModel
from reduction.events.settings import EventSettings
from reduction.events.square import Sharp
from reduction.events.trial import GREATEST_DEPTH, Fitted, fit_flanks
from reduction.timing import UNKNOWN_NS


def fit_event(
    curve: EventCurve, settings: EventSettings, dip: Dip, noise: NoiseModel, others: Sequence[Dip]
) -> Event:
    """Fit one event of a curve.

    Parameters
    ----------
    curve : EventCurve
    settings : EventSettings
    dip : Dip
        What the search found.
    noise : NoiseModel
        Of the curve out of events.
    others : sequence of Dip
        Other events of the curve; their samples are left out.

    Raises
    ------
    DataError
        With too few usable samples, or a dip that fills the curve.
    RequestError
        For settings that contradict the curve.
    """
    if settings.dead_time_s is not None and settings.dead_time_s >= curve.cadence_s():
        raise RequestError(
            f"{curve.name}: a dead time of {settings.dead_time_s:g} s in a cadence of "
            f"{curve.cadence_s():g} s leaves no exposure; give less"
        )
    cut = cut_of(curve, exposures_of(curve, settings), dip, noise, others)
    sharp = Sharp()
    fitted = fit_flanks(cut, (sharp, sharp), settings, noise)
    return event_of(curve, fitted, dip)


def event_of(curve: EventCurve, fitted: Fitted, dip: Dip) -> Event:
    """The event that a fit says."""
    by_d, by_r = marginals(fitted.parts)
    d = r = duration = None
    if np.isfinite(by_d[0][0]):
        d = edge_of(curve, "D", figure_of_density(*by_d))
    if np.isfinite(by_r[0][0]):
        r = edge_of(curve, "R", figure_of_density(*by_r))
    if d is not None and r is not None:
        duration = figure_of_duration(fitted.parts)
    scale = fitted.scene.scale
    depth = figure_of_depth(fitted.parts, scale, GREATEST_DEPTH * scale)
    return Event("square", d, r, depth, duration, dip)


def edge_of(curve: EventCurve, kind: str, seconds: Figure) -> Edge:
    """An edge with the timing sigma of the recording in it."""
    near = int(np.argmin(np.abs(curve.time_s - seconds.value)))
    timing = float(curve.utc_sigma_s[near])
    utc = seconds
    if np.isfinite(timing):
        utc = Figure(
            seconds.value,
            float(np.hypot(seconds.sigma, timing)),
            tuple(
                (
                    seconds.value - float(np.hypot(seconds.value - low, z * timing)),
                    seconds.value + float(np.hypot(high - seconds.value, z * timing)),
                )
                for (low, high), z in zip(seconds.intervals, (0.994458, 1.959964, 2.967738), strict=True)
            ),
        )
    return Edge(
        "D" if kind == "D" else "R",
        seconds,
        curve.utc_ns(seconds.value) if curve.dated else UNKNOWN_NS,
        timing,
        utc,
    )
