"""Charts of a frame and of a star: coordinates of lines, bars and marks, which the template draws as SVG."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from api.results.frame_facts import HistogramView, LevelsView
from api.results.stars import StarProfileView

WIDTH, HEIGHT = 340.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 10.0, 10.0, 34.0
TICKS = 5
BARS = 140
GAP, LETTER = 8.0, 5.6
"""Between a line and its word, and the width of a letter of it."""
SHOWN = 0.995
"""Share of the pixels that a histogram shows bar by bar."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick of an axis: place on it, and its number."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A value with its error bar."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Guide:
    """A vertical line with a word."""

    x: float
    label: str
    kind: str
    right: bool
    """Whether the word stands left of it, since it would be cut off otherwise."""
    row: int = 0
    """In which line of words; a word that would run into another one stands lower."""

    @property
    def word(self) -> tuple[float, float]:
        """From where to where the word reaches."""
        length = GAP + LETTER * len(self.label)
        return (self.x - length, self.x) if self.right else (self.x, self.x + length)


@dataclass(slots=True)
class Chart:
    """What is drawn, in the drawing's own coordinates.

    Attributes
    ----------
    summary : str
        The same in words, for who does not see it.
    """

    summary: str
    x_label: str
    y_label: str
    x_ticks: list[Tick] = field(default_factory=list)
    y_ticks: list[Tick] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    line: str = ""
    guides: list[Guide] = field(default_factory=list)
    zero: float | None = None
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


class _Axis:
    """From values to places."""

    def __init__(self, low: float, high: float, begin: float, end: float) -> None:
        self.low, self.high = low, high if high > low else low + 1.0
        self.begin, self.end = begin, end

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 2)

    def inside(self, value: float) -> float:
        return self.at(min(max(value, self.low), self.high))

    def ticks(self) -> list[Tick]:
        step = nice_step((self.high - self.low) / TICKS)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [Tick(self.at(k * step), short(k * step, step)) for k in range(first, last + 1)]


def nice_step(rough: float) -> float:
    """The least of 1, 2, 5, 10, ... that is not below a number."""
    if not (rough > 0 and math.isfinite(rough)):
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9))


def short(value: float, step: float) -> str:
    """A tick's number with no more digits than it needs."""
    if abs(value) >= 1e5:
        return f"{value / 1e6:g}M" if abs(value) >= 1e6 else f"{value / 1e3:g}k"
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    text = f"{value:.{places}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else f"{0:.{places}f}"


def _x_axis(low: float, high: float) -> _Axis:
    return _Axis(low, high, LEFT, WIDTH - RIGHT)


def _y_axis(low: float, high: float) -> _Axis:
    return _Axis(low, high, HEIGHT - BOTTOM, TOP)


def _guide(axis: _Axis, value: float, label: str, kind: str) -> Guide:
    x = axis.inside(value)
    return Guide(x, label, kind, x > WIDTH - RIGHT - 60)


def _apart(guides: Sequence[Guide]) -> list[Guide]:
    """The same, each word in the first line where it meets no other."""
    found: list[Guide] = []
    for guide in guides:
        low, high = guide.word
        taken = {other.row for other in found if low < other.word[1] and other.word[0] < high}
        row = next(k for k in range(len(guides)) if k not in taken)
        found.append(replace(guide, row=row))
    return found


def _points(x: Iterable[float], y: Iterable[float | None], across: _Axis, up: _Axis) -> str:
    pairs = zip(x, y, strict=True)
    return " ".join(f"{across.at(one)},{up.inside(value)}" for one, value in pairs if value is not None)


