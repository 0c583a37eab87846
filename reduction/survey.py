"""Pass 1: everything that is decided once for the whole recording.

Reference image, stars and their roles, noise, aperture, tracking field. It looks only at a fixed
sample of frames in a fixed order (and at every frame's digest and levels), so pass 2 may run
anywhere, in any order, with any number of workers.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.detect import FWHM_PER_SIGMA, Detections, find_stars
from gpu_kernels.photometry import StarStatus, measure
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError
from reduction.noise import Noise, gain_from_pairs, pair_variance, settle
from reduction.plan import Position, ReductionPlan
from reduction.register import Registered, each_image, register, sample_frames
from reduction.scan import Progress, Scan, saturation_level
from reduction.tracking import Field
from reduction.view import Geometry, View

Floats = NDArray[np.float64]
SNAP_PX = 3.0
LEAST_REFERENCE_SNR = 3.0
MOST_REFERENCES = 8
MOST_GUIDES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What pass 1 decided; all that pass 2 needs besides the pixels. Picklable.

    Star arrays are ``(n_star,)`` in image pixels of the grid; star 0 is the target where one is given.
    """

    field: Field
    u: Floats
    v: Floats
    flux: Floats
    rms: Floats  # predicted sigma of one sample, ADU
    named: tuple[str, ...]  # "target", "reference", "guide", "star"
    guides: NDArray[np.bool_]
    references: NDArray[np.bool_]
    saturated: NDArray[np.bool_]
    radius: float
    sky: tuple[float, float]
    radii: Floats
    growth: Floats
    predicted: Floats
    noise: Noise
    saturation: float
    saturation_source: str
    fwhm: float
    grid_frame: int
    geometry: Geometry
    image: NDArray[np.float32]
    range_px: tuple[float, float]
    rotation_deg: float
    notes: tuple[Note, ...]


