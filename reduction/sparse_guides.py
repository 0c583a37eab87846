"""Guide stars fitted on recorded pixels, where these are sparse: placements without pull of their lattice.

Stars on interpolated images are drawn towards recorded pixels, or away from them, by up to a tenth of a
pixel. Once a frame is placed, its guides are fitted again where they were recorded.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba.stars import SEEN
from gpu_kernels.align import StarFits, Transform, agree
from gpu_kernels.sparse import fit_sparse
from reduction.following import Placed
from reduction.places import Settled
from reduction.register import Registered
from reduction.sampling import Images, Sampling
from reduction.sweep import CLEAR_PX, each_sample, smooth
from reduction.tracking import COORDINATES, HELD, LOST, METHODS, Placement
from reduction.view import View

Floats = NDArray[np.float64]
SEEN_METHODS = [k for k, method in enumerate(METHODS) if method not in {COORDINATES, HELD, LOST}]
MOST_GUIDES = 12
LEAST_SNR = 5.0
SAMPLE_SNR = 50.0
"""Of all frames looked at, from which a star is likely to be seen on each."""

FLOOR_PX = 0.005
NEAR_PX = 1.5
LEAST_FOR_SCALE = 4
FARTHEST_PX = 0.8
"""Correction beyond which the frame's first placement is kept."""


@dataclass(frozen=True, slots=True, eq=False)
class SparseGuides:
    """Stars whose recorded pixels place a frame.

    Attributes
    ----------
    u, v : array, (g,), pixels
        On the grid.
    colours : array, (g, 4)
        Light at each place of a mosaic's cell against the mean.
    sigma : float
        Gaussian width before the light falls on pixels, pixels.
    variance, inv_gain : float
        Of a recorded sky pixel, ADU^2, and ADU per electron.
    rotate : bool
        Whether frames may turn.
    """

    u: Floats
    v: Floats
    colours: Floats
    sigma: float
    variance: float
    inv_gain: float
    rotate: bool


def refined(
    guides: SparseGuides | None, sampling: Sampling, images: Images, placed: Placed, first: int
) -> Placed:
    """Places of a block of samples after a fit of the guides on their recorded pixels.

    Parameters
    ----------
    guides : SparseGuides or None
        None: pixels are not sparse, places stay.
    sampling : Sampling
    images : Images
    placed : Placed
    first : int
        Number of the first sample.
    """
    if guides is None:
        return placed
    transform = placed.transform.copy()
    for i in np.flatnonzero(np.isin(placed.method, SEEN_METHODS)):
        before = Transform(*transform[i].tolist())
        after = _refined(guides, sampling, images.of(int(i)), before, int(placed.stars[i]), first + int(i))
        transform[i] = after.c, after.s, after.tx, after.ty
    return replace(placed, transform=transform)


def _fits(
    guides: SparseGuides, sampling: Sampling, image: Images, transform: Transform, sample: int
) -> tuple[StarFits, Floats, Floats]:
    """Fits of the guides on one sample, and where they were expected."""
    x, y = transform.apply(guides.u, guides.v)
    row = None if sampling.layout == "mosaic" else sampling.first_row(sample)
    frame = image.values[0] if image.mosaic is None else image.mosaic[0]
    fits = fit_sparse(frame, x, y, guides.colours, row, guides.sigma, guides.variance, guides.inv_gain)
    return fits, x, y


def _fit_for_use(fits: StarFits, x: Floats, y: Floats) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        near = np.hypot(fits.x - x, fits.y - y) < NEAR_PX
        return np.asarray((fits.status == SEEN) & (fits.snr > LEAST_SNR) & near, np.bool_)


def _refined(
    guides: SparseGuides, sampling: Sampling, image: Images, transform: Transform, stars: int, sample: int
) -> Transform:
    """A transform that `stars` stars gave, moved and turned to the fits; as it was where they do not fit."""
    fits, x, y = _fits(guides, sampling, image, transform, sample)
    good = _fit_for_use(fits, x, y)
    if good.sum() < min(2, stars):
        return transform
    step, used = agree(x, y, fits, good, guides.rotate and bool(good.sum() >= 2), floor_px=FLOOR_PX)
    if 2 * used.sum() < min(guides.u.size, stars) or not used.any():
        return transform
    after = step.after(transform)
    moved = np.subtract(after.apply(guides.u[used], guides.v[used]), (x[used], y[used]))
    return after if float(np.abs(moved).max()) <= FARTHEST_PX else transform


