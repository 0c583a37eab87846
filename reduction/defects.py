"""Hot, dead and unstable pixels, found from the recording itself.

A pixel is judged by its series over a sample of frames, against the pixels around it. Light of a star is
shared with its neighbours, however sharp it is; what a pixel has alone, frame after frame, is its own. So
it does not matter whether the field moves, and what only passes over a pixel is not taken for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Values = NDArray[np.float32]
Indices = NDArray[np.intp]

LEAST_FRAMES = 8
"""Frames from which pixels are judged."""

MOST_SHARE = 0.05
"""Of a frame's pixels: where more stand out, it is the picture that is rough, not single pixels."""

OUTLIER_SIGMA = 6.0
"""Of the pixels' scatter about their neighbours, by which the mean over time must stand out."""

FRAME_SIGMA = 1.0
"""Of a pixel's noise on one frame, below which an excess is of no consequence."""

LONE = 0.12
"""Largest mean excess of a lone pixel's neighbours, over its own: in a star of FWHM 1.2 px it is 0.16."""

LEAST_ADU = 1.5
"""Least excess of integer samples, which may lie one step apart for no reason."""

NOISY = 8.0
"""Noise of a pixel, over that of its neighbours, from which it is repaired rather than corrected."""

STUCK = 0.6
"""Noise of a pixel, over that of its neighbours, below which it is dead, or always saturated."""

