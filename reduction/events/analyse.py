"""From a light curve to what can be said of its events."""

import math

import numpy as np
from numpy.typing import NDArray

from reduction.events.around import LEAST_SAMPLES
from reduction.events.curve import EventCurve, curve_of
from reduction.events.detectable import shortest_detectable
from reduction.events.false_alarm import false_alarm_probability, least_score
from reduction.events.fitted import fitted_events
from reduction.events.results import Detectable, Dip, EventAnalysis, NoiseModel, Status
from reduction.events.search import Strongest, strongest
from reduction.events.settings import EventSettings
from reduction.result import LightCurve

Mask = NDArray[np.bool_]

DOUBTFUL = 0.01
"""False-alarm probability below which a curve with a dip is no clear negative."""

GUARD = 0.2
"""Masked on each side of a dip when the next one is looked for, in units of its length: its flanks."""

NO_NOISE = NoiseModel(float("nan"), (), 1.0, 0.0)


def analyse(curve: EventCurve, settings: EventSettings | None = None, stars: int = 1) -> EventAnalysis:
    """Search a light curve for events and say what it shows.

    Parameters
    ----------
    curve : EventCurve
    settings : EventSettings, optional
    stars : int
        Light curves of the recording that were searched; the false-alarm probability is that of all.
    """
    wanted = settings or EventSettings()
    usable = curve.usable & np.isfinite(curve.flux)
    dips, best, used = find_dips(curve, usable, wanted, stars)
    if best is None:
        return _unsearchable(usable)
    first = dips[0]
    positive = tuple(dip for dip in dips if dip.false_alarm_probability < wanted.false_alarm)
    detectable = None if positive else _detectable(curve, used, best, wanted, stars)
    status, reason = _verdict(curve, first, positive, detectable)
    events, notes = fitted_events(curve, wanted, positive, best.noise)
    return EventAnalysis(
        status=status,
        false_alarm_probability=first.false_alarm_probability,
        events=events,
        dips=dips,
        noise=best.noise,
        detectable=detectable,
        reason=reason,
        notes=notes,
    )


def analyse_lightcurve(
    lightcurve: LightCurve, name: str, cadence_s: float | None, settings: EventSettings, stars: int = 1
) -> EventAnalysis:
    """The same of a reduction's light curve, of however few samples.

    Parameters
    ----------
    lightcurve : LightCurve
    name : str
        Of the recording.
    cadence_s : float or None
        Of a curve without times.
    settings : EventSettings
    stars : int
        Light curves of the recording that were searched.
    """
    if lightcurve.frame.size < LEAST_SAMPLES:
        return _unsearchable(np.ones(lightcurve.frame.size, bool))
    return analyse(curve_of(lightcurve, name, cadence_s), settings, stars)


def find_dips(
    curve: EventCurve, usable: Mask, settings: EventSettings, stars: int = 1
) -> tuple[tuple[Dip, ...], Strongest | None, Mask]:
    """Dips one after the other, those found before masked, the most significant first.

    Returns
    -------
    dips : tuple of Dip
        Those that are events; and the next one, where there is none or it is doubtful.
    last : Strongest or None
        What was found last: its noise is that without the events.
    usable : array of bool
        Samples that the last search looked at.
    """
    dips: list[Dip] = []
    last: Strongest | None = None
    used = usable.copy()
    while len(dips) < settings.most_events:
        best = strongest(curve, used, settings.baseline_order)
        if best is None:
            break
        last = best
        dip = _dip(best, stars)
        significant = dip.false_alarm_probability < settings.false_alarm
        if not dips or significant or dip.false_alarm_probability < DOUBTFUL:
            dips.append(dip)
        if not significant:
            break
        used = used.copy()
        guard = max(1, round(GUARD * (best.last - best.first + 1)))
        used[max(0, best.first - guard) : best.last + 1 + guard] = False
    return tuple(sorted(dips, key=lambda dip: dip.false_alarm_probability)), last, used


def _dip(best: Strongest, stars: int) -> Dip:
    p = false_alarm_probability(best.score, best.noise, best.samples, best.run, stars)
    return Dip(
        first=best.first,
        last=best.last,
        depth=best.depth,
        snr=best.snr,
        false_alarm_probability=p,
        kind="step" if best.step else "dip",
    )


def _detectable(
    curve: EventCurve, used: Mask, best: Strongest, settings: EventSettings, stars: int
) -> Detectable:
    def needed(run: int) -> float:
        return least_score(settings.false_alarm, best.noise, best.samples, run, stars)

    return shortest_detectable(curve, used, best, settings.depth() or 1.0, needed, settings.seed)


def _unsearchable(usable: Mask) -> EventAnalysis:
    """Of a curve with too few samples, or without any noise."""
    number = int(usable.sum())
    if number < LEAST_SAMPLES:
        reason = (
            f"{number} usable samples are too few to tell an event from noise ({LEAST_SAMPLES} are needed)."
        )
    else:
        reason = "The samples do not scatter at all, so nothing can be weighed against noise."
    return EventAnalysis("inconclusive", 1.0, (), (), NO_NOISE, None, reason)


def _verdict(
    curve: EventCurve,
    first: Dip,
    positive: tuple[Dip, ...],
    detectable: Detectable | None,
) -> tuple[Status, str]:
    """Status, and why."""
    if positive:
        return "positive", _claimed(curve, positive)
    p = first.false_alarm_probability
    if p < DOUBTFUL or (first.last == first.first and first.snr > 8.0):
        why = (
            "one low sample cannot be told from a bad one"
            if first.last == first.first
            else f"noise alone does as much in {percent(p)} of such curves"
        )
        return "inconclusive", (
            f"The deepest dip ({first.snr:.1f} sigma, {_span(curve, first)}) is no proof of an event: {why}."
        )
    assert detectable is not None  # of every curve without an event
    if not math.isfinite(detectable.shortest_s):
        return "inconclusive", (
            f"No dip stands out of the noise, but neither would an event of depth {detectable.depth:.2g} "
            "that lasts a third of the recording."
        )
    if not curve.dated:
        return "inconclusive", (
            "No dip stands out of the noise; but the curve has no times, so nobody knows whether it covers "
            "the event."
        )
    return "negative", (
        f"No dip stands out of the noise (the deepest has {first.snr:.1f} sigma, which noise alone makes in "
        f"{percent(p)} of such curves); an event of depth {detectable.depth:.2g} would have been seen from "
        f"{detectable.shortest_s:.3g} s on."
    )


def _claimed(curve: EventCurve, positive: tuple[Dip, ...]) -> str:
    first = positive[0]
    text = (
        f"{first.depth:.0%} of the light is missing {_span(curve, first)}, {first.snr:.0f} sigma; noise "
        f"alone would make such a dip anywhere in {percent(first.false_alarm_probability)} of such curves"
    )
    if len(positive) > 1:
        text += f"; {len(positive) - 1} more dip{'s' if len(positive) > 2 else ''} of that kind"
    return text + "."


def _span(curve: EventCurve, dip: Dip) -> str:
    number = int(curve.usable[dip.first : dip.last + 1].sum())
    return "in one sample" if number == 1 else f"in {number} samples"


def percent(probability: float) -> str:
    """A probability for people."""
    if probability < 1e-6:
        return "fewer than one in a million"
    return f"{100.0 * probability:.2g} %"
