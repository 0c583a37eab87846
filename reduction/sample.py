"""Pass 1: what a sample of frames measures: all stars at all radii, sky noise, saturation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.photometry import StarStatus, measure
from reduction.noise import pair_variance
from reduction.register import Registered, each_image
from reduction.scan import Scan, saturation_level
from reduction.view import View

Floats = NDArray[np.float64]


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
    """Saturation level of the raw samples."""
    info = view.stack.info
    chosen = index[np.unique(np.round(np.linspace(0, index.size - 1, 24)).astype(int))]
    frames = [view.stack.read(int(i), int(i) + 1).ravel() for i in chosen]
    finite = scan.highest[np.isfinite(scan.highest)]
    highest = float(finite.max()) if finite.size else float("nan")
    top = [f[f >= 0.9 * highest] for f in frames] if highest > 0 else []
    samples = np.concatenate(top) if top else np.empty(0)
    return saturation_level(samples, highest, info.bit_depth, np.dtype(info.dtype))


def sky_noise(view: View, registered: Registered) -> tuple[float, float]:
    """Variance of a sky pixel between neighbouring frames, and the level it was measured at."""
    index = registered.index
    differences: list[NDArray[np.float32]] = []
    levels: list[float] = []
    before: tuple[int, NDArray[Any]] | None = None
    pairs = 0
    for k, image, _ in each_image(view, index):
        frame = int(index[k])
        if before is not None and frame == before[0] + 1 and pairs < 100:
            step = max(1, int(np.sqrt(image.size / 8_000)))
            a, b = before[1][::step, ::step], image[::step, ::step]
            differences.append(b.astype(np.float32) - a.astype(np.float32))
            levels.append(float(np.nanmedian(a)) if a.dtype.kind == "f" else float(np.median(a)))
            pairs += 1
            before = None if view.frames > index.size else (frame, image)
        else:
            before = (frame, image)
    if pairs:
        return pair_variance(differences), float(np.median(levels))
    field = registered.field
    middle = registered.image[np.isfinite(registered.image)]
    return field.variance, float(np.median(middle)) if middle.size else 0.0


def measure_sample(
    view: View, registered: Registered, u: Floats, v: Floats, radii: Floats, sky: tuple[float, float]
) -> Sample:
    """Measure all stars at all radii on every placed sample frame."""
    kept, flux, level, count, peak, complete = [], [], [], [], [], []
    for k, image, raw in each_image(view, registered.index):
        placement = registered.placements[k]
        if not placement.found:
            continue
        x, y = placement.transform.apply(u, v)
        seen = measure(np.ascontiguousarray(image)[None], x[None], y[None], radii, sky[0], sky[1])
        top = seen.peak
        if raw is not image and not view.direct:
            top = measure(np.ascontiguousarray(raw)[None], x[None], y[None], radii, sky[0], sky[1]).peak
        kept.append(int(registered.index[k]))
        flux.append(seen.flux[0])
        level.append(seen.sky[0])
        count.append(seen.sky_count[0].astype(np.float64))
        peak.append(top[0, :, min(radii.size // 2, radii.size - 1)])
        complete.append((seen.status[0, :, -1] & (StarStatus.OFF_FRAME | StarStatus.NOT_FINITE)) == 0)
    return Sample(
        np.array(kept, np.int64),
        np.array(flux),
        np.array(level),
        np.array(count),
        np.array(peak),
        np.array(complete, bool),
    )


def median_of_finite(values: Floats) -> Floats:
    """Median over frames of what is finite; 0 where nothing is."""
    out = np.zeros(values.shape[1:])
    for s in np.ndindex(out.shape):
        column = values[(slice(None), *s)]
        good = column[np.isfinite(column)]
        if good.size:
            out[s] = np.median(good)
    return out


def neighbours(kept: NDArray[np.int64], flux: Floats) -> tuple[Floats, Floats]:
    """Fluxes on neighbouring frames."""
    at = np.flatnonzero(np.diff(kept) == 1)
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
