"""The figure of a curve's events: points with errors, the model, D and R with their intervals, residuals."""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from reduction.events.alongside import Offset
from reduction.events.curve import EventCurve, Floats
from reduction.events.document import digits_of, edge_text, probability, value_text
from reduction.events.drawn import Drawn, edges_of
from reduction.events.results import Edge, Event, EventAnalysis
from reduction.outputs.drawing import EDGE_COLOURS, FAINT, INK, RULE, drawable, house_style, shorten
from reduction.outputs.lightcurve_figure import POINTS, envelope, scale
from reduction.outputs.words import duration
from reduction.timing import utc_text

Booleans = NDArray[np.bool_]

POINT, MODEL, LEFT_OUT, OTHER = "#1f5fbf", "#c0392b", "#9aa5b1", "#b8860b"
SHADES = (0.34, 0.19, 0.10)
"""How dark the 68, 95 and 99.7 % intervals are."""

ZOOMED = 3
"""Events whose edges are enlarged: the deepest-standing ones."""

FORMATS = ("png", "svg", "pdf")
ABOUT = 4.0
"""Of the events' span, what is shown at most of the curve on either side."""

BINS = 1500


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """Another curve to be drawn along, and by how much its times are late."""

    curve: EventCurve
    offset: Offset


@dataclass(frozen=True, slots=True)
class Axis:
    """Abscissa: seconds (or minutes) after a whole minute (or hour) of UTC, or after the curve's origin."""

    zero_s: float
    unit_s: float
    label: str

    def of(self, seconds: Any) -> Any:
        """Abscissa of seconds after the curve's reference."""
        return (seconds - self.zero_s) / self.unit_s


def axis_of(curve: EventCurve, low_s: float, high_s: float) -> Axis:
    """The abscissa for what lies between two times of a curve."""
    minutes = high_s - low_s > 1800
    unit, size, word = (60.0, 3600, "minutes") if minutes else (1.0, 60, "seconds")
    if not curve.dated:
        return Axis(0.0, 1.0, "seconds of the file's own (no date), mid-exposure")
    first = curve.utc_ns(low_s) // (size * 10**9) * size
    stamp = datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Axis((first * 10**9 - curve.ref_ns) * 1e-9, unit, f"{word} after {stamp} UTC, mid-exposure")


def draw_events(
    curve: EventCurve, analysis: EventAnalysis, model: Drawn, overlay: Overlay | None = None
) -> Figure:
    """Draw the curve, its model and residuals, and an enlargement of every edge.

    Samples of a curve without errors of its own bear that of its noise.
    """
    stated = bool(np.isfinite(curve.sigma).any())
    curve = with_sigma(curve, analysis)
    events = sorted(analysis.events, key=lambda event: -event.dip.snr)[:ZOOMED]
    rows = [4.2, *([2.3] * len(events))]
    head = 0.95 if overlay is None else 1.2
    height = 0.8 + head + 1.45 * sum(rows)
    figure = Figure(figsize=(12.5, height), dpi=120, facecolor="white")
    grid = figure.add_gridspec(len(rows), 1, height_ratios=rows)
    grid.update(left=0.075, right=0.985, top=1 - head / height, bottom=0.95 / height, hspace=0.32)
    low, high = _shown(curve, analysis)
    axis = axis_of(curve, low, high)
    whole = grid[0].subgridspec(2, 1, height_ratios=(3.0, 1.1), hspace=0.09)
    main, below = figure.add_subplot(whole[0]), figure.add_subplot(whole[1])
    part = (curve.time_s >= low) & (curve.time_s <= high)
    _curve(main, curve, model, axis, part, overlay)
    _residuals(below, curve, model, axis, part)
    pad = 0.012 * (high - low)
    for axes in (main, below):
        axes.set_xlim(axis.of(low - pad), axis.of(high + pad))
        for edge in edges_of(analysis):
            _mark(axes, edge, axis, SHADES)
    main.tick_params(labelbottom=False)
    below.set_xlabel(axis.label)
    figure.align_ylabels([main, below])
    for row, event in enumerate(events, 1):
        pair = grid[row].subgridspec(1, 2, wspace=0.1)
        _zooms([figure.add_subplot(pair[k]) for k in (0, 1)], curve, model, axis, event, overlay)
    _words(figure, curve, analysis, height, overlay)
    _legend(figure, stated, curve, analysis, height, overlay)
    return figure


