"""An event as JSON can hold it: the same in ``events.json`` and ``summary.json``."""

from typing import Any

from reduction.events.results import LEVELS, Edge, Event, Figure
from reduction.timing import UNKNOWN_NS, utc_text

DIGITS = 9
"""Of the seconds of an edge."""


def event_fields(event: Event, reference_ns: int) -> dict[str, Any]:
    """Fields of an event whose seconds count from `reference_ns` (`UNKNOWN_NS`: of an undated curve)."""
    return {
        "label": event.label,
        "d": None if event.d is None else _edge(event.d, reference_ns),
        "r": None if event.r is None else _edge(event.r, reference_ns),
        "depth": _figure(event.depth),
        "duration_s": None if event.duration is None else _figure(event.duration),
        "dip": fields_of(event.dip),
        "scores": [fields_of(score) for score in event.scores],
        "parameters": {name: _figure(value) for name, value in event.parameters.items()},
    }


def _edge(edge: Edge, reference_ns: int) -> dict[str, Any]:
    """An edge: UTC with all errors in it; `fit` in seconds after the first sample, of the fit alone."""
    dated = UNKNOWN_NS not in {reference_ns, edge.utc_ns}
    bounds = [
        [utc_or_none(reference_ns + round(bound * 1e9)) if dated else None for bound in pair]
        for pair in edge.utc.intervals
    ]
    return {
        "utc": utc_or_none(edge.utc_ns),
        "sigma_s": edge.utc.sigma,
        "intervals_s": [[low - edge.utc.value, high - edge.utc.value] for low, high in edge.utc.intervals],
        "intervals_utc": bounds,
        "timing_sigma_s": edge.timing_sigma_s,
        "fit": _figure(edge.seconds),
        "gradual_s": edge.gradual_s,
    }


def _figure(value: Figure) -> dict[str, Any]:
    return {
        "value": value.value,
        "sigma": value.sigma,
        "levels": list(LEVELS),
        "intervals": [list(pair) for pair in value.intervals],
    }


def fields_of(record: Any) -> dict[str, Any]:
    """Fields of a slotted record, in order."""
    return {name: getattr(record, name) for name in record.__slots__}


def utc_or_none(when_ns: int) -> str | None:
    """UTC to the nanosecond; None where unknown."""
    return utc_text(when_ns, DIGITS) if when_ns != UNKNOWN_NS else None
