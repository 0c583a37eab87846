"""Pass 1: which way of taking fluxes promises the least error of the target."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.photometry import StarMeasurements, StarStatus
from gpu_kernels.stacking import cutouts
from reduction.errors import RequestError
from reduction.extraction import Extraction, Kind, by_aperture, named, take, weights_of
from reduction.noise import Aperture, StarNoise
from reduction.plan import ReductionPlan
from reduction.profile import Boxes, profile_of, seeing_of, width_of
from reduction.register import Registered
from reduction.roles import predicted_sigma
from reduction.sample import Sample, typical_fluxes
from reduction.sampling import Measured
from reduction.skylevel import shared_sky
from reduction.sweep import each_image
from reduction.view import View

Floats = NDArray[np.float64]

FWHM_RADII = (1.0, 1.3, 1.7, 2.2)
"""Radii of the weights that are weighed, FWHM."""
SOFTENINGS = (0.0, 0.3, 1.0, 3.0)
"""How strongly bright pixels may count less, over what suits the target's flux."""
WORTH = 0.99
"""Predicted sigma, over that of the best circle, below which other weights are worth it."""
UNSTEADY = 0.05
"""Relative spread of the seeing from which each frame's own width is used."""
SHAPE_PIXELS = 24_000
SHAPE_STARS = 6
JUDGES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What pass 1 knows of the stars when it chooses: arrays ``(n_star,)``."""

    u: Floats
    v: Floats
    target: int
    flux: Floats  # whole, ADU, by apertures
    snr: Floats
    fit: NDArray[np.bool_]  # unsaturated, on the frame, steady
    references: NDArray[np.bool_]
    level: Floats  # sky
    count: Floats
    noise: StarNoise
    sky: tuple[float, float]
    aperture: Aperture  # the best one
    aperture_growth: float
    aperture_sigma: float  # predicted, of the target's normalised flux
    middle: Aperture  # that of `Sample.flux` at `middle_index`
    middle_index: int
    middle_growth: float
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The extraction, and each star's typical flux and predicted sigma by it, ADU."""

    extraction: Extraction
    flux: Floats
    rms: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """An extraction tried on the sample frames: fluxes and variances ``(k, s)`` in the order of `Sample`."""

    extraction: Extraction
    flux: Floats
    variance: Floats

    def chosen(self, known: Known) -> Chosen:
        """Typical fluxes and sigmas of all stars."""
        rms = np.sqrt(known.noise.flux_variance(known.flux, known.level, known.count, known.aperture))
        for s in range(rms.size):
            good = np.isfinite(self.variance[:, s])
            if good.any():
                rms[s] = np.sqrt(np.median(self.variance[good, s]))
        return Chosen(self.extraction, typical_fluxes(self.flux, known.target), rms)


def choose(plan: ReductionPlan, view: View, registered: Registered, sample: Sample, known: Known) -> Chosen:
    """Choose how fluxes are taken: as the plan says, or by the target's predicted sigma.

    Neighbours fitted along come first, since their light would be a bias and no noise. Else the profile's
    weights are compared with the best circle: what decides is sky, read and photon noise of target and
    references under either, and for the weights what they do to bright stars beyond that (`mismatch`),
    which a profile that does not quite fit betrays. The target's own scatter is never looked at.
    """
    plain = by_aperture(known.aperture, known.sky, plan.sky_estimate, known.u.size, registered.field.sigma)
    flux = known.flux * known.aperture_growth
    rms = np.sqrt(
        np.maximum(known.noise.flux_variance(flux, known.level, known.count, known.aperture), 1e-12)
    )
    circle = Chosen(replace(plain, predicted={"aperture": known.aperture_sigma}), flux, rms)
    if view.sampling.lattice is not None:
        return _sparse(plan, view, circle)
    if plan.extract == "aperture":
        return _because(circle, "aperture", "as asked")
    if plan.extract == "auto" and plan.aperture_px is not None:
        return _because(circle, "aperture", "the aperture's radius was given")
    if plan.extract == "mask":
        return _try(view, registered, sample, known, named(circle.extraction, "mask", "as asked")).chosen(
            known
        )
    crowded = plan.extract == "auto" and known.groups.size > 0
    kind: Kind = "psf" if plan.extract == "psf" or crowded else "optimal"
    weighted = named(_shaped(view, registered, sample, known, plain), kind, "as asked")
    trial = _try(view, registered, sample, known, weighted)
    found = trial.chosen(known)
    both: dict[str, float] = {"aperture": known.aperture_sigma}
    both[kind] = _predicted(trial, found, sample, known)
    found, circle = _with(found, both), _with(circle, both)
    return found if plan.extract != "auto" else _better(found, circle, both)


def _sparse(plan: ReductionPlan, view: View, circle: Chosen) -> Chosen:
    """Circles, the only way on pixels that do not cover the sky.

    Raises
    ------
    RequestError
        The plan asks for another way.
    """
    name, what = view.stack.info.name, "fields" if view.sampling.layout != "mosaic" else "a colour mosaic"
    if plan.extract not in {"auto", "aperture"}:
        raise RequestError(
            f"{name}: --extract {plan.extract}: pixels of {what} do not cover the sky; use --extract aperture"
        )
    if plan.sky_estimate != "mean":
        raise RequestError(
            f"{name}: --sky-estimate {plan.sky_estimate}: of {what} only the mean is taken; use mean"
        )
    return _because(circle, "aperture", f"pixels of {what} do not cover the sky")


