"""Figures of the archive, after figures 3 to 8 of Kilic et al. (2022, MNRAS 515, 1346); bars for pies."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from api.statistics.countries import UNKNOWN, atlas
from api.statistics.periods import Period
from api.statistics.views import Statistics
from reduction.geometry.coast import world
from reduction.outputs.drawing import FAINT, INK, house_style, png
from reduction.outputs.map_layers import COAST, LAND, MARKS, SEA

Form = Literal["png", "svg"]
Name = Literal["outcomes", "classes", "observers", "countries", "apertures", "cameras", "campaigns"]
SMALL = 0.01
"""Classes of less than this share are drawn as one."""
MONTHS = 36
"""More months than this are drawn by years."""
BAR, POSITIVE, SITE = "#3d6ea5", MARKS["positive"][0], "#b3202c"
_WIDE = 5.6
_COLOURS = MappingProxyType(
    {
        **{name.replace(" ", "_"): colour for name, (colour, _) in MARKS.items()},
        "unknown": "#868e96",
        "none": "#c3cad1",
        "other": "#a9b4c0",
    }
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: what it counts, how many, and how many classes it joins."""

    name: str
    count: int
    joins: int = 1

    @property
    def words(self) -> str:
        """What stands beside it."""
        name = "nobody joined" if self.name == "none" else self.name.replace("_", " ")
        return name if self.joins == 1 else f"{self.joins} others, below 1 % each"


def joined(counts: Sequence[tuple[str, int]]) -> tuple[Bar, ...]:
    """Bars of classes: the largest first, those below 1 % as one, what is not known last.

    Parameters
    ----------
    counts : sequence of (str, int)
        Nothing is lost: the bars add up to the same number.
    """
    total = sum(count for _, count in counts)
    known = sorted((one for one in counts if one[0] != UNKNOWN and one[1]), key=lambda one: (-one[1], one[0]))
    small = [one for one in known if one[1] < SMALL * total]
    if len(small) < 2:
        small = []
    bars = [Bar(name, count) for name, count in known if (name, count) not in small]
    if small:
        bars.append(Bar("other", sum(count for _, count in small), len(small)))
    return (*bars, *(Bar(name, count) for name, count in counts if name == UNKNOWN and count))