@dataclass(slots=True, eq=False)
class _Stars:
    u: Floats
    v: Floats
    role: list[str]
    guide: list[bool]


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Measurements of all stars at all radii on the placed sample frames."""

    kept: NDArray[np.int64]  # frame numbers
    flux: Floats  # (k, s, r)
    sky: Floats  # (k, s)
    sky_count: Floats
    peak: Floats  # (k, s) largest raw sample near the star
    complete: NDArray[np.bool_]  # (k, s) on the frame at the largest radius


def survey(view: View, scan: Scan, plan: ReductionPlan, progress: Progress | None = None) -> Survey:
    """Run pass 1.

    Raises
    ------
    RequestError
        The plan's frame does not exist or cannot be placed, or a position lies off the frame.
    DataError
        There are no stars to be found.
    """
    name = view.stack.info.name
    if plan.frame >= view.frames:
        raise RequestError(f"{name}: --frame {plan.frame}: the recording has frames 0 to {view.frames - 1}")
    index = sample_frames(view.frames, plan.survey_frames, scan.repeated)
    saturation, source = _saturation(view, index, scan)
    image_saturation = saturation if view.direct else np.inf
    registered = register(view, scan, index, plan.frame, plan.max_stars, image_saturation)
    if progress is not None:
        progress("survey", 1, 3)
    given = [p for p in (plan.target, *plan.references, *plan.guides) if p is not None]
    if given and registered.grid_frame != plan.frame:
        raise RequestError(
            f"{name}: frame {plan.frame}, on which the positions are given, cannot be matched to the rest of "
            "the recording; give positions on another frame with --frame N"
        )
    found = find_stars(
        registered.image, plan.detection_sigma, plan.max_stars, registered.field.sigma, image_saturation
    )
    stars = _gather(plan, found, view, registered)
    notes: list[Note] = []
    sky, radii = _apertures(plan, registered.field.sigma)
    variance, level = _sky_noise(view, registered)
    sample = _measure_sample(view, registered, stars, radii, sky)
    if progress is not None:
        progress("survey", 2, 3)
    result = _decide(plan, view, registered, stars, sample, radii, sky, (variance, level), saturation, notes)
    if progress is not None:
        progress("survey", 3, 3)
    return replace(result, saturation=saturation, saturation_source=source)


def _saturation(view: View, index: NDArray[np.int64], scan: Scan) -> tuple[float, str]:
    """Saturation level of the raw samples."""
    info = view.stack.info
    chosen = index[np.unique(np.round(np.linspace(0, index.size - 1, 24)).astype(int))]
    frames = [view.stack.read(int(i), int(i) + 1).ravel() for i in chosen]
    finite = scan.highest[np.isfinite(scan.highest)]
    highest = float(finite.max()) if finite.size else float("nan")
    top = [f[f >= 0.9 * highest] for f in frames] if highest > 0 else []
    samples = np.concatenate(top) if top else np.empty(0)
    return saturation_level(samples, highest, info.bit_depth, np.dtype(info.dtype))


def _gather(plan: ReductionPlan, found: Detections, view: View, registered: Registered) -> _Stars:
    """All stars to measure: those of the plan first, then what else was found."""
    geometry = view.geometry
    taken = np.zeros(len(found), bool)
    u: list[float] = []
    v: list[float] = []
    role: list[str] = []
    guide: list[bool] = []

    def add(position: Position, what: str) -> None:
        x, y = geometry.to_image(position.x), geometry.to_image(position.y)
        if not (-0.5 <= x <= geometry.width - 0.5 and -0.5 <= y <= geometry.height - 0.5):
            raise RequestError(
                f"{what} at {position.x:g},{position.y:g} lies off the frame of "
                f"{view.stack.info.width} x {view.stack.info.height} pixels"
            )
        distance = np.hypot(found.x - x, found.y - y) if len(found) else np.empty(0)
        near = int(np.argmin(distance)) if distance.size else -1
        if near >= 0 and distance[near] <= SNAP_PX / geometry.scale:
            x, y = float(found.x[near]), float(found.y[near])
            for k in range(len(u)):
                if abs(u[k] - x) < 1e-9 and abs(v[k] - y) < 1e-9:
                    if what == "guide":
                        guide[k] = True
                        return
                    raise RequestError(
                        f"{what} at {position.x:g},{position.y:g} is the same star as the {role[k]}; "
                        "give another one"
                    )
            taken[near] = True
        u.append(x)
        v.append(y)
        role.append(what)
        guide.append(what == "guide")

    if plan.target is not None:
        add(plan.target, "target")
    for position in plan.references:
        add(position, "reference")
    for position in plan.guides:
        add(position, "guide")
    rest = np.flatnonzero(~taken)[: max(plan.max_stars - len(u), 0)]
    u.extend(found.x[rest].tolist())
    v.extend(found.y[rest].tolist())
    role.extend(["star"] * rest.size)
    guide.extend([False] * rest.size)
    if not u:  # nothing in the stacked image: the seed frame's stars are still stars
        u.extend(registered.field.u.tolist())
        v.extend(registered.field.v.tolist())
        role.extend(["star"] * registered.field.u.size)
        guide.extend([False] * registered.field.u.size)
    return _Stars(np.array(u), np.array(v), role, guide)


def _apertures(plan: ReductionPlan, sigma: float) -> tuple[tuple[float, float], Floats]:
    """Sky annulus and the radii tried, pixels; all in image pixels."""
    fwhm = FWHM_PER_SIGMA * sigma
    if plan.aperture_px is not None:
        radii = np.array([plan.aperture_px])
    else:
        radii = np.round(np.maximum(fwhm * np.linspace(0.5, 2.0, 11), 0.8), 2)
        radii = np.unique(radii)
    if plan.sky_px is not None:
        return (plan.sky_px.inner, plan.sky_px.outer), radii
    inner = float(np.ceil(max(2.6 * fwhm, 6.0, (plan.aperture_px or 0.0) + 2.0)))
    pixels = max(400.0, 6.0 * np.pi * (plan.aperture_px or 1.5 * fwhm) ** 2)
    return (inner, float(np.ceil(np.sqrt(inner**2 + pixels / np.pi)))), radii


def _sky_noise(view: View, registered: Registered) -> tuple[float, float]:
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


def _measure_sample(
    view: View, registered: Registered, stars: _Stars, radii: Floats, sky: tuple[float, float]
) -> _Sample:
    """Measure all stars at all radii on every placed sample frame."""
    kept, flux, level, count, peak, complete = [], [], [], [], [], []
    for k, image, raw in each_image(view, registered.index):
        placement = registered.placements[k]
        if not placement.found:
            continue
        x, y = placement.transform.apply(stars.u, stars.v)
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
    return _Sample(
        np.array(kept, np.int64),
        np.array(flux),
        np.array(level),
        np.array(count),
        np.array(peak),
        np.array(complete, bool),
    )


def _decide(
    plan: ReductionPlan,
    view: View,
    registered: Registered,
    stars: _Stars,
    sample: _Sample,
    radii: Floats,
    sky: tuple[float, float],
    sky_noise: tuple[float, float],
    saturation: float,
    notes: list[Note],
) -> Survey:
    """Turn measurements into roles, noise, aperture and tracking field."""
    info = view.stack.info
    flux = np.where(sample.complete[:, :, None], sample.flux, np.nan)
    whole = sample.complete.mean(axis=0)
    saturated = (sample.peak >= saturation).mean(axis=0) > 0.01
    middle = int(np.argmin(np.abs(radii - 1.2 * FWHM_PER_SIGMA * registered.field.sigma)))
    count = _median(sample.sky_count)
    level = _median(sample.sky)
    target = stars.role.index("target") if "target" in stars.role else -1

    area = np.pi * radii**2
    fixed = (area[middle] + area[middle] ** 2 / np.maximum(count, 1.0)) * sky_noise[0]
    bright = _median(flux[:, :, middle])
    fit_for_gain = ~saturated & (whole > 0.5) & (bright > 3.0 * np.sqrt(fixed))
    first, second = _pairs(sample.kept, flux[:, :, middle])
    measured = gain_from_pairs(first, second, fixed, fit_for_gain)
    gain, gain_source = _stated(plan.gain_e_per_adu, info.gain_e_per_adu)
    read, read_source = _stated(plan.read_noise_e, info.read_noise_e)
    noise = settle(
        sky_noise[0], sky_noise[1], np.dtype(info.dtype).kind, gain, gain_source, read, read_source, measured
    )
    growth = _growth(flux, bright, fixed, saturated)
    steady = _baseline(flux[:, :, middle], target)
    total = steady / growth[middle]

    def sigma_at(r: int) -> Floats:
        value = noise.flux_variance(total * growth[r], level, np.full(total.shape, area[r]), count)
        return np.sqrt(np.maximum(value, 1e-12))

    snr = total * growth[middle] / sigma_at(middle)
    references = _choose_references(stars, target, snr, saturated, whole, flux[:, :, middle])
    predicted = np.array(
        [_predict(total * growth[r], sigma_at(r), target, references, growth[r]) for r in range(radii.size)]
    )
    chosen = int(np.argmin(predicted))
    guides = _choose_guides(stars, target, snr, saturated, whole)
    field, rotation, span = _tracking_field(view, registered, stars, guides, total, noise, saturation, target)
    _note_survey(notes, stars, guides, references, saturated, noise, view, target, field)
    return Survey(
        field=field,
        u=stars.u,
        v=stars.v,
        flux=total * growth[chosen],
        rms=sigma_at(chosen),
        named=tuple(stars.role),
        guides=guides,
        references=references,
        saturated=saturated,
        radius=float(radii[chosen]),
        sky=sky,
        radii=radii,
        growth=growth,
        predicted=predicted,
        noise=noise,
        saturation=saturation,
        saturation_source="",
        fwhm=FWHM_PER_SIGMA * registered.field.sigma,
        grid_frame=registered.grid_frame,
        geometry=view.geometry,
        image=registered.image,
        range_px=span,
        rotation_deg=rotation,
        notes=tuple(notes),
    )


def _median(values: Floats) -> Floats:
    """Median over frames of what is finite; 0 where nothing is."""
    out = np.zeros(values.shape[1:])
    for s in np.ndindex(out.shape):
        column = values[(slice(None), *s)]
        good = column[np.isfinite(column)]
        if good.size:
            out[s] = np.median(good)
    return out


def _stated(option: float | None, header: float | None) -> tuple[float | None, str]:
    if option is not None:
        return option, "option"
    return header, "header" if header is not None else "unknown"


def _pairs(kept: NDArray[np.int64], flux: Floats) -> tuple[Floats, Floats]:
    """Fluxes on neighbouring frames."""
    at = np.flatnonzero(np.diff(kept) == 1)
    return flux[at], flux[at + 1]


def _growth(flux: Floats, bright: Floats, fixed: Floats, saturated: NDArray[np.bool_]) -> Floats:
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


def _baseline(flux: Floats, target: int) -> Floats:
    """Typical flux of each star; for the target, which may vanish, that of its brighter part."""
    typical = _median(flux)
    if target >= 0:
        own = flux[:, target]
        own = own[np.isfinite(own)]
        if own.size:
            typical[target] = float(np.percentile(own, 75.0))
    return typical


def _choose_references(
    stars: _Stars,
    target: int,
    snr: Floats,
    saturated: NDArray[np.bool_],
    whole: Floats,
    flux: Floats,
) -> NDArray[np.bool_]:
    """References: those of the plan, or bright, unsaturated, steady stars clear of the edges."""
    named = np.array([r == "reference" for r in stars.role])
    if named.any():
        return named
    able = np.arange(len(stars.role)) != target
    good = able & ~saturated & (whole > 0.98) & (snr > LEAST_REFERENCE_SNR)
    if not good.any():
        good = able & (whole > 0.5) & (snr > LEAST_REFERENCE_SNR)
    ranked = [int(s) for s in np.argsort(-snr, kind="stable") if good[s]]
    steady = _steady(ranked, flux)
    out = np.zeros(len(stars.role), bool)
    out[steady[:MOST_REFERENCES]] = True
    return out


def _steady(ranked: list[int], flux: Floats) -> list[int]:
    """Leave out stars that vary against the sum of the others three times more than most do."""
    if len(ranked) < 4:
        return ranked
    curves = flux[:, ranked]
    total = np.nansum(curves, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = curves / (total[:, None] - curves)
    spread = np.empty(len(ranked))
    for k in range(len(ranked)):
        good = ratio[np.isfinite(ratio[:, k]), k]
        middle = np.median(good) if good.size else 0.0
        half = good.size // 2
        slow = abs(np.median(good[:half]) - np.median(good[half:])) if half >= 4 else 0.0
        spread[k] = slow / middle if middle > 0 else np.inf
    noise = np.array([1.4826 * np.nanmedian(np.abs(np.diff(ratio[:, k]))) for k in range(len(ranked))])
    level = np.nanmedian(ratio, axis=0)
    limit = np.maximum(0.1, 3.0 * noise / np.where(level > 0, level, np.inf))
    kept = [s for k, s in enumerate(ranked) if spread[k] <= limit[k]]
    return kept or ranked


def _predict(flux: Floats, sigma: Floats, target: int, references: NDArray[np.bool_], growth: float) -> float:
    """Predicted relative sigma of the target's normalised flux at one radius."""
    weight = np.where(references & (flux > 0), (flux / sigma) ** 2, 0.0)
    reference = 1.0 / weight.sum() if weight.sum() > 0 else 0.0
    if target < 0:
        return float(np.sqrt(reference)) if reference else float(np.median(sigma) / growth)
    if flux[target] <= sigma[target]:
        return float(sigma[target] / growth) * 1e6
    return float(np.sqrt((sigma[target] / flux[target]) ** 2 + reference))


