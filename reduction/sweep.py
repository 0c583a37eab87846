"""Pass 1: the sample placed frame by frame, outward from the seed, and what it shows of scale and width."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba.stars import SEEN
from gpu_kernels.align import fit_stars
from gpu_kernels.detect import WIDTH_BOX, star_widths
from gpu_kernels.masks import blank
from gpu_kernels.transforms import similarity
from reduction.budget import threads_for
from reduction.coordinates import Given
from reduction.cores import in_order
from reduction.drift import Expectation, drift_of
from reduction.sampling import Images
from reduction.tracking import CORRELATION, HELD, NOWHERE, Field, Placement, Tracker
from reduction.view import View

Floats = NDArray[np.float64]
Result = TypeVar("Result")

ASTERISM_TRIES = 30
TOGETHER_BYTES = 8 * 2**20
"""Recorded pixels of neighbouring frames that are read at once."""
SHAPE_FRAMES = 120
SHAPE_STARS = 8
WIDTH_SNR = 25.0
"""Least signal to noise of a star whose width is measured."""

CLEAR_PX = 0.15
"""Displacement of a frame's corner by rotation or scale that is worth following."""

CLEAR_SIGMAS = 6.0
CLEAR_WIDTH = 0.08
"""Relative change of the stars' width that is worth following."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Sample frames placed against a seed's field.

    Attributes
    ----------
    placements : list of Placement
        One per sample frame.
    scale : array, (k,)
        Scale against the seed; 1 throughout where it does not change.
    width : array, (k,)
        Gaussian width of the stars; 0 throughout where it does not change.
    typical_width : float
        Median over the frames; 0: not measured.
    """

    placements: list[Placement]
    scale: Floats
    width: Floats
    typical_width: float

    @property
    def found(self) -> int:
        """Frames that were placed."""
        return sum(p.found for p in self.placements)


def each_image(
    view: View, index: NDArray[np.int64], backwards: bool = False
) -> Iterator[tuple[int, NDArray[Any], NDArray[Any]]]:
    """Yield (position in the sample, image, largest raw samples), reading runs of neighbours together."""
    for at, sample in each_sample(view, index, backwards):
        yield at, sample.values[0], sample.raw_peak[0]


def each_sample(
    view: View, index: NDArray[np.int64], backwards: bool = False
) -> Iterator[tuple[int, Images]]:
    """Yield (position in the sample, what is measured), reading runs of neighbours together, ahead."""
    yield from over_samples(view, index, lambda at, sample: (at, sample), backwards)


