"""Pass 1: whether rows or columns of a frame carry noise of their own, and what frames have in common."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.detect import background, clipped_sigma
from reduction.caveats import Caveat, Note
from reduction.plan import ReductionPlan
from reduction.scan import Scan
from reduction.view import Lines, View

PAIRS = 8
"""Pairs of neighbouring frames that are compared."""

CAST_FRAMES = 9
"""Frames whose median shows what they have in common."""

SIGNIFICANT = 3.0
"""Variance of line means over that of white noise, from which lines have noise of their own.

At 3, their own noise has twice the variance of a line's mean: taking it off leaves less than it found."""

ISOTROPIC = 2.0
"""Lines one way over lines the other way: noise that a lens, a codec or a filter has smoothed raises both."""

CERTAIN = 30.0
"""From here on no smoothing explains it, whatever the other way shows."""

SAMPLED = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class LineNoise:
    """Line noise of a recording: sigmas of a pixel, of a row's and of a column's own offset, ADU.

    `rows_over_white` and `columns_over_white` are the variances of line means over those of white noise.
    """

    pixel: float
    row: float
    column: float
    rows_over_white: float
    columns_over_white: float
    pairs: int = 0

    @property
    def in_rows(self) -> bool:
        """Whether rows have noise of their own."""
        return self._significant(self.rows_over_white, self.columns_over_white)

    @property
    def in_columns(self) -> bool:
        """Whether columns have noise of their own."""
        return self._significant(self.columns_over_white, self.rows_over_white)

    def _significant(self, own: float, other: float) -> bool:
        return own > SIGNIFICANT and (own > ISOTROPIC * other or own > CERTAIN)


def line_noise(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[float, float, float]:
    """Variance of a pixel, and of the means of its rows and of its columns, from two neighbouring frames.

    All three are of one frame (half of the difference's), ADU^2. Line means are compared with those of the
    next line, so that clouds, which change slowly over the frame, drop out.

    Parameters
    ----------
    first, second : array, (height, width)
    """
    with np.errstate(invalid="ignore"):  # infinite pixels
        change = second - first
    flat = change.reshape(-1)
    part = flat[:: max(1, flat.size // SAMPLED)]
    if not np.isfinite(part).any():
        return float("nan"), float("nan"), float("nan")
    sigma = clipped_sigma(part)
    inside = np.abs(change - np.float32(np.nanmedian(part))) <= 4.0 * sigma
    kept = np.where(inside, change, np.float32(0.0))
    found = [sigma**2 / 2.0]
    for axis in (1, 0):
        count = inside.sum(axis=axis)
        mean = np.divide(
            kept.sum(axis=axis, dtype=np.float64), count, where=count > 0, out=np.full(count.shape, np.nan)
        )
        found.append(clipped_sigma(np.diff(mean), 4.0) ** 2 / 4.0 if mean.size > 8 else float("nan"))
    return found[0], found[1], found[2]


def measure_lines(view: View, scan: Scan) -> LineNoise | None:
    """Line noise from pairs of neighbouring frames spread over the recording; None where none are.

    Parameters
    ----------
    view : View
    scan : Scan
        Of the recorded frames; repeated ones are nobody's neighbours.
    """
    if len(view.stack.info.frame_shape) != 2:
        return None
    firsts = np.flatnonzero(np.diff(scan.rank) == 1)
    if firsts.size == 0:
        return None
    chosen = firsts[np.unique(np.round(np.linspace(0, firsts.size - 1, PAIRS)).astype(int))]
    found = []
    for frame in chosen:
        pair = view.linear(view.stack.read(int(frame), int(frame) + 2))
        found.append(line_noise(pair[0].astype(np.float32), pair[1].astype(np.float32)))
    values = np.array(found)
    values = values[np.isfinite(values).all(axis=1) & (values[:, 0] > 0)]
    if values.size == 0:
        return None
    total, rows, columns = np.median(values, axis=0)
    height, width = view.stack.info.frame_shape
    own = [
        max(0.0, float((mean - total / n) / (1.0 - 1.0 / n)))
        for mean, n in ((rows, width), (columns, height))
    ]
    pixel = max(float(total) - sum(own), 0.1 * float(total))
    return LineNoise(
        pixel=float(np.sqrt(pixel)),
        row=float(np.sqrt(own[0])),
        column=float(np.sqrt(own[1])),
        rows_over_white=float(rows / (pixel / width)),
        columns_over_white=float(columns / (pixel / height)),
        pairs=len(values),
    )


def cast_of(view: View) -> NDArray[np.float32]:
    """What the frames of a recording have in common and that varies slowly: ``(height, width)``, ADU.

    The background of the median of some frames, each colour of a mosaic on its own.
    """
    frames = view.stack.info.frames
    chosen = np.unique(np.linspace(0, frames - 1, min(CAST_FRAMES, frames)).round().astype(int))
    images = [view.linear(view.stack.read(int(k), int(k) + 1))[0].astype(np.float32) for k in chosen]
    middle = np.nanmedian(np.stack(images), axis=0).astype(np.float32)
    step = 2 if view.geometry.layout == "mosaic" else 1
    cast = np.empty(middle.shape, np.float32)
    for top in range(step):
        for left in range(step):
            phase = np.s_[top::step, left::step]
            cast[phase] = background(middle[phase])[0]
    return cast


def lines_for(view: View, plan: ReductionPlan, scan: Scan) -> tuple[Lines | None, list[Note]]:
    """What the plan and the recording ask to be taken off lines, and what must be said of it."""
    if plan.row_noise == "off":
        return None, []
    noise = measure_lines(view, scan)
    if noise is None:
        return None, []
    rows, columns = noise.in_rows or plan.row_noise == "on", noise.in_columns
    if not (rows or columns):
        return None, []
    return Lines(cast_of(view), noise.pixel, rows, columns), list(_notes(noise, rows, columns))


def _notes(noise: LineNoise, rows: bool, columns: bool) -> Iterator[Note]:
    for name, taken, sigma in (("Rows", rows, noise.row), ("Columns", columns, noise.column)):
        if taken:
            yield Note(
                Caveat.LINE_NOISE,
                f"{name} have noise of their own ({sigma:.3g} ADU, a pixel {noise.pixel:.3g} ADU): it is "
                "measured on the pixels without stars and taken off.",
            )
