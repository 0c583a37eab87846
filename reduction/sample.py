"""Pass 1: what a sample of frames measures: all stars at all radii, sky noise, saturation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gpu_kernels._numba.stars import SEEN, SHARP
from gpu_kernels.align import fit_stars
from gpu_kernels.beforehand import wait_for
from gpu_kernels.photometry import StarMeasurements, StarStatus
from reduction.capture import Capture
from reduction.cores import on_all_cores
from reduction.levels import LOOKED_AT, LOSSY_LEVELS, is_lossy, saturation_level, top_samples
from reduction.noise import pair_variance
from reduction.register import Registered
from reduction.sampling import Images
from reduction.scan import Scan
from reduction.sweep import over_samples
from reduction.view import View

Floats = NDArray[np.float64]
NOISE_PAIRS = 60
SHAPE_FRAMES = 24
CELL_PX = 32
INCOMPLETE = StarStatus.OFF_FRAME | StarStatus.NOT_FINITE


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Measurements of all stars at all radii on the placed sample frames."""

    kept: NDArray[np.int64]  # frame numbers
    flux: Floats  # (k, s, r)
    sky: Floats  # (k, s)
    sky_count: Floats
    peak: Floats  # (k, s) largest raw sample near the star
    complete: NDArray[np.bool_]  # (k, s) on the frame at the largest radius


def find_saturation(view: View, index: NDArray[np.int64], scan: Scan) -> tuple[float, str]:
    """Saturation level of the raw samples, and what tells it."""
    info = view.stack.info
    chosen = index[np.unique(np.round(np.linspace(0, index.size - 1, LOOKED_AT)).astype(int))]
    top = top_samples(view.raw(int(i), int(i) + 1)[0] for i in chosen)
    finite = scan.highest[np.isfinite(scan.highest)]
    highest = float(finite.max()) if finite.size else float("nan")
    spread = LOSSY_LEVELS if is_lossy(info) else 0
    level, source = saturation_level(top, highest, info.bit_depth, np.dtype(info.dtype), spread)
    luma = view.recipe.luma
    if luma is not None and source != "histogram" and highest <= luma.white:
        return luma.white, "luma range"
    return level, source


@dataclass(frozen=True, slots=True, eq=False)
class SkyNoise:
    """Variance of a sky pixel between neighbouring frames, ADU^2, and the level it was measured at, ADU.

    `relief` is the variance over the frame relative to its middle value, in square cells of `CELL_PX`
    pixels: vignetting, a flat field and glow make it uneven.
    """

    variance: float
    level: float
    relief: Floats

    def at(self, u: Floats, v: Floats) -> Floats:
        """Variance of a sky pixel at places of the frame."""
        places = np.stack([(v + 0.5) / CELL_PX - 0.5, (u + 0.5) / CELL_PX - 0.5])
        factor = ndimage.map_coordinates(self.relief, places, order=1, mode="nearest")
        return np.asarray(self.variance * factor, np.float64)


