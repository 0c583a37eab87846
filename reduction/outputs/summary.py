"""``summary.json``: the figures of a reduction for programs. ``docs/outputs.md`` has every field."""

import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.outputs.event_summary import event_summary
from reduction.outputs.verdict import Verdict, flag_count
from reduction.outputs.words import all_notes
from reduction.result import Flag, Provenance, ReductionResult
from reduction.timing import UNKNOWN_NS, utc_text

SCHEMA = "umbra-summary-1"
"""The form of ``summary.json``; the number rises when a field changes its meaning or goes."""


def summarise(result: ReductionResult, verdict: Verdict, files: tuple[str, ...]) -> dict[str, Any]:
    """Return the content of ``summary.json``: plain values only, None for what is not a finite number.

    Parameters
    ----------
    result : ReductionResult
        A whole reduction.
    verdict : Verdict
        Its judgement.
    files : tuple of str
        Names of the output files; only a folder that holds nothing else is ever overwritten.
    """
    content = {
        "schema": SCHEMA,
        "files": files,
        "input": _input(result),
        "alignment": _fields(result.alignment),
        "photometry": _photometry(result),
        "lightcurve": _lightcurve(result),
        "event": event_summary(result),
        "caveats": [{"code": note.caveat, "message": note.message} for note in all_notes(result)],
        "verdict": {
            "state": verdict.state,
            "headline": verdict.headline,
            "items": [_fields(item) for item in verdict.items],
        },
        "sky": None if result.sky is None else result.sky.document(result.plan.frame),
        "provenance": _provenance(result.provenance),
        "stars": [_fields(star) for star in result.stars],
    }
    plain = _plain(content)
    assert isinstance(plain, dict)
    return plain


def summary_text(summary: Mapping[str, Any]) -> str:
    """Return the text of ``summary.json``."""
    return json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _input(result: ReductionResult) -> dict[str, Any]:
    source, times = result.source, result.times
    mid = result.lightcurve.mid_ns
    known = mid[mid != UNKNOWN_NS]
    return {
        "format": source.format,
        "name": source.name,
        "frames": source.frames,
        "width": source.width,
        "height": source.height,
        "dtype": source.dtype,
        "bit_depth": source.bit_depth,
        "colour": source.colour,
        "first_utc": utc_text(int(known.min())) if known.size else None,
        "last_utc": utc_text(int(known.max())) if known.size else None,
        "time_source": times.source,
        "time_meaning": times.meaning,
        "times_known": known.size,
        "time_sigma_s": _median(result.lightcurve.utc_sigma_s),
        "cadence_s": times.cadence_s(),
        "exposure_s": _median(result.lightcurve.exposure_s),
        "ledger": [_fields(entry) for entry in times.ledger],
        "metadata": source.metadata,
    }


def _photometry(result: ReductionResult) -> dict[str, Any]:
    fields = _fields(result.photometry)
    curve = ("radii_px", "growth", "predicted_sigma")
    return {k: v for k, v in fields.items() if k not in curve} | {"curve": {k: fields[k] for k in curve}}


def _lightcurve(result: ReductionResult) -> dict[str, Any]:
    curve = result.lightcurve
    return _fields(result.quality) | {
        "baseline_points": np.count_nonzero(curve.baseline),
        "flags": {str(flag.name).lower(): flag_count(curve, flag) for flag in Flag},
    }


def _provenance(provenance: Provenance) -> dict[str, Any]:
    return _fields(provenance) | {"plan": provenance.plan.model_dump(mode="json")}


def _fields(record: Any) -> dict[str, Any]:
    """Return the fields of a slotted record, in order."""
    return {name: getattr(record, name) for name in record.__slots__}


def _median(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None


def _plain(value: Any) -> Any:
    """Return `value` as JSON can hold it."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in summary.json")
