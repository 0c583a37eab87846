"""The event as it stands atop the report: points, fitted light, D and R with their errors, as SVG shapes."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from reduction.events.results import EventAnalysis
from reduction.outputs.charts import Tick, tick_values
from reduction.outputs.event_summary import edge_times, leading
from reduction.result import UNUSABLE, ReductionResult
from reduction.timing import UNKNOWN_NS

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 960, 320
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 26, 44
MOST = 500
"""Points drawn; more are averaged in groups."""

AROUND = 1.0
"""Drawn on each side of the event, in units of its duration."""

LEAST_AROUND = 14
"""The same in samples, at least."""

SECOND = 10**9


@dataclass(frozen=True, slots=True)
class EdgeMark:
    """D or R: its place, and the ends of its one-sigma interval."""

    name: str
    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EventChart:
    """Points ``(x, y, y of the upper end, y of the lower end of the bar)``, and what is drawn over them."""

    points: tuple[tuple[float, float, float, float], ...]
    model: str
    edges: tuple[EdgeMark, ...]
    level: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_label: str
    averaged: int

    width = WIDTH
    height = HEIGHT
    left = LEFT
    right = WIDTH - RIGHT
    top = TOP
    bottom = HEIGHT - BOTTOM


def event_chart(result: ReductionResult) -> EventChart | None:
    """Lay out the chart: around the event, or all of a curve without one; None with nothing to draw."""
    if result.event is None:
        return None
    curve = result.lightcurve
    shown = ((curve.flags & np.uint32(UNUSABLE)) == 0) & np.isfinite(curve.flux_norm + curve.flux_norm_sigma)
    timed = bool((curve.mid_ns != UNKNOWN_NS).sum() >= 2)
    if timed:
        shown &= curve.mid_ns != UNKNOWN_NS
    if shown.sum() < 2:
        return None
    order = np.argsort(curve.mid_ns[shown], kind="stable") if timed else np.arange(int(shown.sum()))
    edges = [edge for edge in edge_times(result.event, result) if timed and edge[0] != UNKNOWN_NS]
    ns = curve.mid_ns[shown][order] if timed else np.zeros(order.size, np.int64)
    start = int(ns[0]) // (60 * SECOND) * (60 * SECOND)
    x = (ns - start) * 1e-9 if timed else curve.frame[shown][order]
    part = _window(x, [(when - start) * 1e-9 for when, _ in edges])
    x, y, bar, averaged = _grouped(
        x[part], curve.flux_norm[shown][order][part], curve.flux_norm_sigma[shown][order][part]
    )
    if x.size < 2 or not x[-1] > x[0]:
        return None
    named = _named(result.event, result) if timed else []
    marks = [(name, (when - start) * 1e-9, sigma) for name, (when, sigma) in named]
    return _laid_out(result.event, (x, y, bar), averaged, marks, start if timed else None)


def _named(analysis: EventAnalysis, result: ReductionResult) -> list[tuple[str, tuple[int, float]]]:
    d, r = edge_times(analysis, result)
    return [(name, edge) for name, edge in (("D", d), ("R", r)) if edge[0] != UNKNOWN_NS]


def _window(x: Floats, edges: list[float]) -> slice:
    """Samples about the event; all without one."""
    if not edges:
        return slice(None)
    cadence = float(np.median(np.diff(x)))
    around = max(AROUND * (max(edges) - min(edges)), LEAST_AROUND * cadence)
    if len(edges) == 1:
        around = max(around, 60 * cadence)
    low, high = np.searchsorted(x, [min(edges) - around, max(edges) + around])
    return slice(max(int(low) - 1, 0), int(high) + 1)


def _grouped(x: Floats, y: Floats, bar: Floats) -> tuple[Floats, Floats, Floats, int]:
    """At most `MOST` points: means of neighbours, and the errors of these means."""
    size = -(-x.size // MOST)
    if size <= 1:
        return x, y, bar, 1
    n = x.size // size * size
    means = [values[:n].reshape(-1, size).mean(axis=1) for values in (x, y)]
    return means[0], means[1], np.sqrt((bar[:n].reshape(-1, size) ** 2).mean(axis=1) / size), size


def _laid_out(
    analysis: EventAnalysis,
    drawn: tuple[Floats, Floats, Floats],
    averaged: int,
    marks: list[tuple[str, float, float]],
    start: int | None,
) -> EventChart:
    """Places of everything; `start` is the UTC of abscissa 0, None where frames are counted."""
    x, y, bar = drawn
    x_low, x_high = float(x[0]), float(x[-1])
    inner = np.quantile(y, (0.005, 0.995)) if y.size > 50 else np.array([y.min(), y.max()])
    y_low = min(0.0, float(inner[0]) - float(np.median(bar)))
    y_high = max(1.1, float(inner[1]) + 2.0 * float(np.median(bar)))

    def across(value: float) -> float:
        return round(LEFT + (value - x_low) / (x_high - x_low) * (WIDTH - RIGHT - LEFT), 2)

    def up(value: float) -> float:
        inside = min(max(value, y_low), y_high)
        return round(HEIGHT - BOTTOM - (inside - y_low) / (y_high - y_low) * (HEIGHT - BOTTOM - TOP), 2)

    points = tuple(
        (across(a), up(b), up(b + c), up(b - c))
        for a, b, c in zip(x.tolist(), y.tolist(), bar.tolist(), strict=True)
    )
    edges = tuple(
        EdgeMark(name, across(at), across(max(at - sigma, x_low)), across(min(at + sigma, x_high)))
        for name, at, sigma in marks
        if x_low <= at <= x_high
    )
    label = "frame (times unknown)"
    if start is not None:
        stamp = datetime.fromtimestamp(start // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")
        label = f"seconds after {stamp} UTC (mid-exposure)"
    return EventChart(
        points=points,
        model=" ".join(f"{across(a)},{up(b)}" for a, b in _model(analysis, marks, x_low, x_high)),
        edges=edges,
        level=up(1.0),
        x_ticks=tuple(Tick(across(t), f"{t:.10g}") for t in tick_values(x_low, x_high, 7)),
        y_ticks=tuple(Tick(up(t), f"{t:.10g}") for t in tick_values(y_low, y_high, 5)),
        x_label=label,
        averaged=averaged,
    )


def _model(
    analysis: EventAnalysis, marks: list[tuple[str, float, float]], low: float, high: float
) -> list[tuple[float, float]]:
    """Corners of the fitted light: straight flanks, as steep as they were fitted."""
    if not marks:
        return []
    first = leading(analysis)
    depth = analysis.dips[0].depth if first is None else first.depth.value
    times = {name: at for name, at, _ in marks}
    half = {"D": 0.0, "R": 0.0}
    for edge in () if first is None else (first.d, first.r):
        if edge is not None and edge.gradual_s is not None:
            half[edge.kind] = 0.5 * edge.gradual_s / 0.8
    corners = []
    if "D" in times:
        corners += [(low, 1.0), (times["D"] - half["D"], 1.0), (times["D"] + half["D"], 1.0 - depth)]
    else:
        corners += [(low, 1.0 - depth)]
    if "R" in times:
        corners += [(times["R"] - half["R"], 1.0 - depth), (times["R"] + half["R"], 1.0), (high, 1.0)]
    else:
        corners += [(high, 1.0 - depth)]
    return [(min(max(a, low), high), b) for a, b in corners if math.isfinite(a)]