def histogram(levels: LevelsView, ends: tuple[float, float] | None) -> Chart | None:
    """Pixels of a frame by level, counts on a logarithmic scale; `ends`: what is black and white.

    The few pixels of bright stars beyond the window are counted in its last bar.
    """
    found = levels.histogram
    if found is None:
        return None
    first, last = _window(found, ends)
    together = max(1, -(-(last - first) // BARS))
    counts = [sum(found.counts[k : min(k + together, last)]) for k in range(first, last, together)]
    beyond = sum(found.counts[last:])
    counts[-1] += beyond
    low = found.start + found.width * first
    step = found.width * together
    high = low + step * len(counts)
    across, up = _x_axis(low, high), _y_axis(0.0, math.log10(max(counts) + 1) * 1.12)
    floor = HEIGHT - BOTTOM
    more = f" {beyond} brighter pixels are in the last bar." if beyond else ""
    chart = Chart(
        summary=f"Histogram of levels from {low:g} to {high:g} ADU, median {levels.median or 0:g}.{more}",
        x_label=f"level, ADU{f' (last bar: and {beyond} brighter)' if beyond else ''}",
        y_label="pixels",
        x_ticks=across.ticks(),
        y_ticks=[
            Tick(up.at(math.log10(10**power + 1)), f"{10**power:g}" if power < 5 else f"1e{power}")
            for power in range(int(up.high) + 1)
        ],
    )
    for k, count in enumerate(counts):
        if count:
            x, top = across.at(low + k * step), up.at(math.log10(count + 1))
            wide = max(across.at(low + (k + 1) * step) - x, 0.6)
            chart.bars.append(Bar(x, top, round(wide, 2), round(floor - top, 2)))
    if ends is not None:
        dark, bright = across.inside(ends[0]), across.inside(ends[1])
        black = Guide(dark, "black", "low", dark > LEFT + 38)
        chart.guides = _apart([black, Guide(bright, "white", "high", bright > WIDTH - RIGHT - 38)])
    return chart


def _window(found: HistogramView, ends: tuple[float, float] | None) -> tuple[int, int]:
    """Bins that are drawn: all but the tail of bright stars, and what is black and white."""
    total, seen, last = sum(found.counts), 0, 0
    while last < len(found.counts) and seen < SHOWN * total:
        seen += found.counts[last]
        last += 1
    if ends is None:
        return 0, last
    margin = 0.15 * (ends[1] - ends[0])
    white = math.ceil((ends[1] + margin - found.start) / found.width)
    return 0, min(max(last, white, 1), len(found.counts))


def _span(values: Sequence[float | None], errors: Sequence[float | None]) -> tuple[float, float]:
    """Range of values with their errors, those aside that are too uncertain to tell anything."""
    known = [value for value in values if value is not None]
    if not known:
        return 0.0, 1.0
    pairs = [(v, e) for v, e in zip(values, errors, strict=True) if v is not None and e is not None]
    reach = max(known) - min(*known, 0.0)
    near = [(v, e) for v, e in pairs if e <= reach] or [(v, 0.0) for v in known]
    low, high = min(v - e for v, e in near), max(v + e for v, e in near)
    return min(low, 0.0), high * 1.05 if high > 0 else 1.0


def radial_profile(star: StarProfileView) -> Chart:
    """Light for each pixel by its distance from the centre."""
    rings = star.profile
    across, up = _x_axis(0.0, max(rings.radius)), _y_axis(*_span(rings.value, rings.error))
    width = "" if star.star is None else f" FWHM {star.star.fwhm:.2f} px."
    chart = Chart(
        summary=f"Radial profile about {star.x:.1f}, {star.y:.1f}.{width}",
        x_label="radius, pixels",
        y_label="ADU per pixel above the sky",
        x_ticks=across.ticks(),
        y_ticks=up.ticks(),
        dots=_dots(rings.radius, rings.value, rings.error, across, up),
        zero=up.inside(0.0),
    )
    chart.guides = _radii(star, across)
    return chart


def growth_curve(star: StarProfileView) -> Chart:
    """Light within an aperture by its radius."""
    grown = star.growth
    across, up = _x_axis(0.0, max(grown.radius)), _y_axis(*_span(grown.flux, grown.flux_error))
    chart = Chart(
        summary=f"Growth curve: {star.flux or 0:.0f} ADU within {star.aperture_px:g} px.",
        x_label="radius, pixels",
        y_label="ADU within the radius",
        x_ticks=across.ticks(),
        y_ticks=up.ticks(),
        dots=_dots(grown.radius, grown.flux, grown.flux_error, across, up),
        line=_points(grown.radius, grown.flux, across, up),
        zero=up.inside(0.0),
    )
    chart.guides = _radii(star, across)
    return chart


def _dots(
    x: Sequence[float], y: Sequence[float | None], error: Sequence[float | None], across: _Axis, up: _Axis
) -> list[Dot]:
    found = []
    for one, value, sigma in zip(x, y, error, strict=True):
        if value is not None and up.low <= value <= up.high:
            wide = sigma or 0.0
            found.append(Dot(across.at(one), up.at(value), up.inside(value - wide), up.inside(value + wide)))
    return found


def _radii(star: StarProfileView, across: _Axis) -> list[Guide]:
    guides = [_guide(across, star.aperture_px, "aperture", "aperture")]
    if star.sky_inner_px < across.high:
        guides.append(_guide(across, star.sky_inner_px, "sky", "sky"))
    return _apart(guides)