def guides_of(
    sampling: Sampling,
    settled: Settled,
    chosen: NDArray[np.bool_],
    variance: float,
    inv_gain: float,
    rotate: bool,
) -> SparseGuides | None:
    """Guides among the stars; None where pixels are not sparse, or no star is chosen.

    Parameters
    ----------
    sampling : Sampling
    settled : Settled
        Stars as the recorded pixels show them.
    chosen : array, (s,), bool
    variance, inv_gain, rotate
        As in `SparseGuides`.
    """
    if sampling.lattice is None or not chosen.any():
        return None
    colours = 4.0 * settled.light[chosen]
    u, v = settled.u[chosen], settled.v[chosen]
    return SparseGuides(u, v, colours, settled.sigma, variance, inv_gain, rotate)


def refined_sample(view: View, registered: Registered, settled: Settled) -> Registered:
    """The sample of pass 1, every frame placed again by its brightest stars; scale and all."""
    bright = settled.snr > SAMPLE_SNR
    if bright.sum() > MOST_GUIDES:
        bright &= settled.snr >= np.sort(settled.snr)[-MOST_GUIDES]
    variance = registered.field.variance / view.sampling.white_excess(registered.field.sigma)
    guides = guides_of(view.sampling, settled, bright, variance, 0.0, True)
    if guides is None:
        return registered
    placements = list(registered.placements)
    for k, image in each_sample(view, registered.index):
        if placements[k].by_stars:
            placements[k] = _replaced(guides, view.sampling, image, placements[k], int(registered.index[k]))
    placements = _on_grid(registered, placements)
    scale = smooth(np.array([p.transform.scale if p.by_stars else 1.0 for p in placements]))
    lever = 0.5 * float(np.hypot(*registered.field.shape))
    if float(np.ptp(scale)) * lever < CLEAR_PX:
        scale = np.ones(scale.size)
    return replace(registered, placements=placements, scale=scale)


def _replaced(
    guides: SparseGuides, sampling: Sampling, image: Images, placement: Placement, sample: int
) -> Placement:
    """A placement by shift, rotation and scale together, where the stars allow for it."""
    before = placement.transform
    fits, x, y = _fits(guides, sampling, image, before, sample)
    good = _fit_for_use(fits, x, y)
    for _ in range(2):
        if good.sum() < LEAST_FOR_SCALE:
            after = _refined(guides, sampling, image, before, placement.stars, sample)
            break
        after = _similarity(guides.u[good], guides.v[good], fits.x[good], fits.y[good], fits.error[good])
        far = np.hypot(*np.subtract(after.apply(guides.u, guides.v), (fits.x, fits.y)))
        good &= far < 4.0 * fits.error + 0.2
    return replace(placement, transform=after)


def _similarity(u: Floats, v: Floats, x: Floats, y: Floats, error: Floats) -> Transform:
    """Weighted least squares: shift, rotation and scale."""
    w = 1.0 / (error**2 + FLOOR_PX**2)
    mu, mv, mx, my = (float((w * z).sum() / w.sum()) for z in (u, v, x, y))
    du, dv, dx, dy = u - mu, v - mv, x - mx, y - my
    spread = float((w * (du**2 + dv**2)).sum())
    c = float((w * (du * dx + dv * dy)).sum()) / spread
    s = float((w * (du * dy - dv * dx)).sum()) / spread
    return Transform(c, s, mx - c * mu + s * mv, my - s * mu - c * mv)


def _on_grid(registered: Registered, placements: list[Placement]) -> list[Placement]:
    """Placements against the pixels of the grid's own frame, as that frame now lies."""
    at = np.flatnonzero(registered.index == registered.grid_frame)
    if at.size == 0 or not placements[int(at[0])].found:
        return placements
    back = placements[int(at[0])].transform.inverse
    return [replace(p, transform=p.transform.after(back)) if p.found else p for p in placements]
