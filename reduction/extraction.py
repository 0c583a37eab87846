"""How fluxes are taken from images: the choice of weights in pass 1, and the call that takes them in both."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.beforehand import wait_for
from gpu_kernels.calibrate import Development
from gpu_kernels.device import to_host
from gpu_kernels.extraction import (
    Profile,
    dynamic_mask_sums,
    fit_groups,
    frame_widths,
    gaussian,
    optimal_sums,
)
from gpu_kernels.photometry import StarStatus
from gpu_kernels.sky import EFFICIENCY, Estimate, sky_levels
from gpu_kernels.stacking import cutouts
from reduction.caveats import Caveat, Note
from reduction.noise import Aperture, StarNoise
from reduction.sampling import Measured
from reduction.skylevel import SharedSky, alone

Floats = NDArray[np.float64]
Kind = Literal["aperture", "optimal", "mask", "psf"]

LEAST_SHARE = 0.98
"""Part of a star's weighted light that must fall on pixels that are there."""

BLOB_SIGMA = 4.0
"""Threshold of a dynamic mask, in sigma of the smoothed image."""

NEAR_FWHM = 2.5
"""Distance from the target, FWHM, within which a star is fitted along."""

SMOOTHED_SIGMA = 0.375
"""Noise of an image smoothed by (1, 2, 1) / 4 both ways, over that of its pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Extraction:
    """How pass 2 takes fluxes; decided once for the whole recording. Picklable.

    Attributes
    ----------
    kind : str
        ``aperture``, ``optimal``, ``mask`` or ``psf``.
    reason : str
        Why, in words.
    predicted : mapping of str to float
        Predicted relative sigma of the target's normalised flux, by the ways that were weighed.
    aperture : Aperture
        The circle, where `kind` is ``aperture``; the best one otherwise.
    profile : Profile
        Image of a star.
    radius, softening : float
        Of `gpu_kernels.extraction.optimal_sums`: pixels, and how much bright pixels count less.
    guides : array of int
        Stars from which the width of the profile is taken on each frame; empty where it is steady.
    spread : float
        Relative rms of that width over the recording.
    groups : array, (g, m), int64
        Stars whose fluxes are fitted together; -1 after the last of a group.
    footprint : array, (m, m), bool
        Whole pixels of a mask.
    sky : (float, float)
        Annulus, pixels.
    sky_estimate : str
        ``mean``, ``median`` or ``mode``.
    shared : SharedSky
        How stars' skies go together, which weights by profile make use of.
    """

    kind: Kind
    reason: str
    predicted: dict[str, float]
    aperture: Aperture
    profile: Profile
    radius: float
    softening: float
    guides: NDArray[np.intp]
    spread: float
    groups: NDArray[np.int64]
    footprint: NDArray[np.bool_]
    sky: tuple[float, float]
    sky_estimate: Estimate
    shared: SharedSky

    @property
    def on_device(self) -> bool:
        """Whether `take` wants of the pixels only what a CUDA device gives: weighted sums, or nothing."""
        steady = self.kind == "optimal" and self.guides.size == 0
        return self.sky_estimate == "mean" and (steady or self.kind == "aperture")

    @property
    def boxed(self) -> bool:
        """Whether `take` wants of the images only the pixels of `Boxes`."""
        return self.kind == "optimal" and self.on_device

    @property
    def sums_only(self) -> bool:
        """Whether `measure` gives all that is taken, and pixels need not be looked at again."""
        return self.kind == "aperture" and self.sky_estimate == "mean"


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The developed pixels around each star of n images alone: n s images of one star each.

    Attributes
    ----------
    pixels : array, (n s, m, m), float32
        NaN off the frame.
    x, y : array, (n s, 1), pixels
        Of the box.
    """

    pixels: NDArray[np.float32]
    x: Floats
    y: Floats


def boxes_around(
    extraction: Extraction, frames: NDArray[Any], x: Floats, y: Floats, development: Development
) -> Boxes:
    """Pixels that a `boxed` extraction takes fluxes from: the same values as in whole developed frames."""
    side = 2 * (int(np.ceil(extraction.radius)) + 2) + 1
    pixels, left, top = cutouts(frames, x, y, (side, side), development)
    return Boxes(pixels.reshape(-1, side, side), (x - left).reshape(-1, 1), (y - top).reshape(-1, 1))


def by_aperture(
    aperture: Aperture, sky: tuple[float, float], estimate: Estimate, stars: int, sigma: float
) -> Extraction:
    """Sums within a circle, weights 1: what every other way is measured against."""
    return Extraction(
        kind="aperture",
        reason="",
        predicted={},
        aperture=aperture,
        profile=gaussian(sigma),
        radius=aperture.radius,
        softening=0.0,
        guides=np.empty(0, np.intp),
        spread=0.0,
        groups=np.empty((0, 1), np.int64),
        footprint=disc(aperture.radius),
        sky=sky,
        sky_estimate=estimate,
        shared=alone(stars),
    )


