"""The event of a reduction in words: title and figures, for the report and the screen."""

import math

from reduction.events.results import EventAnalysis, Figure
from reduction.outputs.event_summary import edge_times, leading
from reduction.outputs.words import duration, figure
from reduction.result import ReductionResult
from reduction.timing import UNKNOWN_NS, utc_text

Row = tuple[str, str]

TITLES = {
    "positive": "An event",
    "negative": "No event",
    "inconclusive": "No event shown, none excluded",
}


def event_title(result: ReductionResult) -> str:
    """What the curve shows, in a few words."""
    if result.event is None:
        return "Not searched for events"
    number = sum(dip.false_alarm_probability < 1e-3 for dip in result.event.dips)
    if result.event.status == "positive" and max(number, len(result.event.events)) > 1:
        return f"{max(number, len(result.event.events))} events"
    return TITLES[result.event.status]


def event_rows(result: ReductionResult) -> list[Row]:
    """Figures by name."""
    analysis = result.event
    if analysis is None:
        return []
    rows = _edges(analysis, result) if analysis.status == "positive" else []
    rows.append(("false-alarm probability of the whole search", chance(analysis.false_alarm_probability)))
    if analysis.detectable is not None:
        seen = analysis.detectable
        length = "none" if math.isinf(seen.shortest_s) else duration(seen.shortest_s)
        rows.append((f"shortest event of depth {figure(seen.depth, 2)} that would have been seen", length))
    noise = analysis.noise
    if math.isfinite(noise.sigma):
        words = f"sigma {figure(noise.sigma)}"
        words += f", correlated over {duration(noise.longest_s)}" if noise.longest_s > 0 else ", white"
        if noise.bad_share > 0:
            words += f", {100.0 * noise.bad_share:.2g} % bad points"
        rows.append(("noise of a point", words))
    return rows


def _edges(analysis: EventAnalysis, result: ReductionResult) -> list[Row]:
    """D, R, duration and depth of the leading event."""
    rows: list[Row] = []
    d, r = edge_times(analysis, result)
    first = leading(analysis)
    for name, (when, sigma) in (("D", d), ("R", r)):
        if when != UNKNOWN_NS:
            rows.append((f"{name}, UTC", f"{_shown(when, sigma)} ± {_seconds(sigma)}"))
    if first is not None:
        if first.duration is not None:
            rows.append(
                (
                    "duration",
                    f"{first.duration.value:.{_digits(first.duration.sigma)}f} s ± "
                    f"{_seconds(first.duration.sigma)}",
                )
            )
        rows.append(("depth", _share(first.depth)))
        rows.append(("flanks", first.label))
    else:
        dip = analysis.dips[0]
        rows.append(("depth", f"{dip.depth:.3f} ± {dip.depth / max(dip.snr, 1e-9):.3f}"))
    return rows


def chance(probability: float) -> str:
    """A probability: ``0.031``, ``2e-07``, ``below 1e-15``."""
    return "below 1e-15" if probability < 1e-15 else f"{probability:.2g}"


def _digits(sigma: float) -> int:
    """Decimals that show two digits of an error."""
    return max(0, min(9, 1 - math.floor(math.log10(sigma)))) if math.isfinite(sigma) and sigma > 0 else 3


def _shown(when_ns: int, sigma: float) -> str:
    return utc_text(when_ns, _digits(sigma)).replace("T", " ").removesuffix("Z")


def _seconds(sigma: float) -> str:
    return f"{sigma:.{_digits(sigma)}f} s" if math.isfinite(sigma) else "unknown"


def _share(value: Figure) -> str:
    digits = _digits(value.sigma)
    return f"{value.value:.{digits}f} ± {value.sigma:.{digits}f}"
