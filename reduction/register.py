"""Pass 1, first half: sample frames brought onto each other, and the reference image."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.align import add_registered
from gpu_kernels.beforehand import wait_for
from gpu_kernels.detect import Detections, find_stars
from gpu_kernels.transforms import IDENTITY
from reduction.coordinates import Coordinates, against, moved
from reduction.drift import ANYWHERE
from reduction.errors import DataError
from reduction.sampling import Images
from reduction.scan import Scan
from reduction.sweep import Sweep, each_image, over_samples, sweep
from reduction.tracking import NOWHERE, Field, Placement, Tracker
from reduction.view import View

Floats = NDArray[np.float64]
SEED_CANDIDATES = 6
STACKED_FRAMES = 40
ENOUGH_FOUND = 0.8
"""Share of the sample that a seed must place for no other to be tried."""


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
    scale, width : array, (k,)
        Scale against the grid, and Gaussian width of the stars (0: that of the field), by sample frame.
    """

    index: NDArray[np.int64]
    placements: list[Placement]
    field: Field
    grid_frame: int
    image: NDArray[np.float32]
    stacked: int
    scale: Floats
    width: Floats


def sample_frames(limit: int, repeated: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Frames that pass 1 looks at closely: all, or neighbouring pairs evenly spread; no repeats.

    Frames between which there are only repeats count as neighbours (`Scan.rank`).
    """
    distinct = np.flatnonzero(~repeated)
    if distinct.size > limit:
        starts = np.round(np.linspace(0, distinct.size - 2, limit // 2)).astype(np.int64)
        distinct = distinct[np.unique(np.concatenate([starts, starts + 1]))]
    return distinct.astype(np.int64)


def register(
    view: View,
    scan: Scan,
    index: NDArray[np.int64],
    plan_frame: int,
    limit: int,
    saturation: float,
    mask: NDArray[np.bool_] | None = None,
    coordinates: Coordinates | None = None,
    roi: float = 20.0,
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
    mask : array, (height, width), bool, optional
        Pixels of an image that say nothing of the sky.
    coordinates : Coordinates, optional
        Places by frame, for frames that nothing else places.
    roi : float
        See `Field`.

    Raises
    ------
    DataError
        No star is found on any of the frames tried.
    """
    best: tuple[int, Tracker, Sweep] | None = None
    seeds = _seeds(view, index, limit, saturation, scan, mask)[:4]
    wait_for("coarse")
    for seed, stars in seeds:
        field = replace(_field(view, stars, limit, saturation), mask=mask, roi=roi)
        if coordinates is not None:
            field = replace(field, given=against(coordinates, seed, view.sampling.per_frame))
        tracker = Tracker(field)
        swept = sweep(view, index, tracker, seed)
        better = best is None or swept.found > best[2].found
        if better:
            best = (seed, tracker, swept)
        if swept.found >= ENOUGH_FOUND * index.size or not better:
            break
    if best is None:
        raise DataError(
            f"{view.stack.info.name}: no star stands out on any of the frames looked at; is this a recording "
            "of the sky, and is it in focus?"
        )
    seed, tracker, swept = best
    to_grid = _place_frame(view, tracker, plan_frame, index, swept.placements)
    step = to_grid.transform if to_grid.found else IDENTITY
    back = step.inverse
    placements = [
        replace(p, transform=p.transform.after(back)) if p.found else NOWHERE for p in swept.placements
    ]
    field = tracker.field
    (u, v), (all_u, all_v) = step.apply(field.u, field.v), step.apply(field.all_u, field.all_v)
    image, stacked = _stack(view, index, placements)
    return Registered(
        index=index,
        placements=placements,
        field=replace(
            field,
            u=u,
            v=v,
            all_u=all_u,
            all_v=all_v,
            sigma=_typical(field.sigma, swept),
            given=None if field.given is None else moved(field.given, step),
        ),
        grid_frame=plan_frame if to_grid.found else seed,
        image=image,
        stacked=stacked,
        scale=swept.scale / float(np.interp(plan_frame if to_grid.found else seed, index, swept.scale)),
        width=swept.width,
    )


def _typical(sigma: float, swept: Sweep) -> float:
    """Width of the stars: the seed's, or the middle of the recording's where it changes."""
    return swept.typical_width if swept.width.any() else sigma


def _seeds(
    view: View,
    index: NDArray[np.int64],
    limit: int,
    saturation: float,
    scan: Scan,
    mask: NDArray[np.bool_] | None,
) -> list[tuple[int, Detections]]:
    """Candidate reference frames, best first: much light in sharp stars."""
    usable = index[np.isfinite(scan.highest[index])]
    if usable.size == 0:
        raise DataError(f"{view.stack.info.name}: every frame looked at is NaN; there is nothing to measure")
    chosen = usable[np.unique(np.round(np.linspace(0, usable.size - 1, SEED_CANDIDATES)).astype(int))]

    def judged(k: int, sample: Images) -> tuple[float, int, Detections] | None:
        stars = find_stars(sample.values[0], 6.0, limit, None, saturation, mask=mask)
        if not len(stars):
            return None
        score = float(np.minimum(stars.snr[:15], 100.0).sum()) / stars.sigma
        return score, int(chosen[k]), stars

    found = [one for one in over_samples(view, chosen, judged) if one is not None]
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
    )


def _place_frame(
    view: View, tracker: Tracker, frame: int, index: NDArray[np.int64], placements: list[Placement]
) -> Placement:
    """Place the plan's frame, which need not be in the sample."""
    at = np.flatnonzero(index == frame)
    if at.size:
        return placements[int(at[0])]
    near = placements[int(np.argmin(np.abs(index - frame)))]
    expected = replace(ANYWHERE, transform=near.transform) if near.found else ANYWHERE
    return tracker.place(view.images(frame, frame + 1).values[0], expected)


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
