"""Pass 2: one segment of the recording, measured on its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.photometry import StarStatus
from reduction.drift import Seen
from reduction.extraction import take
from reduction.result import STAR_DTYPE, Flag
from reduction.sampling import Images
from reduction.survey import Survey
from reduction.tracking import METHODS, Placement, Tracker
from reduction.view import View

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


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Measurements of frames ``start`` to ``start + places.size``: rows of STAR_DTYPE and PLACE_DTYPE."""

    start: int
    rows: NDArray[Any]  # (n_frame * n_star,)
    places: NDArray[Any]  # (n_frame,)


def segments_of(frames: int, length: int) -> list[tuple[int, int]]:
    """(start, stop) of each segment."""
    return [(start, min(start + length, frames)) for start in range(0, frames, length)]


def measure_segment(
    survey: Survey, view: View, start: int, stop: int, block: int, done: Callable[[int], None] | None = None
) -> Segment:
    """Place and measure frames `start` to `stop` (excluded), `block` at a time.

    The result depends on neither the block nor anything outside the segment.
    """
    tracker = Tracker(survey.field)
    stars = survey.u.size
    last: Seen | None = None
    rows = np.empty((stop - start, stars), STAR_DTYPE)
    places = np.empty(stop - start, PLACE_DTYPE)
    for low in range(start, stop, block):
        high = min(low + block, stop)
        images = view.images(low, high)
        placements = []
        for i in range(high - low):
            placement = tracker.place(images.values[i], tracker.expect(low + i, last))
            if placement.by_stars:
                last = Seen(low + i, placement.transform)
            placements.append(placement)
        at = slice(low - start, high - start)
        _fill(rows[at], survey, view, placements, images, low)
        for i, placement in enumerate(placements):
            places[low - start + i] = (
                float(view.sampling.frame_numbers(low + i, 1)[0]),
                METHODS.index(placement.method),
                placement.stars,
                placement.transform.tx,
                placement.transform.ty,
                placement.transform.rotation_deg,
                placement.transform.scale,
                placement.sigma_px,
            )
        if done is not None:
            done(high - low)
    return Segment(start, rows.reshape(-1), places)


def _fill(
    rows: NDArray[Any],
    survey: Survey,
    view: View,
    placements: list[Placement],
    images: Images,
    first: int,
) -> None:
    """Measure all stars on a block of placed images and write their rows."""
    n, stars = rows.shape
    x, y = np.full((n, stars), np.nan), np.full((n, stars), np.nan)
    for i, placement in enumerate(placements):
        if placement.found:
            x[i], y[i] = placement.transform.apply(survey.u, survey.v)
    radius = np.array([survey.aperture.radius])
    measured = view.sampling.measure(images, x, y, radius, survey.sky, survey.capture, first)
    seen = measured.stars
    peak = seen.peak[:, :, 0]
    taken = take(survey.extraction, images.values, x, y, measured, survey.star_noise)
    status = taken.status
    flags = np.zeros((n, stars), np.uint32)
    with np.errstate(invalid="ignore"):
        flags[peak >= survey.saturation] |= Flag.SATURATED.value
    off = (status & (StarStatus.OFF_FRAME | StarStatus.NO_SKY).value) != 0
    flags[off] |= Flag.OFF_FRAME.value
    flags[(status & StarStatus.NOT_FINITE.value) != 0] |= Flag.NOT_FINITE.value
    flags[(status & StarStatus.LOST.value) != 0] |= Flag.LOST.value
    weak = np.array([p.weak for p in placements])
    flags[weak] |= Flag.WEAK_TRACKING.value
    rows["frame"] = view.sampling.frame_numbers(first, n)[:, None]
    rows["star"] = np.arange(stars, dtype=np.uint16)[None, :]
    rows["x"] = survey.geometry.to_full(x)
    rows["y"] = survey.geometry.to_full(y)
    rows["flux"] = np.where(off, np.nan, taken.flux)
    rows["sigma"] = np.sqrt(taken.variance)
    rows["sky"] = taken.sky
    rows["sky_sigma"] = taken.sky_sigma
    rows["flags"] = flags
