"""Where an integrating camera's pictures begin: each is sent in several video frames, with noise on each.

Between two frames of one picture only the noise of the way from camera to file differs; between pictures the
light's own noise differs too. So the variance of the difference of neighbouring frames is larger where a new
picture begins, by a fraction of a per cent or by orders of magnitude, and that is enough: it is measured on
tens of thousands of pixels. Pictures are of one length; a place where one is too short or too long is a
dropped or doubled frame, and is kept apart.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from reduction.stack import InPlace, SourceInfo, Stack

Floats = NDArray[np.float64]

MOST_PIXELS = 40_000
CHUNK = 64
RUNS, RUN_FRAMES = 4, 33
WINDOW = 33
"""Frames over which the noise of repeats is taken as constant."""

SEPARATION = 6.0
"""Scatters of the lower class by which the classes must lie apart."""

LEAST_EXCESS = 0.01
"""Relative excess of the variance at a new picture below which nothing is believed."""

REGULAR = 0.8
"""Share of pictures that must have the usual length."""

LEAST_PICTURES = 4
"""Beginnings that must be seen where nobody said that the camera integrates."""

LONGEST = 512
OUTLIER = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Pictures of an integrating camera, as runs of video frames. Picklable.

    Attributes
    ----------
    length : int
        Frames of a whole one.
    starts, counts : array, (n,), int64
        First frame of each, and how many frames show it.
    lead : int
        Frames of the first one before the recording began.
    """

    length: int
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    lead: int = 0

    @property
    def partial(self) -> NDArray[np.bool_]:
        """Which have fewer or more frames than a whole one."""
        return np.not_equal(self.counts, self.length)

    def block_of(self, frame: int) -> int:
        """The picture that a frame shows."""
        return int(np.searchsorted(self.starts, frame, side="right")) - 1


def differences(stack: Stack, start: int, stop: int) -> Floats:
    """Variance of the difference of each frame to the one before, from frame ``start + 1`` to ``stop - 1``.

    Taken on a sample of pixels, those that change by many times the usual (digits, stars, hits) left out;
    ADU squared, ``(stop - start - 1,)``.
    """
    read = stack.look if isinstance(stack, InPlace) else stack.read
    step = pixel_step(stack.info)
    found = np.empty(max(stop - start - 1, 0))
    before: NDArray[Any] | None = None
    for first in range(start, stop, CHUNK):
        frames = read(first, min(first + CHUNK, stop))[..., ::step, ::step].astype(np.float32)
        for k, frame in enumerate(frames, first):
            if before is not None:
                found[k - start - 1] = variance_of(frame - before)
            before = frame
    return found


def pixel_step(info: SourceInfo) -> int:
    """Rows and columns from one pixel of the sample to the next."""
    return max(1, round(math.sqrt(info.height * info.width / MOST_PIXELS)))


def variance_of(difference: NDArray[np.float32]) -> float:
    """Mean square without outliers, of pixels that are numbers."""
    squares = difference[np.isfinite(difference)].astype(np.float64) ** 2
    if not squares.size:
        return 0.0
    limit = OUTLIER**2 * max(float(np.median(squares)) * 2.2, 1.0)  # 2.2: of the mean square, for a Gaussian
    kept = squares[squares <= limit]
    return float(kept.mean()) if kept.size else 0.0


def may_repeat(stack: Stack) -> bool:
    """Whether runs of frames, evenly spread, show differences of two kinds: a quick look at few frames."""
    frames = stack.info.frames
    if frames <= RUNS * RUN_FRAMES:
        return frames > 2
    starts = np.unique(np.linspace(0, frames - RUN_FRAMES, RUNS).astype(int))
    found = [differences(stack, int(start), int(start) + RUN_FRAMES) for start in starts]
    return (
        any(_new_pictures(run) is not None for run in found)
        or _new_pictures(np.concatenate(found)) is not None
    )


def find_blocks(stack: Stack, length: int | None = None) -> Blocks | None:
    """Pictures of an integrating camera; None where frames do not repeat pictures.

    Parameters
    ----------
    stack : Stack
        The recording, video frame by video frame.
    length : int, optional
        Frames of a picture, where they are known; then weaker signs are enough for their phase.
    """
    return blocks_of(differences(stack, 0, stack.info.frames), length)


def blocks_of(variance: Floats, length: int | None = None) -> Blocks | None:
    """Pictures from the variances that `differences` gives of a whole recording; as `find_blocks`."""
    frames = variance.size + 1
    new = _new_pictures(variance)
    if new is not None:
        begins = np.flatnonzero(new) + 1
        for known in dict.fromkeys((None, length)):
            if (blocks := blocks_from(begins, frames, known)) is not None:
                return blocks
    return None if length is None else _folded(variance, length, frames)