def _better(found: Chosen, circle: Chosen, predicted: dict[str, float]) -> Chosen:
    """The fit of neighbours where there are any; else the circle, unless weights are worth it."""
    kind = found.extraction.kind
    if kind == "psf":
        return _because(found, kind, "a neighbour lies within 2.5 FWHM of the target and is fitted along")
    gain = predicted[kind] / predicted["aperture"]
    if gain < WORTH:
        return _because(found, kind, f"predicted sigma {gain:.3f} of that of the best circle")
    return _because(circle, "aperture", f"weights by the profile promise {gain:.3f} of its predicted sigma")


def _predicted(trial: _Trial, found: Chosen, sample: Sample, known: Known) -> float:
    """Predicted relative sigma of the target's normalised flux by what was tried."""
    total = found.flux.copy()
    if known.target >= 0 and trial.extraction.kind != "psf":
        total[known.target] = known.flux[known.target] * _throughput(trial, sample, known)
    noise = predicted_sigma(total, found.rms, known.target, known.references, 1.0)
    return float(np.hypot(noise, _mismatch(trial, sample, known)))


def _with(chosen: Chosen, predicted: dict[str, float]) -> Chosen:
    return replace(chosen, extraction=replace(chosen.extraction, predicted=predicted))


def _because(chosen: Chosen, kind: Kind, reason: str) -> Chosen:
    return replace(chosen, extraction=named(chosen.extraction, kind, reason))


def _shaped(
    view: View, registered: Registered, sample: Sample, known: Known, plain: Extraction
) -> Extraction:
    """The profile, the frames' widths where they change, and the weights of least predicted sigma."""
    sigma = registered.field.sigma
    order = [int(s) for s in np.argsort(-known.snr, kind="stable") if known.fit[s] and known.snr[s] > 5.0]
    crowd = set(known.groups[known.groups >= 0].tolist())
    alone = [s for s in order if s not in crowd][:SHAPE_STARS]
    profile, spread = plain.profile, 0.0
    if alone:
        reach = 5.2 * sigma
        boxes, frame = _boxes(view, registered, sample, known, alone, reach)
        if boxes.x.size:
            profile = profile_of(boxes, sigma, reach)
            seeing = seeing_of(boxes, frame, profile, 1.5 * profile.fwhm)
            if seeing.spread > UNSTEADY:
                spread = seeing.spread
                profile = profile_of(boxes, width_of(profile), reach, seeing.factor)
    steady = [s for s in alone if s != known.target] or alone
    guides = np.array(steady[:JUDGES] if spread else [], np.intp)
    groups = known.groups
    if groups.size == 0 and known.target >= 0:
        groups = np.array([[known.target]], np.int64)
    shared = plain.shared
    if plain.sky_estimate == "mean":
        shared = shared_sky(sample.sky, sample.sky_count, known.noise.pixel_variance(sample.sky))
    shaped = replace(plain, profile=profile, spread=spread, guides=guides, groups=groups, shared=shared)
    return _least(shaped, known)


