"""How D, R and scatter of a campaign's observations changed, in one picture."""

import math
from collections.abc import Sequence
from typing import Any

from cluster.campaign.compare import Pair
from reduction.outputs.drawing import EDGE_COLOURS, FAINT, INK, house_style, png

MOST = 60
"""Stations that are drawn: the ones that changed most."""

LINE = "#1f5fbf"


def draw_changes(pairs: Sequence[Pair]) -> bytes | None:
    """Draw a PNG: per station, new less old D and R with their errors, and the ratio of scatters.

    None where nothing can be compared.
    """
    from matplotlib.figure import Figure

    able = [pair for pair in pairs if pair.change not in {"new", "gone", "same"}]
    able.sort(key=_size, reverse=True)
    shown = able[:MOST]
    if not shown:
        return None
    with house_style():
        height = 1.6 + 0.28 * len(shown)
        figure = Figure(figsize=(11.0, height), dpi=120, facecolor="white", layout="constrained")
        moved, scatter = figure.subplots(1, 2, sharey=True, width_ratios=(2.0, 1.0))
        for place, pair in enumerate(shown):
            _draw(moved, scatter, place, pair)
        moved.set_yticks(range(len(shown)), [pair.station[:28] for pair in shown])
        moved.set_ylim(len(shown) - 0.5, -0.5)
        moved.axvline(0.0, color=FAINT, lw=0.8)
        scatter.axvline(1.0, color=FAINT, lw=0.8)
        moved.set_xlabel("new less old, seconds; bars: one-sigma error of the time")
        scatter.set_xlabel("scatter, new over old")
        for name, colour in EDGE_COLOURS.items():
            moved.plot([], [], "o", ms=4, color=colour, label=name)
        moved.legend(loc="upper right", ncols=2, labelcolor=INK)
        return png(figure)


def _size(pair: Pair) -> float:
    """How much an observation changed."""
    sigmas = [abs(value) for name in ("d", "r") if (value := pair.moved_sigma(name)) is not None]
    ratio = pair.scatter_ratio
    return max([*sigmas, 0.0 if ratio is None else abs(math.log(ratio))], default=0.0)


def _draw(moved: Any, scatter: Any, place: int, pair: Pair) -> None:
    """The marks of one station."""
    for name, offset in (("d", -0.13), ("r", 0.13)):
        by = pair.moved_s(name)
        edge = None if pair.new is None else pair.new.edge(name)
        if by is None or edge is None:
            continue
        error = edge.sigma_s if math.isfinite(edge.sigma_s) else 0.0
        moved.errorbar(
            by, place + offset, xerr=error, fmt="o", ms=4, lw=1.0, color=EDGE_COLOURS[name.upper()], zorder=3
        )
    ratio = pair.scatter_ratio
    if ratio is not None:
        scatter.plot(ratio, place, "o", ms=4, color=LINE, zorder=3)
