"""Pass 1, first half: sample frames brought onto each other, and the reference image."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.align import IDENTITY, Transform, add_registered
from gpu_kernels.beforehand import wait_for
from gpu_kernels.detect import Detections, find_stars
from reduction.errors import DataError
from reduction.sampling import Images
from reduction.scan import Scan
from reduction.tracking import NOWHERE, Field, Placement, Tracker
from reduction.view import View

Floats = NDArray[np.float64]
SEED_CANDIDATES = 6
STACKED_FRAMES = 40
ASTERISM_TRIES = 30
TOGETHER_BYTES = 8 * 2**20
"""Recorded pixels of neighbouring frames that are read at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """Sample frames placed on the grid of the plan's frame (or of the seed, where that is lost).

    Attributes
    ----------
    index : array, (k,), int64
        Frame numbers of the sample.
    placements : list of Placement
        One per sample frame; transforms lead from the grid to the frame.
    field : Field
        Guide stars of the seed frame on the grid.
    grid_frame : int
        The frame whose pixels are the grid.
    image : array, (height, width), float32
        Mean of the best-seeing frames on the grid.
    stacked : int
        Frames in the image.
    """

    index: NDArray[np.int64]
    placements: list[Placement]
    field: Field
    grid_frame: int
    image: NDArray[np.float32]
    stacked: int


