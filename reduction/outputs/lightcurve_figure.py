"""``lightcurve.png``: the normalised ratio, the target and the reference against time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from reduction.outputs.drawing import EDGE_COLOURS, FAINT, INK, drawable, house_style, png, shorten
from reduction.outputs.words import figure as number
from reduction.outputs.words import percent, plural
from reduction.result import UNUSABLE, Flag, Floats, ReductionResult
from reduction.timing import UNKNOWN_NS

POINTS = 6000
"""Up to so many samples are drawn one by one; more, as the envelope of `BINS` groups."""

BINS = 1500
"""Groups of an envelope: about one per pixel."""

TIMED = 0.9
"""Fraction of samples that must have a time for the axis to be time."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How a flag is drawn: at the point, at the foot of the panel, or as the span before the point.

    `panels` names where: N the ratio, T the target, R the reference.
    """

    flag: Flag
    label: str
    place: Literal["point", "foot", "span"]
    panels: str
    marker: str
    colour: str


MARKS = (
    Mark(Flag.LOST, "lost", "foot", "NTR", "x", "#d1242f"),
    Mark(Flag.OFF_FRAME, "off frame", "foot", "NT", "1", "#8250df"),
    Mark(Flag.BAD_REFERENCE, "no reference", "foot", "NR", "+", "#b0148c"),
    Mark(Flag.NOT_FINITE, "not a number", "foot", "NT", "2", "#953800"),
    Mark(Flag.SATURATED, "saturated", "point", "NT", "^", "#e16f00"),
    Mark(Flag.REFERENCE_SATURATED, "reference saturated", "point", "NR", "v", "#a15c00"),
    Mark(Flag.REPAIRED, "pixel repaired", "point", "NT", "o", "#5d6b00"),
    Mark(Flag.PARTIAL_INTEGRATION, "part of an integration", "point", "NTR", "p", "#4a6fa5"),
    Mark(Flag.REPEATED, "repeated", "point", "NTR", "s", "#0a7d55"),
    Mark(Flag.WEAK_TRACKING, "weak tracking", "point", "NT", "D", "#8250df"),
    Mark(Flag.TIME_GAP, "frames missing", "span", "NTR", "s", "#efe7d6"),
)
"""Flags drawn, in the order of the legend. The others change no single point's meaning."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One curve: what is drawn, with its sigma or None, and its colour."""

    letter: str
    label: str
    value: Floats
    sigma: Floats | None
    colour: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """Lowest, median and highest value of groups of neighbouring samples; NaN where a group is empty."""

    x: Floats
    low: Floats
    median: Floats
    high: Floats


def draw_lightcurve(result: ReductionResult) -> bytes:
    """Draw the three curves of the paper; return a PNG.

    The upper panel is F_N of equation 3 on the out-of-event baseline, the others F_T and F_R of
    equations 1 and 2 [1]_. Unusable points are left out and marked at the foot.

    References
    ----------
    .. [1] Kilic et al. 2022, MNRAS 515, 1346, doi:10.1093/mnras/stac1595.
    """
    with house_style():
        panels = _panels(result)
        figure = Figure(figsize=(12.5, 8.6), dpi=120, facecolor="white")
        grid = figure.add_gridspec(len(panels), 1, height_ratios=(2.3, 1, 1)[: len(panels)])
        grid.update(left=0.075, right=0.985, top=0.895, bottom=0.15, hspace=0.1)
        upper = figure.add_subplot(grid[0])
        axes = (upper, *(figure.add_subplot(grid[i], sharex=upper) for i in range(1, len(panels))))
        x, label = time_axis(result)
        outside = sum(_draw_panel(ax, panel, x, result) for ax, panel in zip(axes, panels, strict=True))
        _draw_edges(axes, x, result)
        for ax in axes[:-1]:
            ax.tick_params(labelbottom=False)
        axes[-1].set_xlabel(label)
        figure.align_ylabels(axes)
        finite = x[np.isfinite(x)]
        if finite.size > 1 and finite.min() < finite.max():
            pad = 0.012 * (finite.max() - finite.min())
            upper.set_xlim(finite.min() - pad, finite.max() + pad)
        _title(figure, result)
        _legend(figure, result)
        _caption(figure, x, outside, bars=panels[0].sigma is not None)
        return png(figure)


