"""The demo in one picture: three light curves, stacked by chord, beside the chords they give."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cluster.demo_campaign import ASTEROID
from cluster.demo_compare import StationOutcome

INK, FAINT, TRUTH = "#22303c", "#8795a1", "#e4572e"
COLOURS = ("#1d4e89", "#00838f", "#6a4c93")
_WINDOW_S = 6.0


def draw_campaign(outcomes: Sequence[StationOutcome], path: Path) -> None:
    """Write a PNG: light curves from north to south on the left, chords in the sky plane on the right.

    Parameters
    ----------
    outcomes : sequence of StationOutcome
        In the order of the rows.
    path : Path
        File to write; missing folders are made.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 5.6), dpi=160, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subfigures(1, 2, width_ratios=(1.72, 1.0), wspace=0.02, squeeze=False)[0]
    rows = left.subplots(len(outcomes), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, outcome, colour in zip(rows, outcomes, COLOURS, strict=False):
        _draw_curve(axes, outcome, colour)
    rows[-1].set_xlabel("seconds from mid-event of each chord", color=INK)
    rows[len(outcomes) // 2].set_ylabel("flux, relative to the baseline", color=INK)
    rows[0].set_title(
        "Three recordings, three formats, one command",
        loc="left",
        color=INK,
        weight="bold",
    )
    _draw_chords(right.subplots(), outcomes)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", metadata={"Software": None})


def _draw_curve(axes: Any, outcome: StationOutcome, colour: str) -> None:
    station = outcome.station
    near = np.abs(outcome.time_s) < _WINDOW_S
    axes.errorbar(
        outcome.time_s[near],
        outcome.flux[near],
        outcome.sigma[near],
        fmt="o",
        ms=2.6,
        lw=0.6,
        color=colour,
        alpha=0.75,
        mec="none",
        zorder=2,
    )
    disappear, reappear = outcome.true_edges_s
    low = 1.0 - station.event.depth
    axes.step(
        [-_WINDOW_S, disappear, reappear, _WINDOW_S], [1.0, low, 1.0, 1.0], where="post", color=TRUTH, lw=1.3,
        zorder=3,
    )  # fmt: skip
    found = outcome.found
    for edge, at, true, side in zip(
        (found.d, found.r), found.edges_s(station.mid_ns), (disappear, reappear), (-1, 1), strict=True
    ):
        late = f"{1e3 * (at - true):+.1f}".replace("-", "−")
        axes.text(
            at + side * 0.15,
            low + 0.09,
            f"{edge.kind}  {late} ± {1e3 * edge.utc.sigma:.1f} ms",
            ha="right" if side < 0 else "left",
            color=INK,
            fontsize=8,
        )
    axes.text(
        0.006, 0.06, f"{station.key}   {station.title}", transform=axes.transAxes, fontsize=8.5, color=colour
    )
    axes.set_xlim(-_WINDOW_S, _WINDOW_S)
    axes.set_ylim(-0.42, 1.32)
    axes.set_yticks([0.0, 0.5, 1.0])
    _plain(axes)


def _draw_chords(axes: Any, outcomes: Sequence[StationOutcome]) -> None:
    from matplotlib.patches import Circle

    radius, speed = ASTEROID.radius_km, ASTEROID.speed_km_s
    axes.add_patch(Circle((0.0, 0.0), radius, facecolor="#eef1f4", edgecolor=TRUTH, lw=1.3, zorder=0))
    for outcome, colour in zip(outcomes, COLOURS, strict=False):
        height = outcome.station.chord_km
        ends = tuple(speed * at for at in outcome.found.edges_s(outcome.station.mid_ns))
        axes.plot([-1.6 * radius, ends[0]], [height] * 2, color=colour, lw=0.7, alpha=0.5)
        axes.plot([ends[1], 1.6 * radius], [height] * 2, color=colour, lw=0.7, alpha=0.5)
        axes.plot(ends, [height] * 2, color=colour, lw=2.6, solid_capstyle="butt", marker="o", ms=4.5)
        axes.annotate(
            outcome.station.key, (-1.6 * radius, height), (-4, 0), textcoords="offset points", color=colour,
            ha="right", va="center", weight="bold",
        )  # fmt: skip
    axes.plot([-10.0, 10.0], [-1.3 * radius] * 2, color=INK, lw=1.6, solid_capstyle="butt")
    axes.text(0.0, -1.36 * radius, "20 km", ha="center", va="top", color=INK, fontsize=8.5)
    axes.text(
        0.0, 1.08 * radius, f"true outline, {2 * radius:.0f} km", ha="center", color=TRUTH, fontsize=8.5
    )
    note = "orange: what was put in\nD, R: found − true, with its sigma"
    axes.text(0.0, -1.62 * radius, note, ha="center", va="top", color=FAINT, fontsize=8.5, linespacing=1.5)
    axes.set_aspect("equal")
    axes.set_xlim(-1.75 * radius, 1.6 * radius)
    axes.set_ylim(-1.95 * radius, 1.3 * radius)
    axes.set_axis_off()
    axes.set_title("The chords they give", loc="center", color=INK, weight="bold")


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=FAINT, labelcolor=INK, labelsize=8.5)
