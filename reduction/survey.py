"""Pass 1: everything that is decided once for the whole recording.

Reference image, stars and their roles, noise, aperture, tracking field. It looks only at a fixed
sample of frames in a fixed order (and at every frame's digest and levels), so pass 2 may run
anywhere, in any order, with any number of workers.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.detect import FWHM_PER_SIGMA, find_stars
from reduction.astrometry.aim import Sky
from reduction.autogain import gain_note
from reduction.capture import Capture
from reduction.caveats import Caveat, Note
from reduction.choice import Known, choose
from reduction.coordinates import Coordinates
from reduction.errors import RequestError
from reduction.extraction import Extraction, notes_of
from reduction.faint import settle_faint
from reduction.guiding import tracking_field
from reduction.neighbours import Crowd, crowd_of
from reduction.noise import Aperture, Noise, StarNoise, gain_from_pairs, least_nuisance, settle
from reduction.phases import pixel_phases
from reduction.places import Settled, settle_places
from reduction.plan import ReductionPlan
from reduction.register import Registered, register, sample_frames
from reduction.roles import Stars, choose_guides, choose_references, gather, predicted_sigma, steady_stars
from reduction.sample import (
    Sample,
    SkyNoise,
    find_saturation,
    growth_curve,
    lone_pixels,
    measure_sample,
    median_level,
    median_of_finite,
    neighbours,
    sky_noise,
    typical_fluxes,
)
from reduction.scan import Progress, Scan
from reduction.sparse_guides import SparseGuides, guides_of, refined_sample
from reduction.tracking import Field
from reduction.view import Geometry, View

Floats = NDArray[np.float64]


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
    aperture: Aperture
    capture: Capture | None  # of this aperture, where pixels are sparse
    extraction: Extraction
    sparse: SparseGuides | None  # guides on recorded pixels, where these are sparse
    sky: tuple[float, float]
    radii: Floats
    growth: Floats
    predicted: Floats
    noise: Noise
    star_noise: StarNoise
    saturation: float
    saturation_source: str
    fwhm: float
    grid_frame: int
    geometry: Geometry
    image: NDArray[np.float32]
    range_px: tuple[float, float]
    rotation_deg: float
    notes: tuple[Note, ...]
    follow: bool = True  # guide stars from frame to frame, within a segment


def survey(
    view: View,
    scan: Scan,
    plan: ReductionPlan,
    progress: Progress | None = None,
    coordinates: Coordinates | None = None,
    where: Sky | None = None,
) -> Survey:
    """Run pass 1.

    Raises
    ------
    RequestError
        The plan's frame does not exist or cannot be placed, or a position lies off the frame.
    DataError
        There are no stars to be found.
    """
    name = view.stack.info.name
    per_frame, frames = view.sampling.per_frame, view.stack.info.frames
    if plan.frame >= frames:
        raise RequestError(f"{name}: --frame {plan.frame}: the recording has frames 0 to {frames - 1}")
    plan_sample = plan.frame * per_frame
    chosen = sample_frames(max(plan.survey_frames // per_frame, 8), scan.repeated[::per_frame])
    index = view.sampling.samples_of(chosen)
    saturation, source = find_saturation(view, index, scan)
    image_saturation = view.saturation_in_images(saturation)
    registered = register(
        view,
        scan,
        index,
        plan_sample,
        plan.max_stars,
        image_saturation,
        coordinates=coordinates,
        roi=plan.roi_px,
    )
    if progress is not None:
        progress("survey", 1, 3)
    given = [p for p in (plan.target, *plan.references, *plan.guides) if p is not None]
    if given and registered.grid_frame != plan_sample:
        raise RequestError(
            f"{name}: frame {plan.frame}, on which the positions are given, cannot be matched to the rest of "
            "the recording; give positions on another frame with --frame N"
        )
    least = view.rounding_variance(median_level(registered.image)) / max(registered.stacked, 1)
    if where is not None:
        plan = where.settled(plan, view, registered, image_saturation, float(np.sqrt(least)))
    found = find_stars(
        registered.image,
        plan.detection_sigma,
        plan.max_stars,
        registered.field.sigma,
        image_saturation,
        least_noise=float(np.sqrt(least)),
    )
    crowd = crowd_of(
        view,
        plan,
        gather(plan, found, view, registered),
        registered,
        max(found.noise, float(np.sqrt(least))),
        image_saturation,
    )
    stars = crowd.stars
    notes: list[Note] = []
    settled = settle_places(view, registered, stars.u, stars.v, saturation)
    for _ in range(0 if view.sampling.lattice is None else 2):
        registered = refined_sample(view, registered, settled)
        settled = settle_places(view, registered, settled.u, settled.v, saturation)
    stars.u, stars.v, sigma = settled.u, settled.v, settled.sigma
    if plan.target is not None and view.sampling.lattice is None:
        target = stars.role.index("target")
        stars.u[target], stars.v[target] = settle_faint(
            view, registered, float(stars.u[target]), float(stars.v[target])
        )
    sky, radii = _apertures(plan, sigma, view.geometry.scale)
    capture = view.sampling.capture(sigma, radii, settled.light)
    between = sky_noise(view, registered, scan.rank)
    sample = measure_sample(view, registered, stars.u, stars.v, radii, sky, capture)
    if progress is not None:
        progress("survey", 2, 3)
    result = _decide(
        plan,
        view,
        registered,
        stars,
        crowd,
        sample,
        radii,
        sky,
        between,
        scan.rank,
        saturation,
        settled,
        capture,
        notes,
    )
    if progress is not None:
        progress("survey", 3, 3)
    changing = gain_note(view, sample, result.references)
    said = result.notes if changing is None else (*result.notes, changing)
    return replace(result, follow=plan.follow, saturation=saturation, saturation_source=source, notes=said)


def _apertures(plan: ReductionPlan, sigma: float, scale: float) -> tuple[tuple[float, float], Floats]:
    """Sky annulus and the radii tried, image pixels; a plan's are those of the full frame."""
    fwhm = FWHM_PER_SIGMA * sigma
    given = None if plan.aperture_px is None else plan.aperture_px / scale
    if given is not None:
        radii = np.array([given])
    else:
        radii = np.round(np.maximum(fwhm * np.linspace(0.5, 2.0, 11), 0.8), 2)
        radii = np.unique(radii)
    if plan.sky_px is not None:
        return (plan.sky_px.inner / scale, plan.sky_px.outer / scale), radii
    return sky_annulus(fwhm, given), radii


