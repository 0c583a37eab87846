"""The event of a reduction for programs: field `event` of ``summary.json``; see ``docs/outputs.md``."""

import math
from typing import Any

import numpy as np

from reduction.events.fields import event_fields, fields_of, utc_or_none
from reduction.events.results import Dip, Edge, Event, EventAnalysis
from reduction.result import LightCurve, ReductionResult
from reduction.timing import UNKNOWN_NS

Timed = tuple[int, float]
"""UTC, POSIX ns, and its one-sigma error, seconds."""


def event_summary(result: ReductionResult) -> dict[str, Any] | None:
    """Return what is said of the event; None where none was looked for.

    The edges at the top are those of the most significant event: of its fit, or, without one, of the first
    and last low exposure.
    """
    analysis = result.event
    if analysis is None:
        return None
    first = leading(analysis)
    edges = (None, None) if first is None else (first.d, first.r)
    found = _of_fit(*edges) if first is not None else _of_search(analysis, result)
    return {
        "status": analysis.status,
        "reason": analysis.reason,
        **found,
        **_depth(analysis, first),
        "false_alarm_probability": analysis.false_alarm_probability,
        "events": [event_fields(event, _reference(result.lightcurve)) for event in analysis.events],
        "dips": [fields_of(dip) for dip in analysis.dips],
        "noise": fields_of(analysis.noise),
        "detectable": None if analysis.detectable is None else fields_of(analysis.detectable),
    }


def leading(analysis: EventAnalysis) -> Event | None:
    """The most significant event that was fitted."""
    return min(analysis.events, key=lambda event: event.dip.false_alarm_probability, default=None)


def edge_times(analysis: EventAnalysis, result: ReductionResult) -> tuple[Timed, Timed]:
    """UTC, POSIX ns, and one-sigma error, s, of D and R of the leading event; `UNKNOWN_NS` where unknown."""
    first = leading(analysis)
    if first is not None:
        d, r = (
            (UNKNOWN_NS, math.nan) if edge is None else (edge.utc_ns, edge.utc.sigma)
            for edge in (first.d, first.r)
        )
        return d, r
    if analysis.status != "positive" or not analysis.dips:
        return (UNKNOWN_NS, math.nan), (UNKNOWN_NS, math.nan)
    return _dip_edges(analysis.dips[0], result.lightcurve)


def _dip_edges(dip: Dip, curve: LightCurve) -> tuple[Timed, Timed]:
    """Beginning of a dip's first exposure and end of its last one; a cadence's uniform error."""
    at = np.flatnonzero(curve.mid_ns != UNKNOWN_NS)
    if at.size < 2:
        return (UNKNOWN_NS, math.nan), (UNKNOWN_NS, math.nan)
    at = at[np.argsort(curve.mid_ns[at], kind="stable")]
    at = at[np.concatenate([[True], np.diff(curve.mid_ns[at]) > 0])]  # as `reduction.events.curve.curve_of`
    mid = curve.mid_ns[at]
    cadence_s = float(np.median(np.diff(mid))) * 1e-9
    out = []
    for sample, side, outside in ((dip.first, -1, dip.first == 0), (dip.last, 1, dip.last == at.size - 1)):
        exposure = float(curve.exposure_s[at[sample]])
        half = 0.5 * (exposure if math.isfinite(exposure) else cadence_s)
        timing = float(np.nan_to_num(curve.utc_sigma_s[at[sample]]))
        sigma = math.hypot(cadence_s / math.sqrt(12.0), timing)
        when = int(mid[sample]) + side * round(half * 1e9)
        out.append((UNKNOWN_NS, math.nan) if outside else (when, sigma))
    return out[0], out[1]


def _reference(curve: LightCurve) -> int:
    """UTC from which the seconds of an event's figures count."""
    known = curve.mid_ns[curve.mid_ns != UNKNOWN_NS]
    return int(known.min()) if known.size >= 2 else UNKNOWN_NS


def _of_fit(d: Edge | None, r: Edge | None) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, edge in (("d", d), ("r", r)):
        fields[f"{name}_utc"] = None if edge is None else utc_or_none(edge.utc_ns)
        fields[f"{name}_sigma_s"] = None if edge is None else edge.utc.sigma
    return fields | {"edges_from": "fit"}


def _of_search(analysis: EventAnalysis, result: ReductionResult) -> dict[str, Any]:
    (d, d_sigma), (r, r_sigma) = edge_times(analysis, result)
    known = {"d_utc": utc_or_none(d), "d_sigma_s": d_sigma, "r_utc": utc_or_none(r), "r_sigma_s": r_sigma}
    return known | {"edges_from": "search" if d != UNKNOWN_NS or r != UNKNOWN_NS else None}


def _depth(analysis: EventAnalysis, first: Event | None) -> dict[str, Any]:
    if first is not None:
        return {"depth": first.depth.value, "depth_sigma": first.depth.sigma}
    if analysis.status != "positive" or not analysis.dips:
        return {"depth": None, "depth_sigma": None}
    dip = analysis.dips[0]
    return {"depth": dip.depth, "depth_sigma": dip.depth / dip.snr if dip.snr > 0 else None}
