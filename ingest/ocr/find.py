"""Where the lines of a burnt-in time stand: rows, columns, pitch and polarity, found by reading.

Rows in which many blocks of pixels hold strong edges, field after field, are candidates. Each is read at a
ladder of pitches in both polarities; what the recogniser reads best, once its own spacing of the signs has
set the pitch and the rows have been tried a little higher and lower, is the line.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.crop import PITCH, Crop, normalise
from ingest.ocr.network import CLASSES, STRIDE, Recogniser

BLOCK = 16
EDGE_SIGMA = 5.0
LEAST_EDGE = 0.12
"""Of the strongest edges, that an edge of text has at least."""

LEAST_BLOCKS = 3.0
ROW_SHARE = 0.4
HEIGHTS = (5, 44)
MOST_BANDS = 8
LADDER = 1.22
PITCHES = (0.42, 3.0)
"""In heights of the text."""

TOGETHER = 5
"""Fields of which one quiet picture is made to look for rows."""

SAMPLE, FEW, STARTS = 8, 4, 2
LEAST_SIGNS = 5.0
SURE = 0.8
MOVING_COST, RESPACING_COST = 0.4, 0.1
"""Of the score: rows stay where edges show them, pitches are as signs are spaced, unless much is won."""

DIGIT = np.array([sign.isdigit() for sign in CLASSES])
MARKS = np.array([sign in ":." for sign in CLASSES])
WORTH = np.where(DIGIT | np.array([sign == ":" for sign in CLASSES]), 1.0, np.where(MARKS, 0.0, -0.5))
"""Of a sign: specks look like points, and a colon must gain nothing from being read as a digit."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of signs: its place, and how well it reads (sure digits in each field)."""

    crop: Crop
    score: float


@dataclass(frozen=True, slots=True)
class Spikes:
    """Signs read on pictures: number of the picture, column (of the picture), class, probability."""

    picture: NDArray[np.intp]
    column: NDArray[np.float64]
    sign: NDArray[np.intp]
    sure: NDArray[np.float64]


def find_lines(fields: NDArray[Any], network: Recogniser) -> list[Line]:
    """Find lines of digits that stand still over a sample of fields.

    Parameters
    ----------
    fields : array, (n, height, width)
        Fields, evenly spread over the recording; 6 to 24 suffice.
    network : Recogniser
        The recogniser.

    Returns
    -------
    list of Line
        Best first; empty where there is no text. One line of text may stand there more than once, at
        pitches that differ a little.
    """
    lines = []
    for top, bottom, left, right in text_bands(fields):
        lines += _best(fields, network, Crop(top, bottom, left, right, float(bottom - top)))
    return sorted(lines, key=lambda line: -line.score)


