"""What is said of a curve's events, for programs (``events.json``) and for people."""

import math
from collections.abc import Mapping
from typing import Any

from reduction.events.curve import EventCurve
from reduction.events.fields import event_fields, fields_of
from reduction.events.results import Edge, Event, EventAnalysis, Figure
from reduction.events.settings import EventSettings
from reduction.outputs.words import duration, figure, plural
from reduction.timing import UNKNOWN_NS, utc_text
from reduction.version import VERSION

SCHEMA = "umbra-events-1"
"""The number rises when a field goes or changes its meaning; ``docs/lightcurves.md`` has every field."""

PERCENT = ("68 %", "95 %", "99.7 %")


def document(analysis: EventAnalysis, curve: EventCurve, settings: EventSettings) -> dict[str, Any]:
    """Return the content of ``events.json``: plain values only, None for what is not a finite number."""
    content = {
        "schema": SCHEMA,
        "version": VERSION,
        "curve": {
            "name": curve.name,
            "samples": int(curve.time_s.size),
            "usable": int(curve.usable.sum()),
            "first_utc": utc_text(curve.utc_ns(float(curve.time_s[0])), 9) or None,
            "reference_utc": utc_text(curve.ref_ns, 9) or None,
            "cadence_s": curve.cadence_s(),
        },
        "settings": settings.model_dump(mode="json"),
        "status": analysis.status,
        "reason": analysis.reason,
        "false_alarm_probability": analysis.false_alarm_probability,
        "events": [event_fields(event, curve.ref_ns) for event in analysis.events],
        "dips": [fields_of(dip) for dip in analysis.dips],
        "noise": fields_of(analysis.noise),
        "detectable": None if analysis.detectable is None else fields_of(analysis.detectable),
        "caveats": [
            {"code": note.caveat.value, "message": note.message}
            for note in dict.fromkeys((*curve.notes, *analysis.notes))
        ],
    }
    plain: dict[str, Any] = _plain(content)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def analysis_text(analysis: EventAnalysis, curve: EventCurve) -> str:
    """The analysis in lines for a screen."""
    chance = probability(analysis.false_alarm_probability)
    lines = [
        f"{curve.name}: {analysis.status}",
        f"  {analysis.reason}",
        f"  false-alarm probability of the whole search: {chance}",
    ]
    for number, event in enumerate(analysis.events, 1):
        lines += _event_lines(number, event, curve)
    seen = analysis.detectable
    if seen is not None:
        shortest = "none of the lengths tried" if math.isinf(seen.shortest_s) else duration(seen.shortest_s)
        lines.append(
            f"  shortest event of depth {figure(seen.depth, 2)} that {100 * seen.recovered:.0f} % of "
            f"{plural(seen.trials, 'injection')} are found of: {shortest}"
        )
    longest = analysis.noise.longest_s
    memory = f"correlated over {duration(longest)}" if longest > 0 else "white"
    lines.append(f"  noise of a sample: {figure(analysis.noise.sigma)}, {memory}")
    notes = dict.fromkeys((*curve.notes, *analysis.notes))
    lines += [f"  {note.caveat.value}: {note.message}" for note in notes]
    return "\n".join(lines) + "\n"


def _event_lines(number: int, event: Event, curve: EventCurve) -> list[str]:
    best = event.scores[0].chi2_reduced if event.scores else float("nan")
    kind = f"{event.label}, reduced chi-square {figure(best)}" if event.scores else event.label
    lines = [f"  event {number}: {kind}"]
    for edge in (event.d, event.r):
        if edge is not None:
            lines.append(f"    {edge.kind}  {edge_text(edge, curve)}  ({intervals_text(edge.utc)})")
            if edge.gradual_s is not None:
                lines.append(f"       gradual: 10 to 90 % in {duration(edge.gradual_s)}")
    if event.d is None or event.r is None:
        lines.append(f"    {'D' if event.d is None else 'R'}  outside the recording")
    if event.duration is not None:
        length = event.duration
        lines.append(f"    duration {value_text(length, 's')}  ({intervals_text(length)})")
    lines.append(f"    depth {value_text(event.depth)}  ({intervals_text(event.depth)})")
    for name, value in event.parameters.items():
        lines.append(f"    {name} {value_text(value)}  ({intervals_text(value)})")
    if len(event.scores) > 1:
        least_a, least_b = (min(getattr(s, key) for s in event.scores) for key in ("aic", "bic"))
        ranked = (f"{s.model} (AIC +{s.aic - least_a:.1f}, BIC +{s.bic - least_b:.1f})" for s in event.scores)
        lines.append(f"    models compared: {', '.join(ranked)}")
    return lines


def digits_of(sigma: float, most: int = 9) -> int:
    """Decimals that show two digits of an error."""
    if not (math.isfinite(sigma) and sigma > 0):
        return min(3, most)
    return max(0, min(most, 1 - math.floor(math.log10(sigma))))


def edge_text(edge: Edge, curve: EventCurve) -> str:
    """``2017-06-22 21:21:20.325 ± 0.030 s``; seconds after the origin of an undated curve."""
    sigma = edge.utc.sigma
    digits = digits_of(sigma)
    if edge.utc_ns != UNKNOWN_NS and curve.dated:
        when = utc_text(edge.utc_ns, digits)[:-1].replace("T", " ") + " UTC"
    else:
        when = f"{edge.utc.value:.{digits}f} s"
    return f"{when} ± {sigma:.{digits}f} s"


def value_text(value: Figure, unit: str = "") -> str:
    """``10.024 ± 0.044 s``."""
    digits = digits_of(value.sigma)
    return f"{value.value:.{digits}f} ± {value.sigma:.{digits}f}{' ' if unit else ''}{unit}"


def intervals_text(value: Figure) -> str:
    """``68 % -0.030 +0.031, 95 % ...``: how far each interval reaches below and above the value."""
    digits = digits_of(value.sigma)
    pairs = zip(PERCENT, value.intervals, strict=False)
    return ", ".join(
        f"{level} -{value.value - low:.{digits}f} +{high - value.value:.{digits}f}"
        for level, (low, high) in pairs
    )


def probability(value: float) -> str:
    """A probability: ``0.031``, ``2e-07``, ``below 1e-15``."""
    if not math.isfinite(value):
        return "unknown"
    if value < 1e-15:
        return "below 1e-15"
    return f"{value:.2g}"
