"""Pass 2: one segment of the recording, measured on its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.calibrate import Development, develop, measurable
from gpu_kernels.device import Array
from gpu_kernels.photometry import StarStatus, measure, peaks_within
from reduction.extraction import boxes_around, take
from reduction.following import Follower, Placed
from reduction.readahead import one_ahead
from reduction.result import STAR_DTYPE, Flag
from reduction.sampling import Images, Measured
from reduction.sparse_guides import refined
from reduction.stack import InPlace
from reduction.survey import Survey
from reduction.tracking import Tracker
from reduction.view import View

Floats = NDArray[np.float64]

PLACE_DTYPE = np.dtype(
    [
        ("frame", "<f8"),
        ("method", "<u1"),
        ("stars", "<u2"),
        ("tx", "<f8"),
        ("ty", "<f8"),
        ("rotation_deg", "<f8"),
        ("scale", "<f8"),
        ("sigma_px", "<f8"),
    ]
)
"""How one frame was placed: step of the chain (index in METHODS), stars used, transform, error."""

DEVELOPED = Development()
"""Of images that are developed already."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Measurements of frames ``start`` to ``start + places.size``: rows of STAR_DTYPE and PLACE_DTYPE."""

    start: int
    rows: NDArray[Any]  # (n_frame * n_star,)
    places: NDArray[Any]  # (n_frame,)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Samples (n, height, width) from number `start` on, with what develops them.

    `images` is None where the recorded frames and a pixelwise development are all there is to know.
    """

    start: int
    frames: NDArray[Any]
    development: Development
    images: Images | None


def segments_of(frames: int, length: int) -> list[tuple[int, int]]:
    """(start, stop) of each segment."""
    return [(start, min(start + length, frames)) for start in range(0, frames, length)]


def light(survey: Survey, view: View) -> bool:
    """Whether pass 2 looks at frames in place, around stars alone: no image of a whole block is made."""
    return isinstance(view.stack, InPlace) and view.development is not None and survey.extraction.sums_only


def measure_segment(
    survey: Survey, view: View, start: int, stop: int, block: int, done: Callable[[int], None] | None = None
) -> Segment:
    """Place and measure frames `start` to `stop` (excluded), `block` at a time.

    The result depends on neither the block nor anything outside the segment.
    """
    follower = Follower(Tracker(survey.field), survey.follow)
    rows = np.empty((stop - start, survey.u.size), STAR_DTYPE)
    places = np.empty(stop - start, PLACE_DTYPE)
    for part in one_ahead(blocks(view, start, stop, block)):
        n = len(part.frames)
        placed = follower.place(part.frames, part.development, part.start)
        if part.images is not None:
            placed = refined(survey.sparse, view.sampling, part.images, placed, part.start)
        at = slice(part.start - start, part.start - start + n)
        numbers = view.sampling.frame_numbers(part.start, n)
        fill(rows[at], survey, view, part, placed, numbers)
        note(places[at], numbers, placed)
        if done is not None:
            done(n)
    return Segment(start, rows.reshape(-1), places)


def blocks(view: View, start: int, stop: int, block: int) -> Iterator[Block]:
    """Samples `start` to `stop` (excluded), `block` at a time: as recorded where that suffices."""
    for low in range(start, stop, block):
        high = min(low + block, stop)
        development = view.development
        if development is not None:
            yield Block(low, measurable(view.look(low, high)), development, None)
        else:
            images = view.images(low, high)
            yield Block(low, images.values, DEVELOPED, images)


def note(places: NDArray[Any], numbers: Floats, placed: Placed) -> None:
    """Write the rows of PLACE_DTYPE of a block."""
    c, s = placed.transform[:, 0], placed.transform[:, 1]
    places["frame"] = numbers
    places["method"], places["stars"], places["sigma_px"] = placed.method, placed.stars, placed.sigma_px
    places["tx"], places["ty"] = placed.transform[:, 2], placed.transform[:, 3]
    places["rotation_deg"] = np.degrees(np.arctan2(s, c))
    places["scale"] = np.hypot(c, s)


def _measured(survey: Survey, view: View, part: Block, x: Floats, y: Floats) -> Measured:
    """All stars on a block of placed samples; peaks are of recorded samples."""
    radius = np.array([survey.aperture.radius])
    if part.images is not None:
        return view.sampling.measure(part.images, x, y, radius, survey.sky, survey.capture, part.start)
    seen = measure(part.frames, x, y, radius, *survey.sky, development=part.development)
    if part.development.active:
        seen = replace(seen, peak=peaks_within(part.frames, x, y, survey.aperture.radius)[:, :, None])
    return Measured(seen, np.ones(seen.flux.shape))


def fill(
    rows: NDArray[Any],
    survey: Survey,
    view: View,
    part: Block,
    placed: Placed,
    numbers: Floats,
    measured: Measured | None = None,
    developed: Array = None,
) -> None:
    """Write the rows of all stars on a block of placed samples.

    They are measured, and the samples developed, where that is not given.
    """
    n, stars = rows.shape
    x, y = placed.apply(survey.u, survey.v)
    if measured is None:
        measured = _measured(survey, view, part, x, y)
    seen = measured.stars
    peak = seen.peak[:, :, 0]
    images, boxes = developed, None
    if images is None:
        images = part.frames
        if survey.extraction.boxed:
            boxes = boxes_around(survey.extraction, images, x, y, part.development)
        elif not survey.extraction.sums_only:
            images = develop(images, part.development)
    taken = take(survey.extraction, images, x, y, measured, survey.star_noise, boxes)
    status = taken.status
    flags = np.zeros((n, stars), np.uint32)
    with np.errstate(invalid="ignore"):
        flags[peak >= survey.saturation] |= Flag.SATURATED.value
    off = (status & (StarStatus.OFF_FRAME | StarStatus.NO_SKY).value) != 0
    flags[off] |= Flag.OFF_FRAME.value
    flags[(status & StarStatus.NOT_FINITE.value) != 0] |= Flag.NOT_FINITE.value
    flags[(status & StarStatus.LOST.value) != 0] |= Flag.LOST.value
    flags[view.near_repairs(x, y, survey.aperture.radius)] |= Flag.REPAIRED.value
    flags[placed.weak] |= Flag.WEAK_TRACKING.value
    rows["frame"] = numbers[:, None]
    rows["star"] = np.arange(stars, dtype=np.uint16)[None, :]
    rows["x"] = survey.geometry.to_full(x)
    rows["y"] = survey.geometry.to_full(y)
    rows["flux"] = np.where(off, np.nan, taken.flux)
    rows["sigma"] = np.sqrt(taken.variance)
    rows["sky"] = taken.sky
    rows["sky_sigma"] = taken.sky_sigma
    rows["flags"] = flags