def _choose_guides(
    stars: _Stars, target: int, snr: Floats, saturated: NDArray[np.bool_], whole: Floats
) -> NDArray[np.bool_]:
    """Guides: those of the plan, or the brightest unsaturated stars; the target only where it is alone."""
    if any(stars.guide):
        return np.array(stars.guide)
    out = np.zeros(len(stars.role), bool)
    others = np.arange(len(stars.role)) != target
    for good in (others & ~saturated & (whole > 0.5), others & (whole > 0.2), np.ones(len(stars.role), bool)):
        ranked = [int(s) for s in np.argsort(-snr, kind="stable") if good[s] and snr[s] > 5.0]
        if ranked:
            out[ranked[:MOST_GUIDES]] = True
            return out
    out[int(np.argmax(snr))] = True
    return out


def _tracking_field(
    view: View,
    registered: Registered,
    stars: _Stars,
    guides: NDArray[np.bool_],
    total: Floats,
    noise: Noise,
    saturation: float,
    target: int,
) -> tuple[Field, float, tuple[float, float]]:
    """Guide field of pass 2, the largest rotation seen, and the range of the shifts."""
    u, v = stars.u[guides], stars.v[guides]
    found = [p for p in registered.placements if p.found]
    frames = np.array([registered.index[k] for k, p in enumerate(registered.placements) if p.found], float)
    middle_x, middle_y = view.geometry.width / 2.0, view.geometry.height / 2.0
    places = np.array([p.transform.apply(np.array([middle_x]), np.array([middle_y])) for p in found]).reshape(
        -1, 2
    )
    span = tuple(float(np.ptp(places[:, k])) * view.geometry.scale if len(found) else 0.0 for k in (0, 1))
    angles = np.array([p.transform.rotation_deg for p in found])
    lever = 0.5 * float(np.hypot(view.geometry.height, view.geometry.width))
    turns = False
    if len(found) >= 2 and guides.sum() >= 2:
        smooth = np.convolve(angles, np.ones(9) / 9.0, "valid") if angles.size >= 18 else angles
        extent = float(np.radians(np.ptp(smooth))) * lever
        scatter = 1.4826 * float(np.median(np.abs(np.diff(angles)))) / np.sqrt(2.0)
        error = float(np.radians(scatter)) * lever / (3.0 if angles.size >= 18 else 1.0)
        turns = extent > 0.15 and (extent > 6.0 * error or angles.size < 18)
    keep_saturation = saturation if view.direct else np.inf
    field = Field(
        u=u,
        v=v,
        flux=total[guides],
        all_u=stars.u,
        all_v=stars.v,
        all_flux=total,
        sigma=registered.field.sigma,
        variance=noise.variance,
        inv_gain=noise.inv_gain,
        saturation=keep_saturation,
        shape=registered.field.shape,
        rotate=turns,
        prior_frame=np.empty(0),
        prior_deg=np.empty(0),
        target=(float(stars.u[target]), float(stars.v[target])) if target >= 0 else None,
    )
    largest = float(np.max(np.abs(angles))) if angles.size and turns else 0.0
    if turns and largest > 0.3:
        field = field.with_prior(frames, angles)
    return field, largest, (span[0], span[1])