def text_bands(fields: NDArray[Any]) -> list[tuple[int, int, int, int]]:
    """Rows and columns (ends excluded) with strong edges: ``(top, bottom, left, right)``, busiest first."""
    values = _quieter(fields)
    edges = np.abs(np.diff(values, axis=2))
    noise = 1.4826 * float(np.median(edges))
    strong = float(np.percentile(edges, 99.7))
    limit = max(EDGE_SIGMA * noise, LEAST_EDGE * strong, 1e-6)
    n, height, width = edges.shape
    blocks = -(-width // BLOCK)
    padded = np.zeros((n, height, blocks * BLOCK), np.bool_)
    padded[:, :, :width] = edges > limit
    busy = padded.reshape(n, height, blocks, BLOCK).any(axis=3).mean(axis=0)
    count = busy.sum(axis=1)
    bands = []
    for top, bottom in _runs(count, max(LEAST_BLOCKS, ROW_SHARE * float(np.percentile(count, 99.5)))):
        inside = np.flatnonzero(busy[top:bottom].mean(axis=0) > 0.25)
        margin = 2 * (bottom - top)
        left = max(0, int(inside[0]) * BLOCK - margin)
        right = min(fields.shape[2], (int(inside[-1]) + 1) * BLOCK + margin)
        bands.append((float(count[top:bottom].sum()), (top, bottom, left, right)))
    return [band for _, band in sorted(bands, reverse=True)[:MOST_BANDS]]


def _quieter(fields: NDArray[Any]) -> NDArray[np.float32]:
    """Medians of runs of fields: what stands still is kept, noise and a spoilt field are not."""
    if len(fields) < 2 * TOGETHER:
        return fields.astype(np.float32)
    runs = np.array_split(np.arange(len(fields)), len(fields) // TOGETHER)
    return np.stack([np.median(fields[run], axis=0) for run in runs]).astype(np.float32)


def _runs(count: NDArray[np.float64], least: float) -> Iterator[tuple[int, int]]:
    """Runs of rows above `least`, of a height that text has; two lines that touch are parted at their gap."""
    above = np.concatenate([[False], count >= least, [False]])
    starts, stops = np.flatnonzero(above[1:] & ~above[:-1]), np.flatnonzero(above[:-1] & ~above[1:])
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if HEIGHTS[0] <= stop - start <= HEIGHTS[1]:
            yield start, stop


def _best(fields: NDArray[Any], network: Recogniser, rough: Crop) -> list[Line]:
    """The pitches, polarities and rows in which a band reads best."""
    sample = fields[np.unique(np.linspace(0, len(fields) - 1, SAMPLE).round().astype(int))]
    high = rough.bottom - rough.top
    few = sample[:: max(1, len(sample) // FEW)][:FEW]
    tried = []
    pitch = max(5.0, PITCHES[0] * high)
    while pitch <= PITCHES[1] * high:
        tried += [_scored(few, network, replace(rough, pitch=pitch, white=w)) for w in (True, False)]
        pitch *= LADDER
    tried.sort(key=lambda line: -line.score)
    if tried[0].score < LEAST_SIGNS * 0.5:
        return []
    refined = [_refined(sample, network, start) for start in tried[:STARTS]]
    return [line for line in refined if line.score >= LEAST_SIGNS]


def _refined(sample: NDArray[Any], network: Recogniser, start: Line) -> Line:
    """Pitch from the spacing of the signs that were read, rows a little higher or lower, the pitch again."""
    best = _respaced(sample, network, start)
    crop = best.crop
    step = max(0.5, (crop.bottom - crop.top) / 13.0)
    for up in (-step, 0.0, step):
        for down in (-step, 0.0, step):
            other = _scored(sample, network, replace(crop, top=crop.top + up, bottom=crop.bottom + down))
            cost = MOVING_COST * (abs(up) + abs(down)) / step
            if other.score - cost > best.score:
                best = Line(other.crop, other.score - cost)
    return _respaced(sample, network, best)


def _respaced(sample: NDArray[Any], network: Recogniser, line: Line) -> Line:
    """The line with the pitch at which its signs are spaced, if it reads no worse."""
    pitch = _spacing(spikes(network.columns(normalise(sample, line.crop))), line.crop)
    if pitch is None:
        return line
    other = _scored(sample, network, replace(line.crop, pitch=pitch))
    return other if other.score >= line.score - RESPACING_COST else line


def _scored(sample: NDArray[Any], network: Recogniser, crop: Crop) -> Line:
    """How well a crop reads: sure signs of a time, less what is unsure or none, in the better half."""
    found = spikes(network.columns(normalise(sample, crop)))
    worth = np.where(WORTH[found.sign] > 0.0, 2.0 * found.sure - 1.0, WORTH[found.sign])
    each = np.sort(np.bincount(found.picture, worth, minlength=len(sample)))
    return Line(crop, float(each[len(each) // 2 :].mean()))


def _spacing(found: Spikes, crop: Crop) -> float | None:
    """Pitch in columns of the field from the spacing of neighbouring sure digits; None with too few."""
    good = np.flatnonzero((found.sure > SURE) & DIGIT[found.sign])
    pairs = (np.diff(found.picture[good]) == 0) & (np.diff(good) == 1)
    step = np.diff(found.column[good])[pairs]
    near = step[(step > 0.6 * PITCH) & (step < 1.45 * PITCH)]
    if near.size < 3:
        return None
    return float(np.median(near)) / crop.scale


def spikes(columns: NDArray[np.float32]) -> Spikes:
    """Signs of lines: runs of columns whose likeliest class is the same sign.

    Parameters
    ----------
    columns : array, (n, columns, classes)
        Log-probabilities, from `Network.columns`.
    """
    best = columns.argmax(axis=2)
    edge = np.ones((best.shape[0], best.shape[1] + 1), np.bool_)
    edge[:, 1:-1] = best[:, 1:] != best[:, :-1]
    picture, start = np.nonzero(edge[:, :-1])
    _, stop = np.nonzero(edge[:, 1:])
    sign = best[picture, start]
    keep = sign != 0
    picture, start, stop, sign = picture[keep], start[keep], stop[keep] + 1, sign[keep]
    sure = np.array(
        [columns[p, a:b, s].max() for p, a, b, s in zip(picture, start, stop, sign, strict=True)], np.float64
    )
    middle = (start + stop) * (0.5 * STRIDE)
    return Spikes(picture, middle, sign, np.exp(sure) if sure.size else sure)
