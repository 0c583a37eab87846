"""Burnt-in digits of a video time inserter, found by themselves.

What is looked for is what no sky shows: a line of bright glyphs of one height, close to each other, at the
same rows of the sensor on most frames of the sample. Stars are discs that move; glyphs are strokes (about
half of the box around a digit is ink) that stay. The whole line is masked, for any of its dots may light
up on another frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]

LEVELS = (0.6, 0.3)
"""Thresholds, fraction of the way from the sky to the brightest pixels."""

MOST_INK = 0.25
"""Fraction of a frame above the threshold from which it is no text."""

LEAST_INK = 100
"""Pixels that any line of digits lights up."""

CLEAR_SIGMA = 8.0
"""Of the sky's noise, by which digits stand out."""

HEIGHTS_PX = (5, 80)
LEAST_GLYPHS = 5
MOST_FILL = 0.74
"""Ink over the box around a glyph: a disc has 0.79, digits 0.3 to 0.7."""

MOST_GAP = 2.2
"""Between glyphs of one line, in heights: two blanks."""

LEAST_FRAMES = 0.5
"""Of the sample, on which a line stands at the same rows."""

MOST_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Line:
    """Box around a line of glyphs, pixels; ends are excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    def within(self, other: "Line") -> bool:
        """Whether the other box covers this one."""
        rows = other.top <= self.top and self.bottom <= other.bottom
        return rows and other.left <= self.left and self.right <= other.right

    def joined(self, other: "Line") -> "Line":
        """Box around both."""
        return Line(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )


def find_overlay(images: Sequence[NDArray[Any]]) -> tuple[Line, ...]:
    """Find the burnt-in lines of a recording.

    Parameters
    ----------
    images : sequence of array, (height, width)
        Frames of the sample, evenly spread; `MOST_FRAMES` of them suffice.

    Returns
    -------
    tuple of Line
        Boxes with margins, from above; none on an ordinary recording.
    """
    if not images:
        return ()
    found = [text_lines(image) for image in images]
    least = max(2, round(LEAST_FRAMES * len(images)))
    rows: list[tuple[Line, int]] = []
    for lines in found:
        fresh: list[Line] = []
        for line in lines:
            at = next((k for k, (known, _) in enumerate(rows) if _same_rows(known, line)), None)
            if at is None:
                fresh.append(line)
            else:
                rows[at] = rows[at][0].joined(line), rows[at][1] + 1
        rows.extend((line, 1) for line in fresh)
    shape = images[0].shape
    kept = [_with_margin(line, shape) for line, frames in rows if frames >= least]
    return tuple(sorted(kept, key=lambda line: (line.top, line.left)))


def text_lines(image: NDArray[Any]) -> list[Line]:
    """Lines of glyphs on one image.

    Parameters
    ----------
    image : array, (height, width)
    """
    values = np.where(np.isfinite(image), image, 0.0) if image.dtype.kind == "f" else image
    if values.dtype == np.uint8:
        values = values.astype(np.uint16)  # which NumPy partitions twenty times as fast
    step = max(1, int(np.sqrt(values.size / 20_000)))
    part = values[::step, ::step]
    sky = float(np.median(part))
    noise = 1.4826 * float(np.median(np.abs(part - sky)))
    brightest = min(LEAST_INK, values.size)
    top = float(np.partition(values, -brightest, axis=None)[-brightest])
    lines: list[Line] = []
    for level in LEVELS:
        threshold = sky + level * (top - sky)
        if threshold <= sky + CLEAR_SIGMA * noise:
            continue
        bright = values > threshold
        if np.count_nonzero(bright) > MOST_INK * values.size:
            continue
        for line in _lines_in_bands(bright):
            same = next((k for k, known in enumerate(lines) if _same_rows(known, line)), None)
            if same is None:
                lines.append(line)
            else:
                lines[same] = lines[same].joined(line)
    return lines


def _lines_in_bands(bright: Mask) -> list[Line]:
    """Chains of glyphs, looked for where several rows below each other cross many edges."""
    edges = np.count_nonzero(bright[:, 1:] & ~bright[:, :-1], axis=1)
    busy = np.concatenate([[False], ndimage.binary_closing(edges >= LEAST_GLYPHS - 1, iterations=2), [False]])
    starts, stops = np.flatnonzero(busy[1:] & ~busy[:-1]), np.flatnonzero(busy[:-1] & ~busy[1:])
    lines: list[Line] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if stop - start < HEIGHTS_PX[0] - 1:
            continue
        first = max(start - 3, 0)
        for line in _lines(bright[first : stop + 3]):
            lines.append(Line(line.top + first, line.bottom + first, line.left, line.right))
    return lines


def _lines(bright: Mask) -> list[Line]:
    """Chains of glyphs on a thresholded image."""
    labels, count = ndimage.label(bright, np.ones((3, 3)))
    if count < LEAST_GLYPHS:
        return []
    boxes = ndimage.find_objects(labels)
    ink = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    top = np.array([box[0].start for box in boxes])
    left = np.array([box[1].start for box in boxes])
    high = np.array([box[0].stop for box in boxes]) - top
    wide = np.array([box[1].stop for box in boxes]) - left
    low, most = HEIGHTS_PX
    glyph = (high >= low) & (high <= most) & (wide >= 2) & (wide <= 40 * high)
    order = np.flatnonzero(glyph)
    order = order[np.lexsort((left[order], top[order]))]
    taken = np.zeros(count, bool)
    lines: list[Line] = []
    for first in order:
        if taken[first]:
            continue
        near = glyph & ~taken & (np.abs(top - top[first]) <= _slack(high[first]))
        near &= np.abs(high - high[first]) <= _slack(high[first])
        members = np.flatnonzero(near)
        for chain in _chains(members[np.argsort(left[members])], left, wide, float(high[first])):
            glyphs = np.maximum(1.0, wide[chain] / high[first])  # glyphs that touch each other are one box
            fill = float(np.median(ink[chain] / (high[chain] * wide[chain])))
            if glyphs.sum() >= LEAST_GLYPHS and chain.size >= 3 and fill <= MOST_FILL:
                taken[members] = True
                lines.append(_around(members, top, left, high, wide))
                break
    return lines


def _slack(high: int) -> int:
    """By how much the glyphs of a line differ in place and height, pixels."""
    return max(1, round(0.12 * high))


def _chains(
    members: NDArray[np.intp], left: NDArray[np.intp], wide: NDArray[np.intp], high: float
) -> list[NDArray[np.intp]]:
    """Runs of boxes, sorted by their left edge, without a wide gap."""
    if not members.size:
        return []
    gap = left[members[1:]] - (left[members[:-1]] + wide[members[:-1]])
    return np.split(members, np.flatnonzero(gap > MOST_GAP * high) + 1)


def _around(
    members: NDArray[np.intp],
    top: NDArray[np.intp],
    left: NDArray[np.intp],
    high: NDArray[np.intp],
    wide: NDArray[np.intp],
) -> Line:
    return Line(
        int(top[members].min()),
        int((top + high)[members].max()),
        int(left[members].min()),
        int((left + wide)[members].max()),
    )


def _same_rows(known: Line, line: Line) -> bool:
    """Whether two lines stand at the same rows, by their middles and heights."""
    middle = abs((known.top + known.bottom) - (line.top + line.bottom)) / 2.0
    return middle <= 0.35 * line.height and abs(known.height - line.height) <= 0.35 * line.height + 1


def _with_margin(line: Line, shape: tuple[int, ...]) -> Line:
    """The line with what is blurred around it, and one more glyph at each end."""
    margin = max(3, round(0.3 * line.height))
    return Line(
        max(line.top - margin, 0),
        min(line.bottom + margin, shape[0]),
        max(line.left - line.height, 0),
        min(line.right + line.height, shape[1]),
    )


def masked(lines: Sequence[Line], shape: tuple[int, int]) -> Mask:
    """Pixels under the lines, ``(height, width)``, bool; size 0 where there are none."""
    if not lines:
        return np.empty((0, 0), np.bool_)
    mask = np.zeros(shape, np.bool_)
    for line in lines:
        mask[line.top : line.bottom, line.left : line.right] = True
    return mask


def described(lines: Sequence[Line]) -> str:
    """The lines in a sentence for people."""
    places = ", ".join(f"rows {b.top}-{b.bottom - 1}, columns {b.left}-{b.right - 1}" for b in lines)
    return (
        f"Digits are burnt into the frames ({places}); what lies under them is left out, and a star "
        "whose aperture touches them is flagged."
    )
