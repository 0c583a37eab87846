"""Figures as people read them."""

import math
from collections.abc import Iterable

from reduction.caveats import Note
from reduction.result import ReductionResult


def plural(count: int, noun: str) -> str:
    """``1 frame``, ``2,000 frames``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def duration(seconds: float) -> str:
    """A span of time with three digits in a fitting unit: ``0.5 ms``, ``40 ms``, ``1.2 s``; ``?`` if NaN."""
    if not math.isfinite(seconds):
        return "?"
    size = abs(seconds)
    for limit, scale, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if 0 < size < limit:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s" if size < 1000 else f"{seconds:,.0f} s"


def percent(fraction: float) -> str:
    """A fraction as a percentage with two digits: ``2.1 %``; ``?`` if NaN."""
    if not math.isfinite(fraction):
        return "?"
    size = abs(fraction) * 100
    return f"{100 * fraction:.{0 if size >= 10 else 1 if size >= 1 or size == 0 else 2}f} %"


def figure(value: float | None, digits: int = 3) -> str:
    """A number with `digits` significant digits and no exponent below 1e9; ``?`` if None or NaN."""
    if value is None or not math.isfinite(value):
        return "?"
    if value == 0 or 1e-4 <= abs(value) < 1e9:
        places = 0 if value == 0 else max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{value:,.{places}f}"
    return f"{value:.{digits}g}"


def sentence(parts: Iterable[str]) -> str:
    """Join clauses with semicolons into one sentence."""
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "."


def all_notes(result: ReductionResult) -> tuple[Note, ...]:
    """Every caveat of a result once: the reduction's, the recording's, the times'."""
    return tuple(dict.fromkeys((*result.notes, *result.source.notes, *result.times.notes)))