_DIRECT = ((-1, 0), (1, 0), (0, -1), (0, 1))
_DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
_RING = tuple((dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if max(abs(dy), abs(dx)) == 2)
_BORDER = 2
_ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Defects:
    """Pixels that are not as their neighbours; arrays of the frames' shape.

    Attributes
    ----------
    excess : array, float32
        What to subtract from a pixel, ADU; 0 from most.
    broken : array, bool
        Pixels whose value means nothing: dead, saturated, switching between levels, or very noisy.
    """

    excess: Values
    broken: Mask

    @property
    def count(self) -> tuple[int, int]:
        """Number of pixels corrected and repaired."""
        return int(np.count_nonzero(self.excess)), int(np.count_nonzero(self.broken))


def find_defects(frames: Sequence[NDArray[Any]], step: int = 1, whole_numbers: bool = True) -> Defects:
    """Find the defective pixels of a sensor.

    Parameters
    ----------
    frames : sequence of array, (height, width)
        A sample of frames, evenly spread over the recording; at least eight.
    step : int
        2 on a mosaic, whose neighbouring pixels see another colour of the sky; else 1.
    whole_numbers : bool
        Whether samples were recorded as integers.
    """
    shape = frames[0].shape if frames else (0, 0)
    nothing = Defects(np.zeros(shape, np.float32), np.zeros(shape, np.bool_))
    if len(frames) < LEAST_FRAMES or min(shape) <= 2 * _BORDER + 1:
        return nothing
    mean, spread = _moments(frames)
    level = _backgrounds(mean, step) if step > 1 else np.zeros(shape, np.float32)
    floor = LEAST_ADU if whole_numbers else 0.0
    chosen = _outstanding(mean - level, spread, floor)
    if not chosen.size or chosen.size > MOST_SHARE * mean.size:
        return nothing
    ways = ((0, 0), *_DIRECT, *_DIAGONAL, *_RING)
    places = chosen + np.array([[dy * shape[1] + dx] for dy, dx in ways])
    series = np.array([frame.reshape(-1)[places] for frame in frames], np.float32)
    series -= level.reshape(-1)[places]
    whole = np.isfinite(series).all(axis=(0, 1))
    if not whole.any():
        return nothing
    series, chosen = series[:, :, whole], chosen[whole]
    return _judged(series, chosen, nothing, floor)


def _moments(frames: Sequence[NDArray[Any]]) -> tuple[Values, Values]:
    """Mean and standard deviation of each pixel over the frames, about the first."""
    first = frames[0].astype(np.float32)
    total, square = np.zeros_like(first), np.zeros_like(first)
    with np.errstate(invalid="ignore", over="ignore"):  # infinite pixels
        for frame in frames[1:]:
            change = frame - first
            total += change
            square += change * change
        total /= len(frames)
        square /= len(frames)
        return first + total, np.sqrt(np.maximum(square - total * total, 0.0))


def _backgrounds(image: Values, step: int) -> Values:
    """Smooth level of each colour of a mosaic."""
    out = np.empty_like(image)
    for row in range(step):
        for column in range(step):
            at = (slice(row, None, step), slice(column, None, step))
            out[at] = ndimage.median_filter(image[at], 9, mode="nearest")
    return out


def _shifted(image: Values, dy: int, dx: int) -> Values:
    """The inside of an image, `_BORDER` from its edges, as seen from (dy, dx)."""
    height, width = image.shape
    return image[_BORDER + dy : height - _BORDER + dy, _BORDER + dx : width - _BORDER + dx]


def _around(image: Values) -> Values:
    """Level around each inner pixel: the lower mean of its direct and its diagonal neighbours."""
    direct, diagonal = (sum(_shifted(image, dy, dx) for dy, dx in ways) for ways in (_DIRECT, _DIAGONAL))
    return np.asarray(np.float32(0.25) * np.minimum(direct, diagonal), np.float32)


def _outstanding(mean: Values, spread: Values, floor: float) -> Indices:
    """Inner pixels (flat index) whose mean or noise stands out of what surrounds them."""
    with np.errstate(invalid="ignore", over="ignore"):
        own = _shifted(mean, 0, 0) - _around(mean)
        noise = _around(spread)
        unsteady = _shifted(spread, 0, 0) - noise
        least = 0.8 * np.maximum(FRAME_SIGMA * noise, floor)
        far = np.abs(own) > np.maximum(OUTLIER_SIGMA * _scatter(own), least)
        noisy = unsteady > np.maximum(OUTLIER_SIGMA * _scatter(unsteady), np.maximum(noise, floor))
    rows, columns = np.nonzero(far | noisy)
    return np.asarray((rows + _BORDER) * mean.shape[1] + columns + _BORDER, np.intp)


def _scatter(values: Values) -> float:
    """Robust standard deviation."""
    step = max(1, int(np.sqrt(values.size / 20_000)))
    part = values[::step, ::step]
    part = part[np.isfinite(part)]
    return 1.4826 * float(np.median(np.abs(part - np.median(part)))) if part.size else 0.0


def _judged(series: Values, chosen: Indices, out: Defects, floor: float) -> Defects:
    """Judge the chosen pixels by their series; fills and returns `out`.

    `series` is (n, place, pixel): the pixel itself, its direct and diagonal neighbours, the ring around.
    """
    width = out.broken.shape[1]
    ring = np.median(series[:, 9:], axis=1)
    own = series[:, 0] - ring  # (n, pixel)
    beside = [series[:, k] - ring for k in range(1, 9)]
    typical, low, high = (np.percentile(own, q, axis=0) for q in (50.0, 20.0, 80.0))
    noise = np.median([_sigma(values) for values in beside], axis=0)
    noise = np.maximum(noise, 0.3 if floor else 0.0)
    error = 1.25 * noise / np.sqrt(series.shape[0])
    least = np.maximum(np.maximum(FRAME_SIGMA * noise, 5.0 * error), floor)
    steady = (np.abs(typical) > least) & (np.where(typical > 0, low, -high) > 0.3 * np.abs(typical))
    levels = [np.median(values, axis=0) for values in beside]
    defect = _lone(typical, levels, error, steady, chosen, width)
    switching = _switching(own, beside, noise, floor)
    own_noise = _sigma(own)
    stuck = defect & (_sigma(series[:, 0]) < STUCK * noise)
    broken = switching | stuck | (defect & (own_noise > NOISY * noise))
    corrected = defect & ~broken
    out.broken.reshape(-1)[chosen[broken]] = True
    within = np.abs(own - typical) <= 3.0 * np.maximum(own_noise, 0.3)
    mean = np.where(within, own, 0.0).sum(axis=0) / np.maximum(within.sum(axis=0), 1)
    out.excess.reshape(-1)[chosen[corrected]] = mean[corrected]
    return out


def _lone(
    own: Values, levels: list[Values], error: Values, steady: Mask, chosen: Indices, width: int
) -> Mask:
    """Which pixels have their excess alone: they are the extreme, and their direct neighbours have no share.

    One neighbour is left out, for two defects may touch; and those already known are.
    """
    places = {int(place): k for k, place in enumerate(chosen)}
    ways = (*_DIRECT, *_DIAGONAL)
    found = [[places.get(int(place) + dy * width + dx, -1) for place in chosen] for dy, dx in ways]
    beside = np.array(found, np.intp)
    excess, size = np.array(levels), np.abs(own)
    known = np.zeros(own.size, np.bool_)
    for _ in range(_ROUNDS):
        judged = np.where((beside >= 0) & known[beside], np.nan, excess)
        extreme = (np.nan_to_num(np.abs(judged)) <= size + error).all(axis=0)
        direct = judged[: len(_DIRECT)]
        ordered = np.take_along_axis(direct, np.argsort(np.abs(direct), axis=0), axis=0)  # NaN last
        left = np.isfinite(ordered).sum(axis=0)
        taken = np.clip(left - (left == len(_DIRECT)), 1, 3)
        inside = np.arange(len(_DIRECT))[:, None] < taken
        mean = np.abs(np.where(inside, np.nan_to_num(ordered), 0.0).sum(axis=0) / taken)
        alone = mean + 1.5 * error / np.sqrt(taken) < LONE * size + 0.5 * error
        fresh = steady & (left > 0) & extreme & alone & ~known
        if not fresh.any():
            break
        known |= fresh
    return known


def _switching(own: Values, beside: list[Values], noise: Values, floor: float) -> Mask:
    """Which pixels switch between two levels while their neighbours stay as they are."""
    low, high = np.percentile(own, 10.0, axis=0), np.percentile(own, 90.0, axis=0)
    swing = np.maximum(high - low, 1e-6)
    part = (own - low) / swing
    two_levels = ((part > 0.3) & (part < 0.7)).mean(axis=0) < 0.2
    on = part > 0.5
    share = np.clip(on.mean(axis=0), 1e-3, 1.0 - 1e-3)
    follow = [
        np.abs((values * on).mean(axis=0) / share - (values * ~on).mean(axis=0) / (1.0 - share))
        for values in beside
    ]
    error = noise / np.sqrt(len(own) * share * (1.0 - share))
    alone = np.median(follow[:4], axis=0) < LONE * swing
    alone &= np.max(follow, axis=0) < LONE * swing + 3.0 * error
    return np.asarray(two_levels & alone & (swing > np.maximum(6.0 * noise, floor)), np.bool_)


def _sigma(series: Values) -> Values:
    """Robust standard deviation of each series (n, pixel) over time, from neighbouring samples."""
    return np.asarray(1.4826 / np.sqrt(2.0) * np.median(np.abs(np.diff(series, axis=0)), axis=0), np.float32)
