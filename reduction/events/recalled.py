"""What was said of a curve's events, read back from ``summary.json`` or ``events.json``."""

import math
from collections.abc import Mapping
from typing import Any

from reduction.errors import DataError
from reduction.events.results import (
    Detectable,
    Dip,
    Edge,
    Event,
    EventAnalysis,
    Figure,
    ModelScore,
    NoiseModel,
)
from reduction.timing import UNKNOWN_NS

Fields = Mapping[str, Any]


def recalled(fields: Fields, reference_ns: int) -> EventAnalysis:
    """The analysis whose `event` of a summary is `fields`; numbers that were not finite are NaN.

    Parameters
    ----------
    fields : mapping
        As `reduction.outputs.event_summary.event_summary` gives them, from JSON.
    reference_ns : int
        UTC from which the seconds of the fit count, POSIX ns; `UNKNOWN_NS` of an undated curve.

    Raises
    ------
    DataError
        They are not those of an analysis.
    """
    try:
        seen = fields["detectable"]
        return EventAnalysis(
            status=fields["status"],
            false_alarm_probability=_number(fields["false_alarm_probability"]),
            events=tuple(_event(one, reference_ns) for one in fields["events"]),
            dips=tuple(_dip(one) for one in fields["dips"]),
            noise=_noise(fields["noise"]),
            detectable=None if seen is None else _detectable(seen),
            reason=str(fields["reason"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"what is said of the event cannot be read: {error!r}; reduce again") from error


def _number(value: Any, missing: float = math.nan) -> float:
    return missing if value is None else float(value)


def _event(fields: Fields, reference_ns: int) -> Event:
    return Event(
        label=str(fields["label"]),
        d=_edge("D", fields["d"], reference_ns),
        r=_edge("R", fields["r"], reference_ns),
        depth=_figure(fields["depth"]),
        duration=None if fields["duration_s"] is None else _figure(fields["duration_s"]),
        dip=_dip(fields["dip"]),
        scores=tuple(_score(one) for one in fields["scores"]),
        parameters={str(name): _figure(one) for name, one in fields["parameters"].items()},
    )


def _figure(fields: Fields) -> Figure:
    pairs = tuple((_number(low), _number(high)) for low, high in fields["intervals"])
    return Figure(_number(fields["value"]), _number(fields["sigma"]), pairs)


def _edge(kind: str, fields: Fields | None, reference_ns: int) -> Edge | None:
    if fields is None:
        return None
    seconds = _figure(fields["fit"])
    bounds = tuple(
        (seconds.value + _number(low), seconds.value + _number(high)) for low, high in fields["intervals_s"]
    )
    dated = reference_ns != UNKNOWN_NS and fields["utc"] is not None
    return Edge(
        kind="D" if kind == "D" else "R",
        seconds=seconds,
        utc_ns=reference_ns + round(seconds.value * 1e9) if dated else UNKNOWN_NS,
        timing_sigma_s=_number(fields["timing_sigma_s"]),
        utc=Figure(seconds.value, _number(fields["sigma_s"]), bounds),
        gradual_s=None if fields["gradual_s"] is None else float(fields["gradual_s"]),
    )


def _dip(fields: Fields) -> Dip:
    return Dip(
        first=int(fields["first"]),
        last=int(fields["last"]),
        depth=_number(fields["depth"]),
        snr=_number(fields["snr"]),
        false_alarm_probability=_number(fields["false_alarm_probability"]),
        kind="step" if fields["kind"] == "step" else "dip",
    )


def _score(fields: Fields) -> ModelScore:
    named = ("log_likelihood", "aic", "bic", "chi2_reduced")
    numbers = {name: _number(fields[name]) for name in named}
    return ModelScore(model=str(fields["model"]), parameters=int(fields["parameters"]), **numbers)


def _noise(fields: Fields) -> NoiseModel:
    return NoiseModel(
        sigma=_number(fields["sigma"]),
        ar=tuple(float(one) for one in fields["ar"]),
        innovation=_number(fields["innovation"]),
        longest_s=_number(fields["longest_s"]),
        bad_share=_number(fields["bad_share"]),
        bad_ratio=_number(fields["bad_ratio"]),
        weighted=bool(fields["weighted"]),
    )


def _detectable(fields: Fields) -> Detectable:
    """`shortest_s` is null where none of the lengths tried would have been seen: infinite."""
    return Detectable(
        depth=_number(fields["depth"]),
        shortest_s=_number(fields["shortest_s"], math.inf),
        recovered=_number(fields["recovered"]),
        trials=int(fields["trials"]),
    )