def _zooms(
    pair: list[Axes], curve: EventCurve, model: Drawn, axis: Axis, event: Event, overlay: Overlay | None
) -> None:
    """Enlargements of an event's two edges, of one scale."""
    for axes, kind, edge in zip(pair, "DR", (event.d, event.r), strict=True):
        _zoom(axes, curve, model, axis, event, edge, kind, overlay)
    if event.d is not None and event.r is not None:
        limits = [limit for axes in pair for limit in axes.get_ylim()]
        for axes in pair:
            axes.set_ylim(min(limits), max(limits))


def with_sigma(curve: EventCurve, analysis: EventAnalysis) -> EventCurve:
    """The curve with the sigma of its noise where the file states none."""
    return replace(curve, sigma=np.where(np.isfinite(curve.sigma), curve.sigma, analysis.noise.sigma))


def rendered(
    curve: EventCurve,
    analysis: EventAnalysis,
    model: Drawn,
    overlay: Overlay | None = None,
    forms: tuple[str, ...] = FORMATS,
) -> dict[str, bytes]:
    """The figure in every one of `forms`; equal input gives equal bytes."""
    import matplotlib as mpl

    found: dict[str, bytes] = {}
    nothing: Mapping[str, dict[str, None]] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    }
    with house_style(), mpl.rc_context({"svg.hashsalt": "umbra"}):
        figure = draw_events(curve, analysis, model, overlay)
        FigureCanvasAgg(figure)
        for kind in forms:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata=dict(nothing[kind]))
            found[kind] = buffer.getvalue()
    return found


def _shown(curve: EventCurve, analysis: EventAnalysis) -> tuple[float, float]:
    """What part of the curve is shown: all of it, unless the events are a small part."""
    first, last = float(curve.time_s[0]), float(curve.time_s[-1])
    times = [edge.seconds.value for edge in edges_of(analysis)]
    if not times:
        return first, last
    span = max(max(times) - min(times), 40 * curve.cadence_s())
    return max(first, min(times) - ABOUT * span), min(last, max(times) + ABOUT * span)


def _curve(
    axes: Axes, curve: EventCurve, model: Drawn, axis: Axis, part: Booleans, overlay: Overlay | None
) -> None:
    """Points, errors and the model over the whole of what is shown."""
    good = part & curve.usable & np.isfinite(curve.flux)
    _points(axes, axis.of(curve.time_s), curve.flux, curve.sigma, good)
    left = part & ~curve.usable & np.isfinite(curve.flux)
    axes.plot(axis.of(curve.time_s[left]), curve.flux[left], "x", color=LEFT_OUT, ms=4.5, zorder=3)
    if overlay is not None:
        at, flux = _of_overlay(curve, overlay)
        axes.plot(axis.of(at), flux, "-", color=OTHER, lw=0.8, alpha=0.7, zorder=3.2)
    axes.plot(axis.of(model.seconds), model.light, color=MODEL, lw=1.1, zorder=5)
    axes.plot(
        axis.of(curve.time_s[part]), model.measured[part], color=MODEL, lw=0.8, ls=(0, (2, 2)), zorder=5
    )
    axes.axhline(0.0, color=FAINT, lw=0.7, zorder=2)
    axes.set_ylabel("flux, out of event = 1")
    if good.any():
        axes.set_ylim(*scale(curve.flux[good]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, min_n_ticks=3))


def _points(axes: Axes, x: Floats, flux: Floats, sigma: Floats, good: Booleans) -> None:
    """Points with their errors; of very many, the envelope of neighbours."""
    count = int(np.count_nonzero(good))
    if count > POINTS:
        group = envelope(x[good], flux[good], BINS)
        axes.fill_between(group.x, group.low, group.high, color=POINT, alpha=0.3, lw=0, zorder=3.5)
        axes.plot(group.x, group.median, color=POINT, lw=0.9, zorder=4)
        return
    _bars(axes, x, flux, sigma, good, min(1.0, 400 / max(count, 1)))