def _draw_edges(axes: Sequence[Axes], x: Floats, result: ReductionResult) -> None:
    """Mark D and R of every fitted event."""
    if result.event is None:
        return
    mid_ns = result.lightcurve.mid_ns
    at = np.flatnonzero((mid_ns != UNKNOWN_NS) & np.isfinite(x))
    at = at[np.argsort(mid_ns[at], kind="stable")]
    first = int(mid_ns[at[0]]) if at.size else 0
    for event in result.event.events:
        for edge in (event.d, event.r):
            if edge is None or edge.utc_ns == UNKNOWN_NS or not at.size:
                continue
            place = float(np.interp((edge.utc_ns - first) * 1e-9, (mid_ns[at] - first) * 1e-9, x[at]))
            for ax in axes:
                ax.axvline(
                    place, color=EDGE_COLOURS[edge.kind], linewidth=1.0, linestyle=(0, (2, 2)), zorder=5
                )
            axes[0].annotate(
                edge.kind, (place, 1.0), xycoords=axes[0].get_xaxis_transform(), xytext=(0, 3),
                textcoords="offset points", ha="center", color=EDGE_COLOURS[edge.kind], weight="bold",
            )  # fmt: skip


def time_axis(result: ReductionResult) -> tuple[Floats, str]:
    """Return the abscissa of each sample, NaN where it has none, and the label of the axis.

    Seconds after a full minute of UTC (minutes after a full hour for more than half an hour); frame
    numbers where fewer than `TIMED` of the samples have a time.
    """
    curve = result.lightcurve
    known = curve.mid_ns != UNKNOWN_NS
    if np.count_nonzero(known) < max(1, TIMED * known.size):
        return curve.frame.astype(np.float64), "frame (times unknown)"
    first, last = int(curve.mid_ns[known].min()), int(curve.mid_ns[known].max())
    seconds = 60 if last - first <= 1800 * 10**9 else 3600
    start = first // (seconds * 10**9) * seconds * 10**9
    stamp = datetime.fromtimestamp(start // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    unit, size = ("seconds", 1e9) if seconds == 60 else ("minutes", 60e9)
    x = np.full(known.size, np.nan)
    x[known] = (curve.mid_ns[known] - start) / size
    return x, f"{unit} after {stamp} UTC (mid-exposure)"


def _panels(result: ReductionResult) -> tuple[Panel, ...]:
    """Return the panels that have anything to show; the target's at least."""
    curve = result.lightcurve
    usable = (curve.flags & np.uint32(UNUSABLE)) == 0
    lost = (curve.flags & np.uint32(Flag.LOST | Flag.OFF_FRAME | Flag.NOT_FINITE)) != 0
    reference = _over_median(curve.reference_flux)
    title = "target / reference" if np.isfinite(reference).any() else "target alone"
    panels = (
        Panel(
            "N", f"{title}\n$F_N$, out of event = 1",
            np.where(usable, curve.flux_norm, np.nan), curve.flux_norm_sigma, "#1f5fbf",
        ),
        Panel(
            "T", "target\n$F_T$, median = 1",
            np.where(lost, np.nan, _over_median(curve.target_flux)), None, "#c0392b",
        ),
        Panel("R", "reference\n$F_R$, median = 1", reference, None, "#2b3440"),
    )  # fmt: skip
    return tuple(p for p in panels if np.isfinite(p.value).any() or p.letter == "T")


def _over_median(flux: Floats) -> Floats:
    """Flux over its median of all frames, equations 1 and 2."""
    finite = flux[np.isfinite(flux)]
    median = float(np.median(finite)) if finite.size else 0.0
    return np.where(np.isfinite(flux), flux / median, np.nan) if median > 0 else np.full_like(flux, np.nan)


def _draw_panel(ax: Axes, panel: Panel, x: Floats, result: ReductionResult) -> int:
    """Draw one curve; return how many points lie outside its scale."""
    ax.set_ylabel(panel.label)
    ax.axhline(1.0, color=INK, linewidth=0.9, linestyle=(0, (6, 3)), zorder=3)
    shown = np.isfinite(x) & np.isfinite(panel.value)
    if not shown.any():
        ax.text(0.5, 0.5, "not measured", transform=ax.transAxes, ha="center", color=FAINT)
        ax.set_ylim(0, 1.3)
    else:
        ax.set_ylim(*scale(panel.value[shown]))
        draw = _draw_points if x.size <= POINTS else _draw_envelope
        draw(ax, panel, x)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, min_n_ticks=3))
    _draw_flags(ax, panel, x, result)
    low, high = ax.get_ylim()
    above, below = shown & (panel.value > high), shown & (panel.value < low)
    edges = ax.get_xaxis_transform()
    for which, edge, marker in ((above, 0.975, "^"), (below, 0.025, "v")):
        at = _thin(x[which])
        ax.plot(
            at,
            np.full(at.size, edge),
            ls="",
            marker=marker,
            ms=6,
            color=panel.colour,
            transform=edges,
            zorder=6,
        )
    return int(np.count_nonzero(above | below))


