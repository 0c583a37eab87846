"""Star table -> the target's light curve: ensemble, equations (1)-(3), baseline, quality."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.result import UNUSABLE, Flag, LightCurve, Quality
from reduction.timing import TimeSolution

Floats = NDArray[np.float64]

CHI2_LOW, CHI2_HIGH = 0.85, 1.15
"""Reduced chi-square within which predicted sigmas stand; outside they are rescaled."""

LEAST_REFERENCE, WEAK_REFERENCE = 3.0, 0.5
"""A reference below half of its typical flux must exceed zero by three of its errors.

A quotient's first-order error means nothing where the denominator may be zero (Hinkley 1969, Biometrika 56,
635), as under opaque cloud.
"""

LEAST_LEVEL = 5.0
"""Errors by which the baseline's level must exceed zero for the target to count as seen."""

LEAST_BASELINE_PERCENT = 90.0
"""Fluxes above this percentile tell nothing of events: at least a tenth of a curve must be baseline."""


@dataclass(frozen=True, slots=True, eq=False)
class Roles:
    """Which star is what: target's index, and the references' weights and typical fluxes."""

    target: int
    references: NDArray[np.intp]
    weights: Floats
    typical: Floats


def ensemble_weights(flux: Floats, sigma: Floats, references: NDArray[np.intp]) -> Floats:
    """Weights of the references' normalised fluxes: inverse predicted variances, summing to 1.

    Parameters
    ----------
    flux, sigma : array, (star,)
        Typical flux and its predicted sigma, ADU.
    references : array of int
        Stars of the ensemble.
    """
    f, s = flux[references], sigma[references]
    weight = np.where((f > 0) & (s > 0), (f / np.where(s > 0, s, 1.0)) ** 2, 0.0)
    total = weight.sum()
    return np.asarray(weight / total if total > 0 else np.full(f.shape, 1.0 / max(f.size, 1)), np.float64)


@dataclass(slots=True, eq=False)
class Columns:
    """The columns that a light curve is made of, filled segment by segment; ``(n_frame,)``."""

    flux: Floats
    sigma: Floats
    reference: Floats
    reference_sigma: Floats
    x: Floats
    y: Floats
    sky: Floats
    flags: NDArray[np.uint32]


def columns(segments: Sequence[Path], stars: int, frames: int, roles: Roles) -> Columns:
    """Read target and ensemble from the star table, one segment at a time.

    The ensemble's flux is the weighted mean of the references' fluxes, each over its typical flux,
    times the sum of the typical fluxes: with one reference, that star's own flux. A reference that
    cannot be measured on a frame is left out there and the weights renormalised (flagged).
    """
    a, b, c, d, e, f, g = (np.full(frames, np.nan) for _ in range(7))
    out = Columns(a, b, c, d, e, f, g, np.zeros(frames, np.uint32))
    at = 0
    for path in segments:
        table = np.load(path, mmap_mode="r").reshape(-1, stars)
        n = table.shape[0]
        span = slice(at, at + n)
        own = table[:, roles.target]
        out.flux[span], out.sigma[span] = own["flux"], own["sigma"]
        out.x[span], out.y[span], out.sky[span] = own["x"], own["y"], own["sky"]
        out.flags[span] = own["flags"]
        _ensemble(table, roles, out, span)
        at += n
    return out


def _ensemble(table: NDArray[Any], roles: Roles, out: Columns, span: slice) -> None:
    """Fill reference columns of one segment."""
    if roles.references.size == 0:
        out.reference[span], out.reference_sigma[span] = 1.0, 0.0
        return
    part = table[:, roles.references]
    flux, sigma, bits = part["flux"], part["sigma"].astype(np.float64), part["flags"]
    valid = _without_repaired(np.isfinite(flux) & np.isfinite(sigma), bits)
    weight = np.where(valid, roles.weights[None, :], 0.0)
    total = weight.sum(axis=1)
    some = total > 0
    scale = float(roles.typical.sum())
    share = np.divide(weight, total[:, None], out=np.zeros_like(weight), where=some[:, None])
    share = share / roles.typical[None, :] * scale
    out.reference[span] = np.where(some, (share * np.where(valid, flux, 0.0)).sum(axis=1), np.nan)
    variance = ((share * np.where(valid, sigma, 0.0)) ** 2).sum(axis=1)
    out.reference_sigma[span] = np.where(some, np.sqrt(variance), np.nan)
    flags = out.flags[span]
    flags[some & ~valid.all(axis=1)] |= np.uint32(Flag.REFERENCE_PARTIAL.value)
    flags[((bits & Flag.SATURATED.value) != 0).any(axis=1)] |= np.uint32(Flag.REFERENCE_SATURATED.value)
    lost = (flags & Flag.LOST.value) != 0
    weak = out.reference[span] < WEAK_REFERENCE * scale
    lowest = np.where(weak, LEAST_REFERENCE * out.reference_sigma[span], 0.0)
    bad = ~lost & ~(out.reference[span] > lowest)
    flags[bad] |= np.uint32(Flag.BAD_REFERENCE.value)