def disc(radius: float) -> NDArray[np.bool_]:
    """Whole pixels with centres within `radius` of a pixel's centre: a static mask."""
    half = max(int(np.floor(radius)), 1)
    grid = np.arange(-half, half + 1)
    inside = grid[:, None] ** 2 + grid[None, :] ** 2 <= max(radius, 1.0) ** 2
    return np.asarray(inside, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """Fluxes of stars, ``(n, s)``, their predicted variances, the sky under them and `StarStatus` bits."""

    flux: Floats
    variance: Floats
    status: NDArray[np.uint32]
    sky: Floats
    sky_sigma: Floats


def take(
    extraction: Extraction,
    images: NDArray[Any],
    x: Floats,
    y: Floats,
    measured: Measured,
    noise: StarNoise,
    boxes: Boxes | None = None,
) -> Taken:
    """Take fluxes from a block of images.

    Parameters
    ----------
    extraction : Extraction
    images : array, (n, height, width)
        Only their shape is looked at where `boxes` are given.
    x, y : array, (n, s), pixels
        NaN where a frame is lost.
    measured : Measured
        The same stars with the extraction's aperture as the only radius, and its annulus.
    noise : StarNoise
        Noise at the stars.
    boxes : Boxes, optional
        `boxes_around` the same places.

    Returns
    -------
    Taken
        Each frame's values depend on that frame alone.
    """
    seen = measured.stars
    sky, sky_sigma, count = seen.sky, seen.sky_sigma, seen.sky_count.astype(np.float64)
    if extraction.sky_estimate != "mean":
        levels = sky_levels(images, x, y, *extraction.sky, extraction.sky_estimate)
        sky, sky_sigma = levels.level, levels.sigma
        count = levels.count.astype(np.float64) * EFFICIENCY[extraction.sky_estimate]
    if extraction.kind == "aperture":
        flux = seen.flux[:, :, 0] + seen.area[:, :, 0] * (seen.sky - sky)
        variance = noise.flux_variance(flux, sky, count, extraction.aperture) * measured.spread[:, :, 0]
        return Taken(flux, variance, seen.status[:, :, 0], sky, sky_sigma)
    if extraction.kind == "mask":
        flux, variance, share = _masked(extraction, images, x, y, sky, count, noise)
    else:
        sky, count = extraction.shared.at(sky, count, noise.pixel_variance(sky))
        flux, variance, share = _weighted(extraction, images, x, y, sky, count, noise, boxes)
    status = _status(images.shape, x, y, extraction.radius, share, seen.status[:, :, 0])
    return Taken(np.where(share >= LEAST_SHARE, flux, np.nan), variance, status, sky, sky_sigma)


def _masked(
    extraction: Extraction,
    images: NDArray[Any],
    x: Floats,
    y: Floats,
    sky: Floats,
    count: Floats,
    noise: StarNoise,
) -> tuple[Floats, Floats, Floats]:
    """Sums over each star's blob, or over the fixed footprint where it has none."""
    pixel = noise.pixel_variance(sky)
    limit = BLOB_SIGMA * SMOOTHED_SIGMA * np.sqrt(pixel)
    sums = dynamic_mask_sums(images, x, y, sky, limit, extraction.footprint)
    level = sums.pixels**2 / np.maximum(count, 1.0)
    variance = (sums.pixels + level) * pixel + np.maximum(sums.flux, 0.0) * noise.inv_gain
    return sums.flux, variance, sums.share


def _weighted(
    extraction: Extraction,
    images: NDArray[Any],
    x: Floats,
    y: Floats,
    sky: Floats,
    count: Floats,
    noise: StarNoise,
    boxes: Boxes | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Fluxes by the profile's weights; those of close stars fitted together."""
    scales = widths(extraction, images, x, y, sky, noise)
    shape = extraction.profile, extraction.radius, extraction.softening
    if boxes is None:
        got = optimal_sums(images, x, y, sky, *shape, scales)
    else:
        got = optimal_sums(boxes.pixels, boxes.x, boxes.y, sky.reshape(-1, 1), *shape)
    pixel = noise.pixel_variance(sky)
    flux, share, light, squares, area = (
        to_host(part).reshape(x.shape) for part in (got.flux, got.share, got.light, got.squares, got.area)
    )
    photons = np.maximum(flux, 0.0) * noise.inv_gain * light
    variance = photons + (squares + area**2 / np.maximum(count, 1.0)) * pixel
    if extraction.kind == "psf" and extraction.groups.size:
        fitted = fit_groups(
            images, x, y, sky, count, pixel, noise.inv_gain, extraction.groups, extraction.profile,
            extraction.radius, extraction.softening, scales,
        )  # fmt: skip
        stars = np.unique(extraction.groups[extraction.groups >= 0])
        flux, variance = flux.copy(), variance.copy()
        flux[:, stars], variance[:, stars] = fitted.flux[:, stars], fitted.variance[:, stars]
    return flux, variance, share


def widths(
    extraction: Extraction, images: NDArray[Any], x: Floats, y: Floats, sky: Floats, noise: StarNoise
) -> Floats:
    """Factor of the profile's width on each image, from that image's own stars; 1 where it is steady."""
    if extraction.guides.size == 0:
        return np.ones(len(images))
    mine = extraction.guides
    variance = float(np.median(noise.variance[mine]))
    factor, _ = frame_widths(
        images, x[:, mine], y[:, mine], sky[:, mine], extraction.profile, extraction.radius,
        variance, noise.inv_gain, max(2.0 * extraction.spread, 0.1),
    )  # fmt: skip
    return factor


def _status(
    shape: tuple[int, ...],
    x: Floats,
    y: Floats,
    radius: float,
    share: Floats,
    seen: NDArray[np.uint32],
) -> NDArray[np.uint32]:
    """Bits of `StarStatus`: what the annulus said, and whether enough of the star was seen."""
    height, width = shape[-2:]
    kept = seen & np.uint32((StarStatus.NO_SKY | StarStatus.LOST).value)
    short = ~(share >= LEAST_SHARE) & ((seen & StarStatus.LOST.value) == 0)
    with np.errstate(invalid="ignore"):
        room = np.minimum(np.minimum(x, width - 1.0 - x), np.minimum(y, height - 1.0 - y)) + 0.5
        edge = room < radius + 0.5
    bits = np.where(short & edge, StarStatus.OFF_FRAME.value, 0) | np.where(
        short & ~edge, StarStatus.NOT_FINITE.value, 0
    )
    return np.asarray(kept | bits.astype(np.uint32), np.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Mean noise of a weighting over places of the star within a pixel: see `Extracted`."""

    area: float
    squares: float
    light: float

    def variance(self, flux: Floats, pixel: Floats, count: Floats, inv_gain: float) -> Floats:
        """Of a flux, ADU^2: photons of the star, noise of the pixels, and of the sky level."""
        level = self.area**2 / np.maximum(count, 1.0)
        photons = np.maximum(flux, 0.0) * inv_gain * self.light
        return np.asarray(photons + (self.squares + level) * pixel, np.float64)


def weights_of(profile: Profile, radius: float, softening: float, places: int = 4) -> Weights:
    """Noise of a profile's weights, averaged over a grid of places within a pixel."""
    side = 2 * int(np.ceil(radius)) + 5
    at = (np.arange(places) + 0.5) / places - 0.5 + side // 2
    x, y = (a.reshape(1, -1) for a in np.meshgrid(at, at))
    dark = np.zeros((1, side, side), np.uint8)  # of any type: the kernel of this one is often there already
    wait_for("extraction")
    got = optimal_sums(dark, x, y, np.zeros(x.shape), profile, radius, softening)
    return Weights(float(got.area.mean()), float(got.squares.mean()), float(got.light.mean()))


def named(extraction: Extraction, kind: Kind, reason: str) -> Extraction:
    """The same with another kind and reason."""
    return replace(extraction, kind=kind, reason=reason)


def notes_of(extraction: Extraction, u: Floats, v: Floats, target: int, scale: float) -> list[Note]:
    """Caveats of the way fluxes are taken; `scale` full-frame pixels to one of the image."""
    notes: list[Note] = []
    if extraction.kind == "mask":
        notes.append(
            Note(
                Caveat.MASK_NOT_LINEAR,
                "Dynamic masks grow with a star's light: fluxes are not proportional to it, and those of a "
                "star that has vanished are of a fixed mask. Depths are off; prefer another extraction.",
            )
        )
    if target < 0:
        return notes
    distance = np.hypot(u - u[target], v - v[target])
    distance[target] = np.inf
    closest = float(distance.min())
    if closest < NEAR_FWHM * extraction.profile.fwhm:
        fitted = extraction.kind == "psf" and extraction.groups.shape[1] > 1
        what = "both are fitted together" if fitted else "its light may leak in"
        notes.append(
            Note(Caveat.CROWDED, f"A neighbour lies {closest * scale:.1f} px from the target; {what}.")
        )
    return notes