def scale(values: Floats) -> tuple[float, float]:
    """Return limits that show all but wild points: 0 and 1 always, and what is near the middle half."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    reach = max(12 * (high - low), 1.5 * abs(middle), 1e-6)  # 1.5: a central flash is no outlier
    bottom = min(0.0, float(np.min(values[values >= middle - reach])))
    top = max(1.0, float(np.max(values[values <= middle + reach])))
    pad = 0.06 * (top - bottom)
    return bottom - pad, top + pad


def _draw_points(ax: Axes, panel: Panel, x: Floats) -> None:
    dense = min(1.0, 500 / max(x.size, 1))
    if panel.sigma is not None:
        ok = np.isfinite(x + panel.value + panel.sigma)
        low, high = panel.value[ok] - panel.sigma[ok], panel.value[ok] + panel.sigma[ok]
        bars = np.stack([np.stack([x[ok], low], axis=-1), np.stack([x[ok], high], axis=-1)], axis=1)
        width, alpha = 0.6 + 0.6 * dense, 0.22 + 0.5 * dense
        lines = LineCollection(list(bars), colors=panel.colour, linewidths=width, alpha=alpha, zorder=3.5)
        ax.add_collection(lines, autolim=False)
    ax.plot(x, panel.value, ls="", marker="o", ms=1.9 + 2.0 * dense, mew=0, color=panel.colour, zorder=4)


def _draw_envelope(ax: Axes, panel: Panel, x: Floats) -> None:
    group = envelope(x, panel.value, BINS)
    ax.fill_between(group.x, group.low, group.high, color=panel.colour, alpha=0.3, lw=0, zorder=3.5)
    ax.plot(group.x, group.median, color=panel.colour, lw=1.0, zorder=4)
    if panel.sigma is None:
        return
    typical = envelope(x, panel.sigma, BINS).median
    for side in (-1, 1):
        ax.plot(group.x, group.median + side * typical, color=panel.colour, lw=0.5, alpha=0.7, zorder=4)


def envelope(x: Floats, value: Floats, bins: int) -> Envelope:
    """Reduce a curve to `bins` groups of neighbouring samples, or fewer.

    Parameters
    ----------
    x, value : array, (n,)
        A curve; samples where either is NaN are left out.
    bins : int
        Largest number of groups.
    """
    size = -(-x.size // bins)
    rows = -(-x.size // size)
    padded = np.full((2, rows * size), np.nan)
    both = np.isfinite(x) & np.isfinite(value)
    padded[0, : x.size] = np.where(both, x, np.nan)
    padded[1, : x.size] = np.where(both, value, np.nan)
    xs, ys = (np.sort(p.reshape(rows, size), axis=1) for p in padded)  # NaN sorts last
    count = np.count_nonzero(np.isfinite(ys), axis=1)
    last = np.maximum(count - 1, 0)
    row = np.arange(rows)

    def middle(sorted_rows: Floats) -> Floats:
        values: Floats = 0.5 * (sorted_rows[row, last // 2] + sorted_rows[row, (last + 1) // 2])
        return values

    return Envelope(middle(xs), ys[:, 0].copy(), middle(ys), ys[row, last])


def _draw_flags(ax: Axes, panel: Panel, x: Floats, result: ReductionResult) -> None:
    flags = result.lightcurve.flags
    for mark in MARKS:
        if panel.letter not in mark.panels:
            continue
        at = ((flags & np.uint32(mark.flag)) != 0) & np.isfinite(x)
        if mark.place == "span":
            for i in _thin(np.flatnonzero(at), 300):
                before = x[:i][np.isfinite(x[:i])]
                if before.size:
                    ax.axvspan(before[-1], x[i], fc=mark.colour, ec="#cdbf9f", lw=0.9, zorder=1.5)
            continue
        style: dict[str, Any] = {"ls": "", "marker": mark.marker, "color": mark.colour, "zorder": 5}
        if mark.place == "foot":
            where = _thin(x[at])
            foot = ax.get_xaxis_transform()
            ax.plot(where, np.full(where.size, 0.035), transform=foot, ms=6, mew=1.3, **style)
        else:
            chosen = _thin(np.flatnonzero(at))
            ax.plot(x[chosen], panel.value[chosen], ms=6, mew=1.2, mfc="none", **style)


def _thin(values: NDArray[Any], most: int = BINS) -> NDArray[Any]:
    """At most `most` of `values`, evenly chosen."""
    return values if values.size <= most else values[:: -(-values.size // most)]


def _title(figure: Figure, result: ReductionResult) -> None:
    quality = result.quality
    name = shorten(drawable(result.source.name), 70)
    figure.text(0.075, 0.955, name, fontsize=15, fontweight="bold", parse_math=False)
    facts = [plural(quality.points, "point")]
    if math.isfinite(quality.scatter):
        facts.append(f"scatter {percent(quality.scatter)} (predicted {percent(quality.predicted_scatter)})")
    if math.isfinite(quality.chi2_reduced):
        facts.append(f"reduced χ² {number(quality.chi2_reduced)}")
    figure.text(0.075, 0.922, "   ·   ".join(facts), color=FAINT)


def _legend(figure: Figure, result: ReductionResult) -> None:
    handles = [Line2D([], [], color=INK, lw=0.9, ls=(0, (6, 3)), label="level 1")]
    for mark in MARKS:
        count = int(np.count_nonzero(result.lightcurve.flags & np.uint32(mark.flag)))
        if count:
            look: dict[str, Any] = {"marker": mark.marker, "color": mark.colour}
            look["ms"] = 9 if mark.place == "span" else 7
            look["mfc"] = "none" if mark.place == "point" else mark.colour
            handles.append(Line2D([], [], ls="", label=f"{mark.label} ({count:,})", **look))
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.066, 0.03), ncols=6,
        fontsize=10, handletextpad=0.4, columnspacing=1.6, borderaxespad=0.0,
    )  # fmt: skip


def _caption(figure: Figure, x: Floats, outside: int, bars: bool) -> None:
    parts = []
    if x.size > POINTS:
        group = f"{-(-x.size // BINS)} neighbouring points"
        parts.append(
            f"Shaded: lowest to highest of {group}; line: their median; thin: ± one sigma of a point."
        )
    elif bars:
        parts.append("Bars: ± one sigma.")
    if undrawn := int(np.count_nonzero(~np.isfinite(x))):
        parts.append(f"Without a time, not drawn: {plural(undrawn, 'point')}.")
    if outside:
        parts.append(f"Outside the scale, arrows: {plural(outside, 'point')}.")
    figure.text(0.075, 0.012, " ".join(parts), color=FAINT, fontsize=9.5)