def _bars(axes: Axes, x: Floats, flux: Floats, sigma: Floats, good: Booleans, dense: float) -> None:
    ok = good & np.isfinite(sigma)
    ends = np.stack([np.stack([x[ok], flux[ok] + side * sigma[ok]], -1) for side in (-1, 1)], 1)
    width, alpha = 0.6 + 0.5 * dense, 0.2 + 0.45 * dense
    lines = LineCollection(list(ends), colors=POINT, linewidths=width, alpha=alpha, zorder=3.5)
    axes.add_collection(lines, autolim=False)
    axes.plot(x[good], flux[good], ls="", marker="o", ms=1.9 + 2.2 * dense, mew=0, color=POINT, zorder=4)


def _residuals(axes: Axes, curve: EventCurve, model: Drawn, axis: Axis, part: Booleans) -> None:
    residual = curve.flux - model.measured
    good = part & curve.usable & np.isfinite(residual)
    axes.axhline(0.0, color=MODEL, lw=0.9, zorder=3)
    _points(axes, axis.of(curve.time_s), residual, np.full(residual.size, np.nan), good)
    if good.any():
        reach = 1.15 * float(np.quantile(np.abs(residual[good]), 0.997))
        axes.set_ylim(-reach, reach)
        words = f"residuals: rms {residual[good].std():.3g}"
        axes.text(1.0, -0.3, words, transform=axes.transAxes, ha="right", va="top", color=FAINT, fontsize=9.5)
    axes.set_ylabel("less model")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))


def _mark(axes: Axes, edge: Edge, axis: Axis, shades: tuple[float, ...]) -> None:
    """An edge and its three intervals, all errors included."""
    colour = EDGE_COLOURS[edge.kind]
    for (low, high), shade in reversed(list(zip(edge.utc.intervals, shades, strict=False))):
        axes.axvspan(axis.of(low), axis.of(high), color=colour, alpha=shade, lw=0, zorder=1)
    axes.axvline(axis.of(edge.utc.value), color=colour, lw=0.9, zorder=2.5)


def _zoom(
    axes: Axes, curve: EventCurve, model: Drawn, axis: Axis, event: Event, edge: Edge | None, kind: str,
    overlay: Overlay | None,
) -> None:  # fmt: skip
    """Enlargement of an edge: every sample with its exposure as a bar, the light at each instant."""
    if edge is None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, f"{kind} lies outside the recording", ha="center", color=FAINT)
        return
    at, sigma = edge.utc.value, edge.utc.sigma
    reach = max(
        7.0 * curve.cadence_s(), 4.5 * sigma if math.isfinite(sigma) else 0.0, 2.2 * (edge.gradual_s or 0.0)
    )
    if event.duration is not None:
        reach = min(reach, max(1.2 * event.duration.value, 5.0 * curve.cadence_s()))
    near = np.abs(curve.time_s - at) <= reach * 1.15
    good = near & curve.usable & np.isfinite(curve.flux)
    x, half = axis.of(curve.time_s), model.half_exposure_s / axis.unit_s
    bars = np.stack([np.stack([x[good] + side * half[good], curve.flux[good]], -1) for side in (-1, 1)], 1)
    axes.add_collection(
        LineCollection(list(bars), colors=POINT, linewidths=1.4, alpha=0.7, zorder=4), autolim=False
    )
    _bars(axes, x, curve.flux, curve.sigma, good, 1.0)
    axes.plot(axis.of(model.seconds), model.light, color=MODEL, lw=1.3, zorder=5)
    axes.plot(x[near], model.measured[near], "s", mfc="none", mec=MODEL, ms=6, mew=1.1, zorder=5)
    if overlay is not None:
        there, flux = _of_overlay(curve, overlay)
        close = np.abs(there - at) <= reach * 1.15
        axes.plot(axis.of(there[close]), flux[close], "D", mfc="none", mec=OTHER, ms=5, mew=1.0, zorder=4.5)
    _mark(axes, edge, axis, SHADES)
    axes.set_xlim(axis.of(at - reach), axis.of(at + reach))
    values = np.concatenate([curve.flux[good], model.measured[near], [0.0, 1.0]])
    pad = 0.08 * (values.max() - values.min())
    axes.set_ylim(values.min() - pad, values.max() + pad)
    axes.axhline(0.0, color=FAINT, lw=0.7, zorder=2)
    axes.set_title(
        f"{kind}  {edge_text(edge, curve)}", loc="left", fontsize=11, color=EDGE_COLOURS[kind], weight="bold"
    )
    axes.set_xlabel(axis.label, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7))