def sky_noise(view: View, registered: Registered, rank: NDArray[np.int64]) -> SkyNoise:
    """Measure the noise of the sky between neighbouring frames, evenly spread over the sample.

    `rank` is the scan's: what repeats another frame is nobody's neighbour.
    """
    index = registered.index
    placed = np.array([p.found for p in registered.placements])
    n = view.sampling.per_frame  # a field's neighbour is the next one of the same rows
    firsts = np.flatnonzero((rank[index][n:] - rank[index][:-n] == n) & placed[n:] & placed[:-n])
    if firsts.size:
        firsts = firsts[np.unique(np.round(np.linspace(0, firsts.size - 1, NOISE_PAIRS)).astype(int))]

    def noise_of(k: int) -> SkyNoise | None:
        """Of frame `k` of the sample and its neighbour; None where a plane shows nothing."""
        images = (view.sampled(int(index[i]), int(index[i]) + 1)[0] for i in (k, k + n))
        pair = [view.sampling.recorded(image, int(index[k])) for image in images]
        step = view.sampling.recorded_step
        planes = [_pair_noise(first, second, step) for first, second in zip(pair[0], pair[1], strict=True)]
        if not all(np.isfinite(plane.variance) for plane in planes):
            return None
        return SkyNoise(
            float(np.mean([plane.variance for plane in planes])),
            float(np.mean([plane.level for plane in planes])),
            np.mean([plane.relief for plane in planes], axis=0),
        )

    found = [noise for noise in on_all_cores(noise_of, firsts.tolist()) if noise is not None]
    if not found:
        recorded = registered.field.variance / view.sampling.white_excess(registered.field.sigma)
        return SkyNoise(recorded, median_level(registered.image), np.ones((1, 1)))
    variance, level = (
        float(np.median([getattr(one, name) for one in found])) for name in ("variance", "level")
    )
    return SkyNoise(variance, level, _relief([one.relief for one in found]))