def over_samples(
    view: View, index: NDArray[np.int64], work: Callable[[int, Images], Result], backwards: bool = False
) -> Iterator[Result]:
    """Yield ``work(position in the sample, what is measured)`` in order, computed on all cores.

    `work` looks at its own frame alone: threads run it side by side.
    """
    together = max(1, min(16, TOGETHER_BYTES // max(view.stack.info.frame_bytes, 1)))
    runs = _runs(index, together)

    def worked(run: tuple[int, int]) -> list[Result]:
        at, stop = run
        samples = view.sampled(int(index[at]), int(index[stop - 1]) + 1)
        return [work(at + i, samples[i]) for i in (range(stop - at)[::-1] if backwards else range(stop - at))]

    if backwards:
        runs.reverse()
    threads = threads_for(view.stack.info, together)
    for found in map(worked, runs) if threads == 1 or len(runs) == 1 else in_order(worked, runs, threads):
        yield from found


def _runs(index: NDArray[np.int64], together: int) -> list[tuple[int, int]]:
    """(start, stop) in the sample of frames that follow each other, `together` at most."""
    runs: list[tuple[int, int]] = []
    at = 0
    while at < index.size:
        stop = at + 1
        while stop < index.size and index[stop] == index[stop - 1] + 1 and stop - at < together:
            stop += 1
        runs.append((at, stop))
        at = stop
    return runs


class _Running:
    """Rotation, scale and width of the frames placed last: what the next one should show."""

    def __init__(self, lever: float) -> None:
        self.lever = lever
        self.degrees, self.scale, self.width = 0.0, 1.0, 0.0

    def expect(self, given: Given | None, frame: int) -> Expectation:
        turned = similarity(self.scale, self.degrees, 0.0, 0.0, 0.0, 0.0)
        there = None if given is None else given.transform(frame, turned)
        return Expectation(turned, width=self.width, given=there)

    def learn(self, placed: Placement, shape: "Shape | None") -> None:
        if placed.by_stars and placed.stars >= 3 and placed.snr > WIDTH_SNR:
            self.degrees = placed.transform.rotation_deg
        if shape is None:
            return
        change = abs(shape.scale - self.scale)
        if change * self.lever > 0.1 and change > 4.0 * shape.scale_sigma:
            self.scale = shape.scale
        if np.isfinite(shape.width):
            self.width = shape.width


def sweep(view: View, index: NDArray[np.int64], tracker: Tracker, seed: int) -> Sweep:
    """Place the sample from the seed outward, then look again for what was lost, near where it should lie."""
    lever = 0.5 * float(np.hypot(*tracker.field.shape))
    start = int(np.searchsorted(index, seed))
    placements = [NOWHERE] * index.size
    shapes: list[Shape | None] = [None] * index.size
    every = max(1, index.size // SHAPE_FRAMES)
    tries = 0
    for part, backwards in ((slice(start, None), False), (slice(0, start), True)):
        running, offset = _Running(lever), part.start or 0
        for k, image, _ in each_image(view, index[part], backwards):
            at = offset + k
            expected = running.expect(tracker.field.given, int(index[at]))
            placed = tracker.place(image, expected, tries < ASTERISM_TRIES)
            tries += placed.method != CORRELATION
            if placed.by_stars and at % every == 0:
                shapes[at] = shape_of(tracker, image, placed)
            running.learn(placed, shapes[at])
            placements[at] = placed
    scale, width, typical = _shapes(shapes, tracker.field.sigma, lever)
    _look_again(view, index, tracker, placements, scale, width)
    return Sweep(placements, scale, width, typical)


def _look_again(
    view: View, index: NDArray[np.int64], tracker: Tracker, placements: list[Placement], scale: Floats,
    width: Floats,
) -> None:  # fmt: skip
    """Try frames that were lost near the place where those around them put them."""
    found = np.array([p.found for p in placements])
    if found.all() or found.sum() < 2:
        return
    seen = [p for p in placements if p.found]
    sure = np.array([p.stars > 1 for p in seen])
    degrees = np.array([p.transform.rotation_deg for p in seen])
    transforms = [p.transform for p in seen]
    drift = drift_of(index[found], transforms, sure, tracker.field.pivot, degrees, scale[found], width[found])
    lost = np.flatnonzero(~found)
    for k, image, _ in each_image(view, index[lost]):
        placed = tracker.place_near(image, drift.expect(int(index[lost[k]])))
        if placed.method != HELD:
            placements[int(lost[k])] = placed


@dataclass(frozen=True, slots=True)
class Shape:
    """What one frame shows besides its place: scale against the field and its error, width of the stars."""

    scale: float
    scale_sigma: float  # inf: not known
    width: float  # NaN: not known


def shape_of(tracker: Tracker, image: NDArray[Any], placed: Placement) -> Shape:
    """Scale and star width of a frame that was placed."""
    f = tracker.field
    order = np.argsort(-f.flux, kind="stable")[:SHAPE_STARS]
    x, y = placed.transform.apply(f.u[order], f.v[order])
    fits = fit_stars(image, x, y, 0, f.sigma, f.variance, f.inv_gain, f.saturation, f.mask)
    good = (fits.status == SEEN) & (fits.snr > 8.0) & (np.hypot(fits.x - x, fits.y - y) < 2.5)
    scale, sigma = placed.transform.scale, float("inf")
    if good.sum() >= 3:
        a, b = (x + 1j * y)[good], (fits.x + 1j * fits.y)[good]
        w = 1.0 / (fits.error[good] ** 2 + 0.02**2)
        a, b = a - np.average(a, weights=w), b - np.average(b, weights=w)
        spread = float((w * np.abs(a) ** 2).sum())
        scale *= float((w * (np.conj(a) * b).real).sum()) / spread
        sigma = spread**-0.5
    bright = good & (fits.snr > WIDTH_SNR)
    return Shape(scale, sigma, _width_at(image, fits.x[bright], fits.y[bright], f))


def _width_at(image: NDArray[Any], x: Floats, y: Floats, field: Field) -> float:
    """Median width of stars at given places; NaN without any whose surroundings are on the frame."""
    height, width = image.shape
    px, py = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    h = WIDTH_BOX
    inside = (px >= h) & (py >= h) & (px < width - h) & (py < height - h)
    px, py = px[inside], py[inside]
    if px.size == 0:
        return float("nan")
    span = np.arange(-h, h + 1)
    rows, columns = py[:, None, None] + span[None, :, None], px[:, None, None] + span[None, None, :]
    boxes = image[rows, columns].astype(np.float64)
    if field.mask is not None:
        blank(boxes, px - h, py - h, field.mask)
    rim = np.concatenate([boxes[:, 0], boxes[:, -1], boxes[:, :, 0], boxes[:, :, -1]], axis=1)
    found = star_widths(boxes, np.median(rim, axis=1))
    found = found[np.isfinite(found)]
    return float(np.median(found)) if found.size else float("nan")


def _shapes(shapes: list[Shape | None], sigma: float, lever: float) -> tuple[Floats, Floats, float]:
    """Scale and width by sample frame, smooth, where they clearly change; and the typical width."""
    n = len(shapes)
    scale, width, typical = np.ones(n), np.zeros(n), 0.0
    known = [(k, s) for k, s in enumerate(shapes) if s is not None]
    at = np.array([k for k, s in known if np.isfinite(s.scale_sigma)], float)
    if at.size >= 2:
        values = smooth(np.array([s.scale for _, s in known if np.isfinite(s.scale_sigma)]))
        error = float(np.median([s.scale_sigma for _, s in known if np.isfinite(s.scale_sigma)]))
        extent = float(np.ptp(values))
        if extent * lever > CLEAR_PX and extent > CLEAR_SIGMAS * error:
            scale = np.interp(np.arange(n), at, values)
    at = np.array([k for k, s in known if np.isfinite(s.width)], float)
    if at.size:
        values = smooth(np.array([s.width for _, s in known if np.isfinite(s.width)]))
        typical = float(np.median(values))
        if np.ptp(values) > CLEAR_WIDTH * sigma:
            width = np.interp(np.arange(n), at, values)
    return scale, width, typical


def smooth(values: Floats) -> Floats:
    """Running median of five."""
    if values.size < 5:
        return values
    padded = np.pad(values, 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=-1), np.float64)