def _of_overlay(curve: EventCurve, overlay: Overlay) -> tuple[Floats, Floats]:
    """Times of the other curve in seconds after our reference, as it states them, and its flux."""
    shift = (overlay.curve.ref_ns - curve.ref_ns) * 1e-9 if curve.dated and overlay.curve.dated else 0.0
    good = overlay.curve.usable & np.isfinite(overlay.curve.flux)
    return overlay.curve.time_s[good] + shift, overlay.curve.flux[good]


def _words(
    figure: Figure, curve: EventCurve, analysis: EventAnalysis, height: float, overlay: Overlay | None
) -> None:
    name = shorten(drawable(curve.name), 70)
    figure.text(0.075, 1 - 0.36 / height, name, fontsize=15, fontweight="bold", parse_math=False)
    facts = [analysis.status, f"false-alarm probability {probability(analysis.false_alarm_probability)}"]
    for event in analysis.events[:ZOOMED]:
        facts.append(event.label)
        if event.duration is not None:
            facts.append(f"duration {value_text(event.duration, 's')}")
        facts.append(f"depth {value_text(event.depth)}")
    figure.text(0.075, 1 - 0.66 / height, "   ·   ".join(facts)[:150], color=FAINT)
    if curve.dated:
        span = f"{utc_text(curve.utc_ns(0.0), 3)[:-1].replace('T', ' ')} UTC, {curve.time_s.size:,} samples"
        cadence = f"{span}, cadence {duration(curve.cadence_s())}"
        figure.text(0.985, 1 - 0.36 / height, cadence, color=FAINT, ha="right", fontsize=9.5)
    if overlay is not None:
        text = offset_text(overlay)
        figure.text(0.075, 1 - 0.92 / height, text, color=OTHER, fontsize=10.5, parse_math=False)


def offset_text(overlay: Overlay) -> str:
    """``PyMovie.csv is 0.0200 ± 0.0011 s later than ours (0.50 ± 0.03 frames)``."""
    offset = overlay.offset
    digits, frames = digits_of(offset.sigma_s), digits_of(offset.frames_sigma)
    sense = "later" if offset.seconds >= 0 else "earlier"
    return (
        f"{shorten(drawable(overlay.curve.name), 40)}: {abs(offset.seconds):.{digits}f} ± "
        f"{offset.sigma_s:.{digits}f} s {sense} than ours ({abs(offset.frames):.{frames}f} ± "
        f"{offset.frames_sigma:.{frames}f} frames)"
    )


def _legend(
    figure: Figure,
    stated: bool,
    curve: EventCurve,
    analysis: EventAnalysis,
    height: float,
    overlay: Overlay | None,
) -> None:
    bars = "sample, ± one sigma" if stated else "sample, ± one sigma of the noise"
    handles: list[Any] = [
        Line2D([], [], ls="", marker="o", ms=4, color=POINT, label=bars),
        Line2D([], [], color=MODEL, lw=1.3, label="model at each instant"),
        Line2D(
            [],
            [],
            color=MODEL,
            lw=0.8,
            ls=(0, (2, 2)),
            marker="s",
            mfc="none",
            ms=6,
            label="over each exposure",
        ),
    ]
    if not curve.usable.all():
        handles.append(Line2D([], [], ls="", marker="x", ms=5, color=LEFT_OUT, label="left out"))
    if overlay is not None:
        handles.append(
            Line2D(
                [],
                [],
                color=OTHER,
                marker="D",
                mfc="none",
                ms=5,
                lw=0.8,
                label="the other, at its times",
            )
        )
    if analysis.events:
        for shade, level in zip(SHADES, ("68 %", "95 %", "99.7 %"), strict=True):
            handles.append(Patch(fc=EDGE_COLOURS["D"], alpha=shade * 1.5, lw=0, label=level))
    elif analysis.status != "positive":
        handles.append(Patch(fc="white", ec=RULE, label="no event is claimed"))
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.066, 0.12 / height), ncols=9, fontsize=9.2,
        handletextpad=0.4, columnspacing=1.1, borderaxespad=0.0, labelcolor=INK,
    )  # fmt: skip