def _whole_samples(good: NDArray[np.bool_], flags: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Samples by which noise is judged: without a repaired pixel, where that leaves half of them."""
    whole = good & ((flags & np.uint32(Flag.REPAIRED.value)) == 0)
    return whole if 2 * whole.sum() >= good.sum() else good


def _without_repaired(valid: NDArray[np.bool_], bits: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """References to rely on, (frame, star): those without a repaired pixel, unless all have one."""
    whole = valid & ((bits & np.uint32(Flag.REPAIRED.value)) == 0)
    return np.where(whole.any(axis=1, keepdims=True), whole, valid)


def time_flags(times: TimeSolution, repeated: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Flags that come from times and repeats: gap before, time missing or out of order, repeated."""
    flags = np.zeros(repeated.shape[0], np.uint32)
    flags[repeated] |= np.uint32(Flag.REPEATED.value)
    known = times.known
    if known.any():
        flags[~known] |= np.uint32(Flag.TIME_UNSURE.value)
    cadence = times.cadence_s()
    if cadence is not None and cadence > 0:
        both = known[1:] & known[:-1]
        steps = np.where(both, np.diff(np.where(known, times.mid_ns, 0)), 0)
        gap = both & (steps > 1.5e9 * cadence)
        back = both & (steps <= 0)
        flags[1:][gap] |= np.uint32(Flag.TIME_GAP.value)
        flags[1:][back] |= np.uint32(Flag.TIME_UNSURE.value)
    return flags


def make_lightcurve(
    raw: Columns, times: TimeSolution, repeated: NDArray[np.bool_], noiseless_reference: bool
) -> tuple[LightCurve, Quality]:
    """Light curve by equations (1)-(3) of the paper, its baseline, and how good it is.

    F_T = f_T / median(f_T), F_R = f_R / median(f_R), F_N = F_T / F_R (Kilic et al. 2022, MNRAS
    515, 1346); medians over frames without a disabling flag.
    """
    flags = raw.flags | time_flags(times, repeated)
    usable = ((flags & UNUSABLE.value) == 0) & np.isfinite(raw.flux)
    middle_t = _middle(raw.flux[usable])
    middle_r = 1.0 if noiseless_reference else _middle(raw.reference[usable])
    with np.errstate(divide="ignore", invalid="ignore"):
        f_t, f_r = raw.flux / middle_t, raw.reference / middle_r
        ratio = np.where(usable, f_t / f_r, np.nan)
        variance = (raw.sigma / middle_t / f_r) ** 2 + (ratio * raw.reference_sigma / raw.reference) ** 2
        ratio_sigma = np.where(usable, np.sqrt(variance), np.nan)
    baseline = out_of_event(ratio, ratio_sigma, _whole_samples(usable & ~repeated, flags))
    level, level_sigma = weighted_level(ratio[baseline], ratio_sigma[baseline])
    seen = level > LEAST_LEVEL * level_sigma
    if not seen:
        level = 1.0
    chi2 = reduced_chi2(ratio[baseline], ratio_sigma[baseline])
    scale = 1.0
    if baseline.sum() >= 30 and np.isfinite(chi2) and not (CHI2_LOW <= chi2 <= CHI2_HIGH):
        scale = float(np.sqrt(chi2))
    predicted = float(np.median(ratio_sigma[baseline])) / level if baseline.any() else float("nan")
    ratio_sigma = ratio_sigma * scale
    curve = LightCurve(
        frame=np.arange(flags.size, dtype=np.float64),
        mid_ns=times.mid_ns,
        utc_sigma_s=times.sigma_s,
        exposure_s=times.exposure_s,
        target_flux=raw.flux,
        target_sigma=raw.sigma * scale,
        reference_flux=raw.reference,
        reference_sigma=raw.reference_sigma * scale,
        ratio=ratio,
        ratio_sigma=ratio_sigma,
        flux_norm=ratio / level,
        flux_norm_sigma=ratio_sigma / level,
        target_x=raw.x,
        target_y=raw.y,
        target_sky=raw.sky,
        flags=flags,
        baseline=baseline,
    )
    quality = Quality(
        points=int(flags.size),
        good_points=int((flags == 0).sum()),
        scatter=robust_sigma(ratio[baseline]) / level,
        predicted_scatter=predicted,
        chi2_reduced=reduced_chi2(ratio[baseline], ratio_sigma[baseline]),
        sigma_scale=scale,
        median_snr=1.0 / predicted if predicted > 0 else float("nan"),
        target_seen=bool(seen),
    )
    return curve, quality


def _middle(values: Floats) -> float:
    """Median, or 1 where it is not positive (a target that is never seen)."""
    value = float(np.median(values)) if values.size else float("nan")
    return value if value > 0 else (float(np.max(values)) if values.size and values.max() > 0 else 1.0)


def robust_sigma(values: Floats) -> float:
    """1.4826 times the median absolute deviation; NaN without values."""
    if values.size == 0:
        return float("nan")
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def weighted_level(values: Floats, sigma: Floats) -> tuple[float, float]:
    """Inverse-variance weighted mean, clipped once at four sigma, and its error."""
    good = np.isfinite(values) & (sigma > 0)
    if not good.any():
        return float("nan"), float("nan")
    v, w = values[good], 1.0 / sigma[good] ** 2
    middle = float(np.median(v))
    kept = np.abs(v - middle) <= 4.0 * np.maximum(sigma[good], robust_sigma(v))
    if not kept.any():
        kept = np.ones(v.size, bool)
    return float((w[kept] * v[kept]).sum() / w[kept].sum()), float(w[kept].sum() ** -0.5)


def reduced_chi2(values: Floats, sigma: Floats) -> float:
    """Reduced chi-square about the weighted level; NaN with fewer than two values."""
    good = np.isfinite(values) & (sigma > 0)
    if good.sum() < 2:
        return float("nan")
    level, _ = weighted_level(values[good], sigma[good])
    return float((((values[good] - level) / sigma[good]) ** 2).sum() / (good.sum() - 1))


def out_of_event(ratio: Floats, sigma: Floats, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Samples outside events: those not in a run of significantly low ones.

    The curve is split in two levels (Otsu's threshold, on means of five neighbours and on the curve
    itself); the lower one is an event where it stands off by more than five errors of its own runs.
    Samples six sigma off what is left go too: short deep events, and flashes, which would pass for
    noise. Deep events of any length are found, and shallow ones of a few samples are left to event
    search proper; a point of noise is never cut out for being low.
    """
    at = np.flatnonzero(usable & np.isfinite(ratio))
    out = np.zeros(ratio.shape, bool)
    out[at] = True
    if at.size < 12:
        return out
    low = np.zeros(at.size, bool)
    for width in (1, 5, 25):
        if at.size < 4 * width:
            continue
        low |= _low_runs(ratio[at], sigma[at], width)
    if low.all():
        return out
    rest = ratio[at][~low]
    far = 6.0 * np.maximum(sigma[at], robust_sigma(rest))
    flash = ratio[at] > np.median(rest) + far
    low |= ratio[at] < np.median(rest) - far
    # keep the flanks out: a sample beside an event may be half in it
    edge = low.copy()
    edge[1:] |= low[:-1]
    edge[:-1] |= low[1:]
    if (edge | flash).all():
        return out
    out[at[edge | flash]] = False
    return out


def _low_runs(values: Floats, sigma: Floats, width: int) -> NDArray[np.bool_]:
    """Samples whose running mean belongs to a lower level that stands well off the upper one."""
    kernel = np.ones(width) / width
    pad = width // 2
    capped = np.minimum(values, np.percentile(values, LEAST_BASELINE_PERCENT))  # flashes are no level
    mean = np.convolve(np.pad(capped, pad, mode="edge"), kernel, "valid")
    noise = np.sqrt(np.convolve(np.pad(sigma**2, pad, mode="edge"), kernel, "valid") / width)
    none = np.zeros(values.size, bool)
    cut = _otsu(mean)
    below = mean < cut
    if below.sum() < 1 or below.all():
        return none
    upper, lower = float(np.median(mean[~below])), float(np.median(mean[below]))
    spread = max(robust_sigma(mean[~below]), float(np.median(noise)))
    if upper - lower < 6.0 * spread:
        return none
    return mean < 0.5 * (upper + lower)


def _otsu(values: Floats) -> float:
    """Threshold that best splits values in two groups (Otsu 1979, IEEE SMC 9, 62)."""
    ordered = np.sort(values)
    n = ordered.size
    total = np.cumsum(ordered)
    k = np.arange(1, n)
    between = (total[:-1] * n - total[-1] * k) ** 2 / (k * (n - k))
    best = int(np.argmax(between))
    return 0.5 * float(ordered[best] + ordered[best + 1])