def _boxes(
    view: View, registered: Registered, sample: Sample, known: Known, stars: list[int], reach: float
) -> tuple[Boxes, NDArray[np.int64]]:
    """Cut-outs of stars on sample frames, evenly spread, and the frame of each."""
    half = int(np.ceil(reach)) + 1
    side = 2 * half + 1
    wanted = max(8, SHAPE_PIXELS // (side * side * len(stars)))
    index = registered.index
    row_of = {int(frame): k for k, frame in enumerate(sample.kept)}
    rows = np.unique(np.round(np.linspace(0, sample.kept.size - 1, wanted)).astype(np.int64))
    frames = {int(f) for f in sample.kept[rows]}
    at = np.array([k for k, frame in enumerate(index) if int(frame) in frames], np.int64)
    values, places, variances, which = [], [], [], []
    for j, image, _ in each_image(view, index[at]):
        k = int(at[j])
        x, y = registered.placements[k].transform.apply(known.u[stars], known.v[stars])
        cut, left, top = cutouts(np.ascontiguousarray(image)[None], x[None], y[None], (side, side))
        level = sample.sky[row_of[int(index[k])]][stars]
        good = np.isfinite(cut[0]).all(axis=(1, 2)) & np.isfinite(level)
        values.append(cut[0][good].astype(np.float64) - level[good, None, None])
        places.append(np.stack([x - left[0], y - top[0]])[:, good])
        variances.append(known.noise.pixel_variance(sample.sky[row_of[int(index[k])]])[stars][good])
        which.append(np.full(int(good.sum()), k))
    x, y = np.concatenate(places, axis=1)
    boxes = Boxes(np.concatenate(values), x, y, np.concatenate(variances), known.noise.inv_gain)
    return boxes, np.concatenate(which).astype(np.int64)


def _least(shaped: Extraction, known: Known) -> Extraction:
    """Radius and softening of least predicted sigma."""
    fwhm = shaped.profile.fwhm
    pixel = known.noise.pixel_variance(known.level)
    count = shaped.shared.at(known.level[None], known.count[None], pixel[None])[1][0]
    own = known.target if known.target >= 0 else int(np.argmax(np.where(known.references, known.snr, 0.0)))
    natural = max(float(known.flux[own]), 0.0) * known.noise.inv_gain / float(pixel[own])
    best: tuple[float, float, float] | None = None
    for radius in (max(f * fwhm, 1.5) for f in FWHM_RADII):
        for softening in (natural * f for f in SOFTENINGS):
            weights = weights_of(shaped.profile, radius, softening)
            variance = weights.variance(known.flux, pixel, count, known.noise.inv_gain)
            sigma = np.sqrt(np.maximum(variance, 1e-12))
            value = predicted_sigma(known.flux, sigma, known.target, known.references, 1.0)
            if best is None or value < best[0] * (1.0 - 1e-3):
                best = value, radius, softening
    assert best is not None
    return replace(shaped, radius=best[1], softening=best[2])


def _try(view: View, registered: Registered, sample: Sample, known: Known, extraction: Extraction) -> _Trial:
    """Take all stars' fluxes on the placed sample frames, whose skies are known."""
    placed = np.array([k for k, p in enumerate(registered.placements) if p.found], np.int64)
    flux, variance = [], []
    for j, image, _ in each_image(view, registered.index[placed]):
        x, y = registered.placements[int(placed[j])].transform.apply(known.u, known.v)
        measured = _skies(sample, j)
        taken = take(extraction, np.ascontiguousarray(image)[None], x[None], y[None], measured, known.noise)
        flux.append(taken.flux[0])
        variance.append(taken.variance[0])
    return _Trial(extraction, np.array(flux), np.array(variance))


def _skies(sample: Sample, row: int) -> Measured:
    """What `take` asks of a measurement when it takes no sums of circles: the sky."""
    sky, count = sample.sky[row : row + 1], sample.sky_count[row : row + 1]
    none = np.full((*sky.shape, 1), np.nan)
    status = np.where(np.isfinite(sky), 0, StarStatus.NO_SKY.value).astype(np.uint32)[..., None]
    seen = StarMeasurements(none, none, sky, np.full(sky.shape, np.nan), count.astype(np.int64), none, status)
    return Measured(seen, np.ones(none.shape))


def _judges(known: Known) -> list[int]:
    """Bright stars, the target not among them, by which weights are held against circles."""
    crowd = set(known.groups[known.groups >= 0].tolist()) | {known.target}
    able = [int(s) for s in np.argsort(-known.snr, kind="stable") if known.fit[s] and known.snr[s] > 20.0]
    return [s for s in able if s not in crowd][:JUDGES]


def _throughput(trial: _Trial, sample: Sample, known: Known) -> float:
    """Flux by the weights over the whole flux by circles, of the bright stars."""
    judges = _judges(known)
    circle = sample.flux[:, judges, known.middle_index] / known.middle_growth
    with np.errstate(divide="ignore", invalid="ignore"):
        part = trial.flux[:, judges] / circle
    good = part[np.isfinite(part)]
    return float(np.median(good)) if good.size else 1.0


def _mismatch(trial: _Trial, sample: Sample, known: Known) -> float:
    """Relative error that the weights add to bright stars beyond noise: what a wrong profile does.

    The flux by weights over that by a circle, each over its middle and over what all stars of the frame
    share (which the ratio of two stars does not see), scatters by ``var(circle) - var(weights)`` where
    the weights are the best ones (the better of two estimates is uncorrelated with their difference);
    only what is beyond that by three errors counts.
    """
    judges = _judges(known)
    if len(judges) < 2:
        return 0.0
    circle, ours = sample.flux[:, judges, known.middle_index], trial.flux[:, judges]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = ours / circle
        good = np.isfinite(part).all(axis=1) & (part > 0).all(axis=1)
    if good.sum() < 20:
        return 0.0
    part = np.log(part[good] / np.median(part[good], axis=0))
    weight = known.snr[judges] ** 2
    part -= (part * weight).sum(axis=1, keepdims=True) / weight.sum()
    seen = (1.4826 * np.median(np.abs(part), axis=0)) ** 2 / np.maximum(1.0 - weight / weight.sum(), 0.1)
    pixel = known.noise.pixel_variance(known.level)[judges]
    level = known.middle.squares + known.middle.area**2 / np.maximum(known.count[judges], 1.0)
    light = np.median(circle[good], axis=0)
    by_circle = (light * known.noise.inv_gain * known.middle.light + level * pixel) / light**2
    by_circle += known.middle.phase**2
    by_weights = np.median(trial.variance[:, judges][good], axis=0) / np.median(ours[good], axis=0) ** 2
    expected = np.maximum(by_circle - by_weights, 0.05 * by_circle)
    beyond = seen - expected * (1.0 + 3.0 * np.sqrt(2.0 / good.sum()))
    return float(np.sqrt(max(float(np.median(beyond)), 0.0)))
