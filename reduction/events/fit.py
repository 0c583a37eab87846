"""The fit of one event: its edges, its depth, their errors, and what its flanks are."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reduction.errors import RequestError
from reduction.events.compare import Comparison, Tried, compare, shapes
from reduction.events.curve import EventCurve
from reduction.events.cut import Cut, cut_of
from reduction.events.exposures import exposures_of
from reduction.events.flanks import Flank, Floats
from reduction.events.posterior import figure_of_density, figure_of_depth, figure_of_duration, marginals
from reduction.events.results import Dip, Edge, Event, Figure, ModelScore, NoiseModel
from reduction.events.settings import EventSettings
from reduction.events.square import Sharp
from reduction.events.trial import GREATEST_DEPTH, NEGLIGIBLE, Fitted, fit_flanks
from reduction.timing import UNKNOWN_NS

GAUSSIAN = (0.994458, 1.959964, 2.967738)
"""Sigmas of a Gaussian's intervals at `LEVELS`."""


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
    fitted = fit_flanks(cut, (Sharp(), Sharp()), settings, noise)
    tried = compare(Comparison.of(cut, fitted, settings, noise), settings)
    said = tried[0]
    figures: dict[str, Figure] = {}
    if said.shape.model != "square":
        fitted, said, figures = fit_shape(cut, said, settings, noise)
    scores = tuple(one.score for one in tried)
    event = event_of(curve, fitted, dip, said, scores)
    return replace(event, parameters=figures)


NEIGHBOURS = (0.6, 0.8, 1.0, 1.25, 1.65)
"""Widths of a flank, over the best of the comparison, that are fitted first."""

SPREAD = (-2.4, -1.6, -0.8, 0.0, 0.8, 1.6, 2.4)
"""Widths that the errors of the edges are taken over, in errors of the width's logarithm."""

WIDEST_SPREAD = 0.35
"""Error of that logarithm, at most."""

MOVES = 3
"""Times that these widths are laid about a better one, at most."""

WIDTH = {"disc": "star_radius_s", "gradual": "scale_height_s", "diffraction": "fresnel_unit_s"}
"""What the width of a free flank is, of each model: time in which the limb moves by it."""


def fit_shape(
    cut: Cut, said: Tried, settings: EventSettings, noise: NoiseModel
) -> tuple[Fitted, Tried, dict[str, Figure]]:
    """Fit the edges with the flanks that were found, over what their width may be; its figures too."""
    margin = 0.7 * max(flank.rise_s() for flank in said.flanks)
    if not said.shape.free:
        return fit_flanks(cut, said.flanks, settings, noise, margin), said, {}

    def at(factor: float) -> Fitted:
        flanks = said.shape.make(factor * said.widths[0], factor * said.widths[1])
        return fit_flanks(cut, flanks, settings, noise, margin)

    x = np.log(NEIGHBOURS)
    fits = [at(factor) for factor in NEIGHBOURS]
    for _ in range(MOVES):
        logs = np.array([one.log_likelihood for one in fits])
        peak, sigma = _parabola(x, logs)
        x = peak + sigma * np.array(SPREAD)
        fits = [at(float(factor)) for factor in np.exp(x)]
        logs = np.array([one.log_likelihood for one in fits])
        if 0 < int(np.argmax(logs)) < x.size - 1:
            break
    shares = np.exp(logs - logs.max())
    shares = shares / shares.sum()
    mean = float(shares @ x)
    sigma = float(np.sqrt(shares @ (x - mean) ** 2))
    best = fits[int(np.argmax(logs))]
    parts = [(float(p) * q, part) for p, one in zip(shares, fits, strict=True) for q, part in one.parts]
    widths = (said.widths[0] * float(np.exp(mean)), said.widths[1] * float(np.exp(mean)))
    figures = {
        f"{WIDTH[said.shape.model]}_{end}": _lognormal(width, sigma)
        for end, width in zip("dr", widths, strict=True)
    }
    kept = replace(best, parts=[(p, part) for p, part in parts if p > NEGLIGIBLE])
    return kept, replace(said, widths=widths), figures


def _parabola(x: Floats, logs: Floats) -> tuple[float, float]:
    """Where a log likelihood is greatest, and the error there: by a parabola about the best point."""
    k = int(np.clip(np.argmax(logs), 1, x.size - 2))
    bend, slope, _ = np.polyfit(x[k - 1 : k + 2] - x[k], logs[k - 1 : k + 2], 2)
    if bend > -0.5 / WIDEST_SPREAD**2:
        return float(x[int(np.argmax(logs))]), WIDEST_SPREAD
    peak = float(np.clip(-0.5 * slope / bend, x[k - 1] - x[k], x[k + 1] - x[k]))
    return float(x[k]) + peak, float(np.sqrt(-0.5 / bend))


def _lognormal(value: float, sigma: float) -> Figure:
    """A positive figure whose logarithm has a Gaussian error."""
    intervals = tuple((value * float(np.exp(-z * sigma)), value * float(np.exp(z * sigma))) for z in GAUSSIAN)
    return Figure(value, 0.5 * (intervals[0][1] - intervals[0][0]), intervals)


def flanks_of(event: Event, settings: EventSettings) -> tuple[Flank, Flank]:
    """The flanks of a fitted event, at D and at R.

    The light is ``level * (1 - depth * well(flanks, start_s, stop_s, d_s, r_s))``, by
    `reduction.events.flanks.well`.
    """
    shape = next((one for one in shapes(settings) if one.model == event.label), None)
    if shape is None or event.label == "square":
        return Sharp(), Sharp()
    if not shape.free:
        return shape.make(0.0, 0.0)
    name = WIDTH[shape.model]
    return shape.make(event.parameters[f"{name}_d"].value, event.parameters[f"{name}_r"].value)


def event_of(
    curve: EventCurve, fitted: Fitted, dip: Dip, said: Tried, scores: tuple[ModelScore, ...]
) -> Event:
    """The event that a fit says."""
    by_d, by_r = marginals(fitted.parts)
    d = r = duration = None
    if np.isfinite(by_d[0][0]):
        d = edge_of(curve, "D", figure_of_density(*by_d), said.flanks[0])
    if np.isfinite(by_r[0][0]):
        r = edge_of(curve, "R", figure_of_density(*by_r), said.flanks[1])
    if d is not None and r is not None:
        duration = figure_of_duration(fitted.parts)
    scale = fitted.scene.scale
    depth = figure_of_depth(fitted.parts, scale, GREATEST_DEPTH * scale)
    return Event(said.shape.model, d, r, depth, duration, dip, scores)


def edge_of(curve: EventCurve, kind: str, seconds: Figure, flank: Flank) -> Edge:
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
                for (low, high), z in zip(seconds.intervals, GAUSSIAN, strict=True)
            ),
        )
    return Edge(
        "D" if kind == "D" else "R",
        seconds,
        curve.utc_ns(seconds.value) if curve.dated else UNKNOWN_NS,
        timing,
        utc,
        flank.rise_s() or None,
    )