def sample_frames(limit: int, repeated: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Frames that pass 1 looks at closely: all, or neighbouring pairs evenly spread; no repeats.

    Frames between which there are only repeats count as neighbours (`Scan.rank`).
    """
    distinct = np.flatnonzero(~repeated)
    if distinct.size > limit:
        starts = np.round(np.linspace(0, distinct.size - 2, limit // 2)).astype(np.int64)
        distinct = distinct[np.unique(np.concatenate([starts, starts + 1]))]
    return distinct.astype(np.int64)


def each_image(view: View, index: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[Any], NDArray[Any]]]:
    """Yield (position in the sample, image, largest raw samples), reading runs of neighbours together."""
    for at, sample in each_sample(view, index):
        yield at, sample.values[0], sample.raw_peak[0]


def each_sample(view: View, index: NDArray[np.int64]) -> Iterator[tuple[int, Images]]:
    """Yield (position in the sample, what is measured), reading runs of neighbours together."""
    together = max(1, min(16, TOGETHER_BYTES // max(view.stack.info.frame_bytes, 1)))
    at = 0
    while at < index.size:
        stop = at + 1
        while stop < index.size and index[stop] == index[stop - 1] + 1 and stop - at < together:
            stop += 1
        for i, sample in enumerate(view.sampled(int(index[at]), int(index[stop - 1]) + 1)):
            yield at + i, sample
        at = stop


def register(
    view: View, scan: Scan, index: NDArray[np.int64], plan_frame: int, limit: int, saturation: float
) -> Registered:
    """Align the sample frames and stack the best of them.

    Parameters
    ----------
    view : View
    scan : Scan
    index : array
        `sample_frames`.
    plan_frame : int
        The frame on which the plan's positions hold.
    limit : int
        Largest number of guide stars.
    saturation : float
        Saturation level of an image, ADU.

    Raises
    ------
    DataError
        No star is found on any of the frames tried.
    """
    best: tuple[int, Tracker, list[Placement]] | None = None
    seeds = _seeds(view, index, limit, saturation, scan)[:4]
    wait_for("coarse")
    for seed, stars in seeds:
        tracker = Tracker(_field(view, stars, limit, saturation))
        placements = _place_all(view, index, tracker)
        found = sum(p.found for p in placements)
        if best is None or found > sum(p.found for p in best[2]):
            best = (seed, tracker, placements)
        if found >= 0.8 * index.size:
            break
    if best is None:
        raise DataError(
            f"{view.stack.info.name}: no star stands out on any of the frames looked at; is this a recording "
            "of the sky, and is it in focus?"
        )
    seed, tracker, placements = best
    to_grid = _place_frame(view, tracker, plan_frame, index, placements)
    grid_frame = plan_frame if to_grid.found else seed
    back = _inverse(to_grid.transform if to_grid.found else IDENTITY)
    moved = [_replaced(p, p.transform.after(back)) if p.found else NOWHERE for p in placements]
    field = tracker.field
    step = to_grid.transform if to_grid.found else IDENTITY
    (u, v), (all_u, all_v) = step.apply(field.u, field.v), step.apply(field.all_u, field.all_v)
    image, stacked = _stack(view, index, moved)
    on_grid = replace(field, u=u, v=v, all_u=all_u, all_v=all_v)
    return Registered(index, moved, on_grid, grid_frame, image, stacked)


def _seeds(
    view: View, index: NDArray[np.int64], limit: int, saturation: float, scan: Scan
) -> list[tuple[int, Detections]]:
    """Candidate reference frames, best first: much light in sharp stars."""
    usable = index[np.isfinite(scan.highest[index])]
    if usable.size == 0:
        raise DataError(f"{view.stack.info.name}: every frame looked at is NaN; there is nothing to measure")
    chosen = usable[np.unique(np.round(np.linspace(0, usable.size - 1, SEED_CANDIDATES)).astype(int))]
    found: list[tuple[float, int, Detections]] = []
    for k, image, _ in each_image(view, chosen):
        stars = find_stars(image, 6.0, limit, None, saturation)
        if len(stars):
            score = float(np.minimum(stars.snr[:15], 100.0).sum()) / stars.sigma
            found.append((score, int(chosen[k]), stars))
    found.sort(key=lambda item: (-item[0], item[1]))
    return [(frame, stars) for _, frame, stars in found]


def _field(view: View, stars: Detections, limit: int, saturation: float) -> Field:
    """Guide field of one frame: its unsaturated stars, or all where that leaves too few."""
    use = ~stars.saturated
    if use.sum() < min(3, len(stars)):
        use = np.ones(len(stars), bool)
    return Field(
        u=stars.x[use][:limit],
        v=stars.y[use][:limit],
        flux=stars.flux[use][:limit],
        all_u=stars.x,
        all_v=stars.y,
        all_flux=stars.flux,
        sigma=stars.sigma,
        variance=stars.noise**2 * view.sampling.excess(stars.sigma),
        inv_gain=0.0,
        saturation=np.inf if stars.saturated[use].any() else saturation,
        shape=(view.geometry.height, view.geometry.width),
        rotate=True,
        prior_frame=np.empty(0),
        prior_deg=np.empty(0),
    )


def _place_all(view: View, index: NDArray[np.int64], tracker: Tracker) -> list[Placement]:
    """Place the sample in order; a rotation that was found is what the next frame expects."""
    placements: list[Placement] = []
    prior, tries = 0.0, 0
    for _, image, _ in each_image(view, index):
        placed = tracker.place(image, prior, tries < ASTERISM_TRIES)
        if placed.method != "correlation":
            tries += 1
        if placed.found and placed.stars >= 3:
            prior = placed.transform.rotation_deg
        placements.append(placed)
    return placements


def _place_frame(
    view: View, tracker: Tracker, frame: int, index: NDArray[np.int64], placements: list[Placement]
) -> Placement:
    """Place the plan's frame, which need not be in the sample."""
    at = np.flatnonzero(index == frame)
    if at.size:
        return placements[int(at[0])]
    near = placements[int(np.argmin(np.abs(index - frame)))]
    prior = near.transform.rotation_deg if near.found else 0.0
    return tracker.place(view.images(frame, frame + 1).values[0], prior)


def _inverse(t: Transform) -> Transform:
    return Transform(t.c, -t.s, -(t.c * t.tx + t.s * t.ty), t.s * t.tx - t.c * t.ty)


def _replaced(placement: Placement, transform: Transform) -> Placement:
    return Placement(transform, placement.method, placement.stars, placement.sigma_px, placement.snr)


def _stack(
    view: View, index: NDArray[np.int64], placements: list[Placement]
) -> tuple[NDArray[np.float32], int]:
    """Mean of the frames with the most signal in their guide stars, on the grid."""
    snr = np.array([p.snr if p.found else -1.0 for p in placements])
    wanted = min(STACKED_FRAMES, max(8, int((snr > 0).sum()) // 2))
    chosen = np.sort(np.argsort(-snr, kind="stable")[:wanted])
    chosen = chosen[snr[chosen] > 0]
    shape = (view.geometry.height, view.geometry.width)
    total, count = np.zeros(shape), np.zeros(shape)
    for k, image, _ in each_image(view, index[chosen]):
        add_registered(image, placements[int(chosen[k])].transform, total, count)
    # where few frames reach, the mean is noisier than elsewhere and would pass for stars
    covered = count >= max(1.0, 0.5 * chosen.size)
    mean = np.divide(total, count, out=np.full(shape, np.nan), where=covered)
    return mean.astype(np.float32), int(chosen.size)
