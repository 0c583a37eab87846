"""Small line charts as SVG shapes: what a template needs to draw them in the page's own colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 38


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick: its place in the chart and its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One curve in a frame of `WIDTH` by `HEIGHT`, with `mark` the place of a vertical line or None."""

    label: str
    x_label: str
    points: str
    dots: tuple[tuple[float, float], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    mark: float | None

    width = WIDTH
    height = HEIGHT
    left = LEFT
    right = WIDTH - RIGHT
    top = TOP
    bottom = HEIGHT - BOTTOM


def make_chart(
    label: str, x_label: str, xs: Sequence[float], ys: Sequence[float], mark: float, y_low: float | None
) -> Chart | None:
    """Lay out a chart; None with fewer than two finite points.

    Parameters
    ----------
    label, x_label : str
        What is drawn, and against what.
    xs, ys : sequence of float
        The curve.
    mark : float
        The abscissa to mark.
    y_low : float or None
        Lower limit of the ordinate; None takes the curve's.
    """
    pairs = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(x) and math.isfinite(y)]
    if len(pairs) < 2:
        return None
    x_axis = _ticks(min(x for x, _ in pairs), max(x for x, _ in pairs))
    low = min(y for _, y in pairs) if y_low is None else y_low
    y_axis = _ticks(low, max(y for _, y in pairs))

    def across(x: float) -> float:
        return _place(x, x_axis, LEFT, WIDTH - RIGHT)

    def up(y: float) -> float:
        return _place(y, y_axis, HEIGHT - BOTTOM, TOP)

    dots = tuple((across(x), up(y)) for x, y in pairs)
    return Chart(
        label=label,
        x_label=x_label,
        points=" ".join(f"{x},{y}" for x, y in dots),
        dots=dots,
        x_ticks=tuple(Tick(across(x), f"{x:g}") for x in x_axis),
        y_ticks=tuple(Tick(up(y), f"{y:g}") for y in y_axis),
        mark=across(mark) if x_axis[0] <= mark <= x_axis[-1] else None,
    )


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers, evenly spaced, from at most `low` to at least `high`."""
    span = (high - low) or abs(high) or 1.0
    rough = span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * k, 12) for k in range(first, max(last, first + 1) + 1)]


def tick_values(low: float, high: float, number: int) -> list[float]:
    """About so many round numbers, evenly spaced, that cover a range."""
    span = (high - low) or 1.0
    rough = span / number
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * k, 12) for k in range(first, last + 1)]


def _place(value: float, axis: list[float], start: float, stop: float) -> float:
    return round(start + (value - axis[0]) / (axis[-1] - axis[0]) * (stop - start), 2)