def _pair_noise(first: NDArray[Any], second: NDArray[Any], step: tuple[int, int]) -> SkyNoise:
    """Variance between two images of independent pixels, and (unscaled) in cells; NaN where nothing is seen.

    What is fixed on the sensor (pattern, gradients, stars that do not move) drops out; a change of
    level between the two is taken out as the mean of the clipped difference.

    Parameters
    ----------
    first, second : array, (height, width)
    step : (int, int)
        Rows and columns of the frame from pixel to pixel.
    """
    with np.errstate(invalid="ignore"):  # infinite pixels
        change = second.astype(np.float32) - first.astype(np.float32)
    every = max(1, int(np.sqrt(change.size / 8_000)))
    part = change[::every, ::every]
    if not np.isfinite(part).any():
        return SkyNoise(float("nan"), float("nan"), np.ones((1, 1)))
    variance = pair_variance([part])
    limit = 4.0 * float(np.sqrt(2.0 * variance))
    cells = _cell_variance(change, limit, (CELL_PX // step[0], CELL_PX // step[1]))
    return SkyNoise(variance, float(np.nanmedian(first[::every, ::every])), cells)


def _cell_variance(change: NDArray[np.float32], limit: float, cell: tuple[int, int]) -> Floats:
    """Mean square of a difference within +-limit, in cells of some pixels; NaN where a cell has nothing."""
    rows, columns = (max(1, n // size) for n, size in zip(change.shape, cell, strict=True))
    high, wide = (min(size, n) for n, size in zip(change.shape, cell, strict=True))
    blocks = change[: rows * high, : columns * wide].reshape(rows, high, columns, wide)
    inside = np.abs(blocks) <= limit  # not so for NaN
    count = inside.sum(axis=(1, 3))
    square = np.where(inside, blocks, np.float32(0.0)) ** 2
    mean = np.full(count.shape, np.nan)
    np.divide(square.sum(axis=(1, 3), dtype=np.float64), count, out=mean, where=count > 99)
    return mean


def _relief(cells: list[Floats]) -> Floats:
    """Cell variances over their middle value; a median over neighbours leaves stars out."""
    whole = [c for c in cells if np.isfinite(c).all()]
    mean = np.mean(whole, axis=0) if whole else np.ones((1, 1))
    middle = float(np.median(mean))
    if not middle > 0:
        return np.ones((1, 1))
    return np.asarray(ndimage.median_filter(mean / middle, 3, mode="nearest"), np.float64)


def measure_sample(
    view: View,
    registered: Registered,
    u: Floats,
    v: Floats,
    radii: Floats,
    sky: tuple[float, float],
    capture: Capture | None,
) -> Sample:
    """Measure all stars at all radii on every placed sample frame."""
    wait_for("photometry")
    middle = min(radii.size // 2, radii.size - 1)

    def measured(k: int, image: Images) -> tuple[int, StarMeasurements] | None:
        placement = registered.placements[k]
        if not placement.found:
            return None
        x, y = placement.transform.apply(u, v)
        number = int(registered.index[k])
        return number, view.sampling.measure(image, x[None], y[None], radii, sky, capture, number).stars

    seen = [one for one in over_samples(view, registered.index, measured) if one is not None]
    return Sample(
        np.array([number for number, _ in seen], np.int64),
        np.array([stars.flux[0] for _, stars in seen]),
        np.array([stars.sky[0] for _, stars in seen]),
        np.array([stars.sky_count[0].astype(np.float64) for _, stars in seen]),
        np.array([stars.peak[0, :, middle] for _, stars in seen]),
        np.array([(stars.status[0, :, -1] & INCOMPLETE) == 0 for _, stars in seen], bool),
    )


def lone_pixels(view: View, registered: Registered, u: Floats, v: Floats) -> NDArray[np.bool_]:
    """Places where most frames show a lone bright pixel and no star, ``(star,)``.

    Hot pixels do not move with the stars: in the mean of many frames their trails look like stars.
    """
    field = registered.field
    placed = np.array([k for k, p in enumerate(registered.placements) if p.found], np.int64)
    chosen = placed[:: max(1, placed.size // SHAPE_FRAMES)]
    sharp, round_ones = np.zeros(u.size, np.int64), np.zeros(u.size, np.int64)
    for k in chosen:
        frame = int(registered.index[k])
        x, y = registered.placements[k].transform.apply(u, v)
        image = view.images(frame, frame + 1).values[0]
        fits = fit_stars(image, x, y, 3, field.sigma, field.variance, field.inv_gain, np.inf)
        sharp += fits.status == SHARP
        round_ones += (fits.status == SEEN) & (fits.snr > 5.0)
    return np.asarray(sharp > round_ones, np.bool_)


def median_level(image: NDArray[np.float32]) -> float:
    """Median of what is finite in an image; 0 where nothing is."""
    finite = image[np.isfinite(image)]
    return float(np.median(finite)) if finite.size else 0.0


def median_of_finite(values: Floats) -> Floats:
    """Median over frames of what is finite; 0 where nothing is."""
    out = np.zeros(values.shape[1:])
    for s in np.ndindex(out.shape):
        column = values[(slice(None), *s)]
        good = column[np.isfinite(column)]
        if good.size:
            out[s] = np.median(good)
    return out


def neighbours(rank: NDArray[np.int64], flux: Floats) -> tuple[Floats, Floats]:
    """Fluxes on neighbouring frames, by the frames' ranks."""
    at = np.flatnonzero(np.diff(rank) == 1)
    return flux[at], flux[at + 1]


def growth_curve(flux: Floats, bright: Floats, fixed: Floats, saturated: NDArray[np.bool_]) -> Floats:
    """Encircled fraction at each radius, of the flux in the largest, from the brightest good stars."""
    radii = flux.shape[2]
    snr = np.where(saturated, 0.0, bright / np.sqrt(fixed))
    order = np.argsort(-snr, kind="stable")[:8]
    total = np.zeros(radii)
    for s in order:
        if snr[s] < 5.0 and total[-1] > 0:
            break
        curve = flux[:, s, :]
        good = np.isfinite(curve).all(axis=1)
        if good.any():
            total += curve[good].mean(axis=0)
    if not total[-1] > 0:
        return np.ones(radii)
    fraction = np.maximum.accumulate(np.clip(total / total[-1], 1e-3, None))
    return np.asarray(fraction / fraction[-1], np.float64)


def typical_fluxes(flux: Floats, target: int) -> Floats:
    """Typical flux of each star; for the target, which may vanish, that of its brighter part."""
    typical = median_of_finite(flux)
    if target >= 0:
        own = flux[:, target]
        own = own[np.isfinite(own)]
        if own.size:
            typical[target] = float(np.percentile(own, 75.0))
    return typical