def figure_of(name: Name, statistics: Statistics) -> Figure:
    """Return a figure; to be called within `house_style`."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.07)  # other fonts may be wider in a browser
    figure = Figure(figsize=(_WIDE, 3.2), dpi=120, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _DRAWN[name](axes, statistics)
    words = f"{axes.get_title()}, {_period(statistics)}"
    axes.set_title("")
    axes.set_title(words, fontsize=10.5, loc="left", color=INK, weight="bold")
    return figure


def drawn(name: Name, statistics: Statistics, form: Form) -> bytes:
    """Return a file of a figure; the same for the same numbers, atlas and coastline."""
    import matplotlib as mpl

    with house_style(), mpl.rc_context({"svg.hashsalt": "umbra", "svg.fonttype": "none"}):
        figure = figure_of(name, statistics)
        if form == "png":
            return png(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        return buffer.getvalue()


def _period(statistics: Statistics) -> str:
    return Period(statistics.start, statistics.end).words


def _bars(axes: Axes, title: str, bars: Sequence[Bar], words: str, colours: bool = False) -> None:
    """Horizontal bars from above, with number and share."""
    total = sum(bar.count for bar in bars)
    _size(axes, _WIDE, max(1.6, 0.29 * len(bars) + 0.85))
    axes.set_title(title)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    if not total:
        axes.spines["left"].set_visible(False)
        _nothing(axes)
        return
    own = {"other", UNKNOWN} | (set(_COLOURS) if colours else set())
    fills = [_COLOURS[bar.name] if bar.name in own else BAR for bar in bars]
    drawn = axes.barh(range(len(bars)), [bar.count for bar in bars], color=fills, height=0.72)
    axes.set_yticks(range(len(bars)), [bar.words for bar in bars], fontsize=9.5)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    told = [f"{bar.count}  ({100 * bar.count / total:.1f} %)" for bar in bars]
    axes.bar_label(drawn, told, padding=4, fontsize=9, color=INK)
    axes.set_xlim(0, 1.32 * max(bar.count for bar in bars))
    axes.set_xlabel(words, fontsize=8.5, color=FAINT, loc="left")


def _nothing(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(
        0.5, 0.5, "none in this period", color=FAINT, ha="center", va="center", transform=axes.transAxes
    )


def _size(axes: Axes, across: float, up: float) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.set_size_inches(across, up)


def _of(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _outcomes(axes: Axes, held: Statistics) -> None:
    bars = [Bar(one.outcome, one.campaigns) for one in held.outcomes if one.campaigns]
    _bars(axes, "Campaigns by outcome", bars, _of(held.totals.campaigns, "campaign"), colours=True)


def _classes(axes: Axes, held: Statistics) -> None:
    bars = joined([(one.name, one.campaigns) for one in held.classes])
    _bars(axes, "Campaigns by class of the body", bars, _of(held.totals.campaigns, "campaign"))


def _countries(axes: Axes, held: Statistics) -> None:
    bars = joined([(one.name, one.observers) for one in held.countries])
    number = sum(one.name != UNKNOWN and one.observers > 0 for one in held.countries)
    _bars(axes, "Observers by country", bars, _of(number, "country", "countries"))


def _apertures(axes: Axes, held: Statistics) -> None:
    bars = [Bar(one.name, one.telescopes) for one in held.apertures if one.name != UNKNOWN or one.telescopes]
    _bars(axes, "Telescopes by aperture", bars, _of(held.totals.telescopes, "telescope"))


def _cameras(axes: Axes, held: Statistics) -> None:
    bars = joined([(one.name, one.cameras) for one in held.cameras])
    _bars(axes, "Cameras by sensor", bars, _of(held.totals.cameras, "camera"))


def _campaigns(axes: Axes, held: Statistics) -> None:
    """Upright bars, by months or years; before each, in green, the positive ones of it."""
    months = [int(one.month[:4]) * 12 + int(one.month[5:]) - 1 for one in held.months]
    by_years = bool(months) and months[-1] - months[0] >= MONTHS
    every: dict[int, int] = {}
    positive: dict[int, int] = {}
    for month, one in zip(months, held.months, strict=True):
        place = month // 12 if by_years else month
        every[place] = every.get(place, 0) + one.campaigns
        positive[place] = positive.get(place, 0) + one.positive
    axes.set_title(f"Campaigns by {'year' if by_years else 'month'}")
    _size(axes, _WIDE, 2.9)
    if not months:
        _nothing(axes)
        return
    places = list(every)
    axes.bar(places, list(every.values()), color=BAR, width=0.8, label="all")
    axes.bar(places, list(positive.values()), color=POSITIVE, width=0.8, label="positive")
    axes.grid(visible=False, axis="x")
    axes.set_xlim(min(places) - 0.8, max(places) + 0.8)
    axes.set_ylim(0, 1.22 * max(every.values()))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    step = max(1, -(-(max(places) - min(places) + 1) // 7))
    shown = range(min(places), max(places) + 1, step)
    axes.set_xticks(list(shown), [str(one) if by_years else _month(one) for one in shown])
    axes.tick_params(labelsize=9)
    axes.legend(loc="upper left", fontsize=9, ncols=2)


def _month(number: int) -> str:
    return f"{number // 12}-{number % 12 + 1:02d}"


def _observers(axes: Axes, held: Statistics) -> None:
    """Cells of 1 degree with observers' places, longitude and latitude as they are."""
    _size(axes, 9.0, 5.0)
    axes.set_title(f"{_of(held.totals.sites, 'site')} of observers")
    axes.set_xlim(-180, 180)
    axes.set_ylim(-90, 90)
    axes.set_aspect("equal")
    axes.set_facecolor(SEA)
    east, north = range(-180, 181, 60), range(-60, 61, 30)
    axes.set_xticks(list(east), [_degrees(one, "E", "W") for one in east], fontsize=8)
    axes.set_yticks(list(north), [_degrees(one, "N", "S") for one in north], fontsize=8)
    _land(axes)
    axes.scatter(
        [one.longitude_deg for one in held.cells],
        [one.latitude_deg for one in held.cells],
        s=[9.0 + 7.0 * one.sites for one in held.cells],
        c=SITE, alpha=0.75, linewidths=0.4, edgecolors="white", zorder=3,
    )  # fmt: skip
    words = "rounded to cells of 1°; the area of a dot goes with the number of sites"
    axes.set_xlabel(words, fontsize=8.5, color=FAINT)


def _degrees(value: int, plus: str, minus: str) -> str:
    return f"{abs(value)}°{plus if value > 0 else minus if value < 0 else ''}"


def _land(axes: Axes) -> None:
    """Countries of the atlas, else land of the mask, else nothing."""
    rings = [
        ring + turn
        for country in atlas("110m")
        for ring in country.rings
        for turn in ((0.0, 0.0), (360.0, 0.0), (-360.0, 0.0))
        if ring[:, 0].min() + turn[0] < 180 and ring[:, 0].max() + turn[0] > -180
    ]
    if rings:
        outline = Path.make_compound_path(*(Path(ring, closed=True) for ring in rings))
        axes.add_patch(PathPatch(outline, facecolor=LAND, edgecolor=COAST, linewidth=0.25, zorder=1))
        return
    mask = world()
    if mask is not None:
        east, north = np.meshgrid(np.arange(-179.5, 180), np.arange(-89.5, 90))
        axes.contourf(east, north, mask.at(east, north), levels=[0.5, 1.01], colors=[LAND], zorder=1)


_DRAWN: MappingProxyType[Name, Callable[[Axes, Statistics], None]] = MappingProxyType(
    {
        "outcomes": _outcomes,
        "classes": _classes,
        "observers": _observers,
        "countries": _countries,
        "apertures": _apertures,
        "cameras": _cameras,
        "campaigns": _campaigns,
    }
)
NAMES: tuple[Name, ...] = tuple(_DRAWN)