def _note_survey(
    notes: list[Note],
    stars: _Stars,
    guides: NDArray[np.bool_],
    references: NDArray[np.bool_],
    saturated: NDArray[np.bool_],
    noise: Noise,
    view: View,
    target: int,
    field: Field,
) -> None:
    """Caveats that pass 1 already knows."""
    if guides.sum() == 1:
        notes.append(Note(Caveat.ONE_GUIDE, "One guide star only: a frame on which it fails is lost."))
    if references.sum() == 0:
        notes.append(
            Note(Caveat.NO_REFERENCE, "No reference star is bright enough: clouds cannot be divided out.")
        )
    elif references.sum() == 1 and target >= 0:
        notes.append(Note(Caveat.ONE_REFERENCE, "One reference star only: its noise adds to the ratio."))
    if (saturated & references).any():
        notes.append(Note(Caveat.REFERENCE_SATURATED, "A reference star is saturated on some frames."))
    uncertain = noise.inv_gain <= 0 or noise.inv_gain_sigma > 0.3 * noise.inv_gain
    if noise.gain_source not in {"option", "header"} and uncertain:
        notes.append(
            Note(
                Caveat.GAIN_UNCERTAIN,
                "The gain is poorly known (stars too faint or frames too few); sigmas rest on the sky's "
                "noise. State it with --gain.",
            )
        )
    if view.geometry.layout != "mono":
        notes.append(
            Note(Caveat.COLOUR_UNCALIBRATED, "Colour samples are summed to luminance without white balance.")
        )
    if field.rotate:
        notes.append(
            Note(Caveat.FIELD_ROTATES, "The field rotates; positions follow a shift and a rotation.")
        )
    if target >= 0:
        reach = 2.5 * field.sigma * FWHM_PER_SIGMA
        distance = np.hypot(stars.u - stars.u[target], stars.v - stars.v[target])
        near = [k for k in range(len(stars.role)) if k != target and distance[k] < reach]
        if near:
            closest = min(distance[k] for k in near) * view.geometry.scale
            notes.append(
                Note(
                    Caveat.CROWDED,
                    f"A neighbour lies {closest:.1f} px from the target; its light may leak in.",
                )
            )