def _relative(variance: Floats) -> Floats:
    """Logarithm of the variances over what repeats have in their neighbourhood."""
    side = min(WINDOW, variance.size | 1) // 2
    padded = np.pad(variance, side, mode="reflect" if variance.size > side else "edge")
    usual = np.quantile(sliding_window_view(padded, 2 * side + 1), 0.25, axis=1)
    floor = max(1e-3 * float(np.median(variance[variance > 0])), 1e-12) if (variance > 0).any() else 1.0
    found: Floats = np.log((variance + floor) / (usual + floor))
    return found


def _new_pictures(variance: Floats) -> NDArray[np.bool_] | None:
    """Which frames begin a picture, by the two classes of differences; None where there is one class."""
    if variance.size < 2:
        return None
    relative = _relative(variance)
    ordered = np.sort(relative)
    n = np.arange(1, ordered.size)
    low = np.cumsum(ordered)[:-1]
    between = n * (ordered.size - n) * (low / n - (ordered.sum() - low) / (ordered.size - n)) ** 2
    cut = int(np.argmax(between)) + 1
    below, above = ordered[:cut], ordered[cut:]
    spread = 1.4826 * float(np.median(np.abs(below - np.median(below))))
    apart = float(above[0] - np.median(below))
    typical = float(np.median(above) - np.median(below))
    if apart < SEPARATION / 2 * spread or typical < max(SEPARATION * spread, LEAST_EXCESS):
        return None
    found: NDArray[np.bool_] = relative > 0.5 * (ordered[cut - 1] + above[0])
    return found


def blocks_from(begins: NDArray[np.intp], frames: int, length: int | None = None) -> Blocks | None:
    """Pictures from the frames at which one seems to begin; None where these are not regular.

    A beginning too many (a cloud, a flash) or too few is repaired by its neighbours; a picture that is too
    short or too long with all later ones in step with its end has lost or doubled a frame.
    """
    if not begins.size:
        return None
    known = length is not None
    if length is None:
        lengths, counts = np.unique(np.diff(begins), return_counts=True)
        if not lengths.size:
            return None
        length = int(lengths[np.argmax(counts)])
        if length < 2 or length > LONGEST or counts.max() * length < REGULAR * (begins[-1] - begins[0]):
            return None
    seen = {int(b) for b in begins}
    starts = [min(seen)]
    while (following := _next(starts[-1], seen, length, frames)) < frames:
        starts.append(following)
    first = starts[0]
    before = list(range(first - length, 0, -length))[::-1]
    if first > 0:
        before.insert(0, 0)
    edges = np.array([*before, *starts], np.int64)
    counts_of = np.diff(np.append(edges, frames))
    confirmed = len(seen.intersection(edges.tolist()))
    if (counts_of[1:-1] == length).sum() < REGULAR * max(counts_of.size - 2, 0):
        return None
    if confirmed < REGULAR * (edges.size - 1) or (not known and confirmed < LEAST_PICTURES):
        return None
    return Blocks(length, edges, counts_of, int(length - counts_of[0]) if counts_of[0] < length else 0)


def _next(start: int, seen: set[int], length: int, frames: int) -> int:
    """Where the picture after the one at `start` begins."""
    expected = start + length
    if expected in seen:
        return expected
    near = [b for b in range(start + 1, start + 2 * length) if b in seen]
    in_step = [b for b in near if b + length in seen or b + length >= frames > b]
    if in_step and expected + length not in seen:
        return in_step[0]
    return expected


def _folded(variance: Floats, length: int, frames: int) -> Blocks | None:
    """Pictures of a known length, their phase where the variances at it stand out together."""
    relative = _relative(variance)
    number = np.arange(1, variance.size + 1) % length
    if variance.size < 2 * length:
        return None
    levels = np.array([float(np.median(relative[number == p])) for p in range(length)])
    best = int(np.argmax(levels))
    others = np.delete(levels, best)
    spread = 1.4826 * float(np.median(np.abs(others - np.median(others)))) if others.size > 1 else 0.0
    error = 1.25 * 1.4826 * float(np.median(np.abs(relative - np.median(relative))))
    error *= (length / variance.size) ** 0.5
    if levels[best] - np.median(others) < SEPARATION * max(spread, error):
        return None
    return blocks_from(np.arange(best or length, frames, length), frames, length)