def sky_annulus(fwhm: float, aperture: float | None) -> tuple[float, float]:
    """Sky annulus for stars of a width, where nobody chose one: inner and outer radius, pixels.

    Parameters
    ----------
    fwhm : float, pixels
    aperture : float or None
        Radius that was chosen, pixels.
    """
    inner = float(np.ceil(max(2.6 * fwhm, 6.0, (aperture or 0.0) + 2.0)))
    pixels = max(400.0, 4.0 * np.pi * (aperture or 1.5 * fwhm) ** 2)
    return inner, float(np.ceil(np.sqrt(inner**2 + pixels / np.pi)))


def _decide(
    plan: ReductionPlan,
    view: View,
    registered: Registered,
    stars: Stars,
    crowd: Crowd,
    sample: Sample,
    radii: Floats,
    sky: tuple[float, float],
    between: SkyNoise,
    rank: NDArray[np.int64],
    saturation: float,
    settled: Settled,
    capture: Capture | None,
    notes: list[Note],
) -> Survey:
    """Turn measurements into roles, noise, aperture and tracking field."""
    info, sigma = view.stack.info, settled.sigma
    flux = np.where(sample.complete[:, :, None], sample.flux, np.nan)
    whole = sample.complete.mean(axis=0)
    saturated = (sample.peak >= saturation).mean(axis=0) > 0.01
    middle = int(np.argmin(np.abs(radii - 1.2 * FWHM_PER_SIGMA * sigma)))
    count = median_of_finite(sample.sky_count)
    level = median_of_finite(sample.sky)
    target = stars.role.index("target") if "target" in stars.role else -1

    whole_pixels = [view.sampling.aperture(float(r), sigma) for r in radii]
    phases = pixel_phases(registered, rank)
    apertures = [a.where_stars_move(phases.seen) for a in whole_pixels]
    mid = apertures[middle]
    rounding = view.rounding_variance(between.level)
    local = np.maximum(between.at(stars.u, stars.v), rounding)
    fixed = (mid.squares + mid.area**2 / np.maximum(count, 1.0)) * local
    bright = median_of_finite(flux[:, :, middle])
    fit_for_gain = ~saturated & (whole > 0.5) & (bright > 3.0 * np.sqrt(fixed))
    moving = [a.where_stars_move(phases.between) for a in whole_pixels]
    calm, constant = least_nuisance(moving, middle, local, count, bright, fit_for_gain)
    first, second = neighbours(rank[sample.kept], flux[:, :, calm])
    measured = gain_from_pairs(first, second, constant, fit_for_gain, moving[calm].light)
    gain, gain_source = _stated(plan.gain_e_per_adu, info.gain_e_per_adu)
    read, read_source = _stated(plan.read_noise_e, info.read_noise_e)
    noise = settle(
        between.variance,
        between.level,
        rounding,
        gain,
        gain_source,
        read,
        read_source,
        measured,
    )
    star_noise = noise.at(local, np.where(level != 0, level, between.level))
    growth = growth_curve(flux, bright, fixed, saturated)
    steady = typical_fluxes(flux[:, :, middle], target)
    total = steady / growth[middle]
    spread = np.ones(radii.size) if capture is None else capture.spread

    def sigma_at(r: int) -> Floats:
        value = star_noise.flux_variance(total * growth[r], level, count, apertures[r])
        return np.asarray(np.sqrt(np.maximum(spread[r] * value, 1e-12)), np.float64)

    snr = total * growth[middle] / sigma_at(middle)
    hot = lone_pixels(view, registered, stars.u, stars.v)
    steady_ones = steady_stars(target, np.where(hot, 0.0, snr), saturated, whole, flux[:, :, middle]) & ~hot
    steady_ones &= ~crowd.blended
    references = choose_references(stars, target, snr, saturated, whole, steady_ones)
    predicted = np.array(
        [
            predicted_sigma(total * growth[r], sigma_at(r), target, references, growth[r])
            for r in range(radii.size)
        ]
    )
    chosen = int(np.argmin(predicted))
    guides = choose_guides(stars, target, snr, saturated, whole, steady_ones)
    way = choose(
        plan,
        view,
        registered,
        sample,
        Known(
            u=stars.u,
            v=stars.v,
            target=target,
            flux=total,
            snr=snr,
            fit=~saturated & (whole > 0.9) & steady_ones,
            references=references,
            level=level,
            count=count,
            noise=star_noise,
            sky=sky,
            aperture=apertures[chosen],
            aperture_growth=float(growth[chosen]),
            aperture_sigma=float(predicted[chosen]),
            middle=mid,
            middle_index=middle,
            middle_growth=float(growth[middle]),
            groups=crowd.groups,
        ),
    )
    judged = view.saturation_in_images(saturation) if not (saturated & guides).any() else np.inf
    field, rotation, span = tracking_field(view, registered, stars, guides, total, noise, judged, target)
    _note_survey(notes, guides, references, saturated, noise, view, target, field)
    notes.extend(notes_of(way.extraction, stars.u, stars.v, target, view.geometry.scale))
    return Survey(
        field=field,
        u=stars.u,
        v=stars.v,
        flux=way.flux,
        rms=way.rms,
        named=tuple(stars.role),
        guides=guides,
        references=references,
        saturated=saturated,
        aperture=apertures[chosen],
        extraction=way.extraction,
        sky=sky,
        radii=radii,
        growth=growth,
        predicted=predicted,
        noise=noise,
        star_noise=star_noise,
        saturation=saturation,
        saturation_source="",
        fwhm=FWHM_PER_SIGMA * sigma,
        capture=None if capture is None else capture.of(chosen),
        sparse=guides_of(view.sampling, settled, guides, noise.variance, noise.inv_gain, field.rotate),
        grid_frame=registered.grid_frame,
        geometry=view.geometry,
        image=registered.image,
        range_px=span,
        rotation_deg=rotation,
        notes=tuple(notes),
    )


def _stated(option: float | None, header: float | None) -> tuple[float | None, str]:
    if option is not None:
        return option, "option"
    return header, "header" if header is not None else "unknown"


def _note_survey(
    notes: list[Note],
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
        notes.append(Note(Caveat.ONE_GUIDE, "One guide star only: where it fails, the place is held."))
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
    if view.geometry.layout != "mono" and view.sampling.channel == "L":
        notes.append(
            Note(Caveat.COLOUR_UNCALIBRATED, "Colour samples are summed to luminance without white balance.")
        )
    if field.rotate:
        notes.append(
            Note(Caveat.FIELD_ROTATES, "The field rotates; positions follow a shift and a rotation.")
        )
