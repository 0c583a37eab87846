"""``events.html``: one file that shows a curve's events, to be zoomed and pointed at; it loads nothing."""

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from reduction.events.curve import EventCurve, Floats
from reduction.events.document import digits_of, edge_text, probability, value_text
from reduction.events.drawn import Drawn
from reduction.events.results import Edge, Event, EventAnalysis, Figure
from reduction.outputs.event_figure import Overlay, offset_text, with_sigma
from reduction.outputs.lightcurve_figure import scale
from reduction.outputs.words import duration, figure, plural
from reduction.timing import utc_text

MOST_POINTS = 200_000
"""Samples that a page shows one by one; of longer curves, those about the events."""


class Row(NamedTuple):
    """A fitted figure: its kind (D, R or nothing), name, value and three intervals as text."""

    kind: str
    name: str
    value: str
    intervals: tuple[str, ...]


def event_page(
    curve: EventCurve, analysis: EventAnalysis, model: Drawn, png: bytes, overlay: Overlay | None = None
) -> str:
    """Return the page: self-contained; its only script is its own, by hash; all text escaped.

    Parameters
    ----------
    curve : EventCurve
    analysis : EventAnalysis
    model : Drawn
    png : bytes
        The figure.
    overlay : Overlay, optional
        Another curve to be shown along.
    """
    script = _text("event_page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    data = _data(with_sigma(curve, analysis), analysis, model, overlay)
    first = utc_text(curve.utc_ns(float(curve.time_s[0])), 3) if curve.dated else "no date"
    return _template().render(
        policy=(
            f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        name=curve.name,
        summary=f"{plural(curve.time_s.size, 'sample')} from {first}, cadence {duration(curve.cadence_s())}",
        status=analysis.status,
        reason=analysis.reason,
        chance=probability(analysis.false_alarm_probability),
        overlay="" if overlay is None else offset_text(overlay),
        low=data["time"][0],
        high=data["time"][-1],
        buttons=_buttons(curve, analysis, data["zero_s"]),
        alt=f"light curve of {curve.name}: {analysis.status}",
        events=[_event(event, curve) for event in analysis.events],
        notes=tuple(dict.fromkeys((*curve.notes, *analysis.notes))),
        figure="data:image/png;base64," + base64.b64encode(png).decode("ascii"),
        data=Markup(json.dumps(data, allow_nan=False).replace("<", "\\u003c")),
        script=Markup(script),
    )


def _text(name: str) -> str:
    return resources.files("reduction.outputs").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_text("event_page.html.j2"))


def _data(
    curve: EventCurve, analysis: EventAnalysis, model: Drawn, overlay: Overlay | None
) -> dict[str, Any]:
    """What the script draws; times are seconds after the whole second before the first sample."""
    part = _part(curve, analysis)
    zero = math.floor(float(curve.time_s[part][0]))
    if curve.dated:  # of a whole second of UTC
        zero_ns = curve.utc_ns(float(curve.time_s[part][0])) // 10**9 * 10**9
        zero_s = (zero_ns - curve.ref_ns) * 1e-9
    else:
        zero_ns, zero_s = None, float(zero)
    good = curve.usable[part] & np.isfinite(curve.flux[part])
    bottom, top = scale(curve.flux[part][good]) if good.any() else (0.0, 1.0)
    time = curve.time_s[part] - zero_s
    events = [e for event in analysis.events for e in (event.d, event.r) if e is not None]
    at = [edge.utc.value - zero_s for edge in events]
    fine = (model.seconds >= curve.time_s[part][0]) & (model.seconds <= curve.time_s[part][-1])
    margin = 1.5 * max(max(at) - min(at), 20 * curve.cadence_s()) if at else 0.0
    whole = [float(time[0]), float(time[-1])]
    view = [max(min(at) - margin, whole[0]), min(max(at) + margin, whole[1])] if at else whole
    return {
        "zero_ms": None if zero_ns is None else zero_ns // 10**6,
        "zero_s": zero_s,
        "cadence": curve.cadence_s(),
        "view": view,
        "top": top,
        "bottom": bottom,
        "time": _list(time, 7),
        "frame": curve.frame[part].tolist(),
        "flux": _list(curve.flux[part], 6),
        "sigma": _list(curve.sigma[part], 6),
        "usable": curve.usable[part].astype(int).tolist(),
        "half": _list(model.half_exposure_s[part], 7),
        "measured": _list(model.measured[part], 6),
        "model": {"time": _list(model.seconds[fine] - zero_s, 7), "flux": _list(model.light[fine], 6)},
        "edges": [_drawn_edge(edge, zero_s) for edge in events],
        "other": None if overlay is None else _other(curve, overlay, zero_s, time),
    }


def _part(curve: EventCurve, analysis: EventAnalysis) -> slice:
    n = curve.time_s.size
    if n <= MOST_POINTS:
        return slice(0, n)
    middle = n // 2
    if analysis.dips:
        middle = (analysis.dips[0].first + analysis.dips[0].last) // 2
    first = min(max(middle - MOST_POINTS // 2, 0), n - MOST_POINTS)
    return slice(first, first + MOST_POINTS)


def _drawn_edge(edge: Edge, zero_s: float) -> dict[str, Any]:
    intervals = [[low - zero_s, high - zero_s] for low, high in edge.utc.intervals]
    return {"kind": edge.kind, "at": edge.utc.value - zero_s, "intervals": intervals}


def _other(curve: EventCurve, overlay: Overlay, zero_s: float, time: Floats) -> dict[str, Any]:
    theirs = overlay.curve
    shift = (theirs.ref_ns - curve.ref_ns) * 1e-9 if curve.dated and theirs.dated else 0.0
    at = theirs.time_s + shift - zero_s
    good = theirs.usable & np.isfinite(theirs.flux) & (at >= time[0]) & (at <= time[-1])
    return {"time": _list(at[good], 7), "flux": _list(theirs.flux[good], 6)}


def _list(values: Floats, digits: int) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in np.round(values, digits).tolist()]


def _buttons(curve: EventCurve, analysis: EventAnalysis, zero_s: float) -> list[dict[str, Any]]:
    """One for each edge: seven cadences, or what the error needs, on either side."""
    out = []
    for number, event in enumerate(analysis.events, 1):
        for edge in (event.d, event.r):
            if edge is None:
                continue
            sigma = edge.utc.sigma if math.isfinite(edge.utc.sigma) else 0.0
            reach = max(7 * curve.cadence_s(), 5 * sigma, 2.5 * (edge.gradual_s or 0.0))
            at = edge.utc.value - zero_s
            text = edge.kind if len(analysis.events) == 1 else f"{edge.kind} {number}"
            out.append({"kind": edge.kind, "text": text, "low": at - reach, "high": at + reach})
    return out


def _event(event: Event, curve: EventCurve) -> dict[str, Any]:
    rows = [
        Row(edge.kind, edge.kind, edge_text(edge, curve), _intervals(edge.utc, "s"))
        for edge in (event.d, event.r)
        if edge is not None
    ]
    if event.duration is not None:
        rows.append(Row("", "duration", value_text(event.duration, "s"), _intervals(event.duration, "s")))
    rows.append(Row("", "depth", value_text(event.depth), _intervals(event.depth)))
    rows += [Row("", name, value_text(value), _intervals(value)) for name, value in event.parameters.items()]
    return {"label": event.label, "rows": rows, "scores": _scores(event)}


def _intervals(value: Figure, unit: str = "") -> tuple[str, ...]:
    digits = digits_of(value.sigma)
    tail = f" {unit}" if unit else ""
    return tuple(
        f"−{value.value - low:.{digits}f} +{high - value.value:.{digits}f}{tail}"
        for low, high in value.intervals
    )


def _scores(event: Event) -> Sequence[dict[str, Any]]:
    if not event.scores:
        return ()
    aic, bic = (min(getattr(score, key) for score in event.scores) for key in ("aic", "bic"))
    return [
        {
            "model": score.model,
            "parameters": score.parameters,
            "aic": f"{score.aic - aic:.1f}",
            "bic": f"{score.bic - bic:.1f}",
            "chi2": figure(score.chi2_reduced),
        }
        for score in event.scores
    ]
