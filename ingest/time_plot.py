"""Residuals of the stamps against the regular cadence: a picture that a person reads in ten seconds."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ingest.cadence import Cadence, FrameFlag
from ingest.time_verdict import TimeVerdict
from reduction.errors import RequestError, ResourceError
from reduction.outputs.drawing import FAINT, INK, house_style, png
from reduction.timing import TimeSolution

STATE_COLOURS = {"good": "#1e7d46", "caution": "#9a6700", "bad": "#c2182b"}
Mark = tuple[FrameFlag, str, str, str]
MARKS: tuple[Mark, ...] = (
    (FrameFlag.FRAMES_MISSING, "#c2182b", "|", "frames missing before"),
    (FrameFlag.REPEATED_TIME, "#b35c00", "v", "one frame too many"),
    (FrameFlag.BACKWARDS, "#7b2fbf", "<", "backwards"),
    (FrameFlag.OFF_CADENCE, "#0b6fb8", "x", "beside the cadence"),
    (FrameFlag.SAME_PIXELS, "#35a0a8", "s", "pixels of the frame before"),
    (FrameFlag.NO_TIME, FAINT, ".", "no time"),
)
WIDEST_MS = 1e9


def write_time_plot(
    path: Path, name: str, times: TimeSolution, cadence: Cadence, verdict: TimeVerdict
) -> None:
    """Draw the residuals, what is odd, and the verdict.

    Raises
    ------
    RequestError
        The file is to be something else than PNG.
    ResourceError
        It cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise RequestError(f"--plot {path}: give a name that ends in .png")
    with house_style():
        figure = Figure(figsize=(10.0, 4.6), dpi=110)
        axes = figure.add_axes((0.085, 0.24, 0.895, 0.58))
        _draw(axes, times, cadence)
        colour = STATE_COLOURS[verdict.state]
        figure.text(0.085, 0.92, f"times: {verdict.state}", color=colour, size=15, weight="bold")
        figure.text(0.085, 0.865, _shortened(verdict.sentence), color=INK, size=9.5)
        figure.text(0.98, 0.925, name, color=FAINT, size=9.5, ha="right")
        data = png(figure)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ResourceError(f"--plot {path}: cannot be written: {error.strerror or error}") from error


def _draw(axes: Axes, times: TimeSolution, cadence: Cadence) -> None:
    numbers = np.arange(times.mid_ns.size)
    residual = np.clip(cadence.residual_s * 1e3, -WIDEST_MS, WIDEST_MS)
    axes.set_xlabel("frame")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not np.isfinite(residual).any():
        axes.set_yticks([])
        axes.set_title("no times", y=0.45, size=20, color=FAINT)
        return
    step = f"{cadence.step_s * 1e3:.6g} ms"
    label = f"stamp - cadence of {step}, ms" if cadence.regular else f"stamp - straight line ({step}), ms"
    axes.set_ylabel(label)
    size = float(np.clip(60.0 / np.sqrt(max(numbers.size, 1)), 2.5, 9.0))
    axes.plot(numbers, residual, ".", color=INK, markersize=size, label="stamps")
    sigma = float(np.nanmedian(times.sigma_s)) * 1e3
    low, high = np.nanpercentile(residual, [0.5, 99.5])
    span = max(high - low, 6 * cadence.scatter_s * 1e3, 1e-3)
    if sigma < 3 * span:
        axes.axhspan(-sigma, sigma, color=FAINT, alpha=0.13, lw=0, label=f"±{sigma:.3g} ms, one sigma")
    axes.set_ylim(low - 0.35 * span, high + 0.35 * span)
    for mark in MARKS:
        _mark(axes, cadence, residual, mark)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.19), ncols=4, fontsize=8.5, handletextpad=0.3)


def _mark(axes: Axes, cadence: Cadence, residual: NDArray[np.float64], mark: Mark) -> None:
    flag, colour, marker, words = mark
    frames = cadence.frames_with(flag)
    if not frames.size:
        return
    low, high = axes.get_ylim()
    if flag is FrameFlag.FRAMES_MISSING:
        axes.vlines(frames, low, high, color=colour, lw=1.2, alpha=0.55)
    at = np.where(np.isfinite(residual[frames]), residual[frames], low + 0.03 * (high - low))
    axes.plot(
        frames,
        np.clip(at, low + 0.03 * (high - low), high - 0.03 * (high - low)),
        marker,
        color=colour,
        markersize=11 if marker == "|" else 6,
        markeredgewidth=2 if marker in "|x" else 1,
        label=f"{words}: {frames.size}",
    )


def _shortened(sentence: str, most: int = 120) -> str:
    return sentence if len(sentence) <= most else sentence[: most - 1].rstrip() + "…"
