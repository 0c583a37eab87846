"""One star on one frame: its radial profile, and how its light grows with the radius of the aperture."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.photometry import StarMeasurements, StarStatus, measure
from gpu_kernels.variance import aperture_variance, ring_variance
from reduction.errors import RequestError

Floats = NDArray[np.float64]

STEP = 0.5
"""Between neighbouring radii, pixels, as long as there are not too many."""

MOST_RADII = 64
LARGEST_RADIUS = 200.0
MARGIN = 2

SAID = {
    StarStatus.OFF_FRAME: "the aperture is partly off the frame",
    StarStatus.NOT_FINITE: "pixels of the aperture are no numbers",
    StarStatus.NO_SKY: "too few sky pixels",
}


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """A star within circles of every radius; the frame's units, pixels.

    Errors are one sigma. They hold the sky's noise, that of the level of the sky, and the photons of the star
    where the gain is known; without it they are too small for bright stars.

    Attributes
    ----------
    x, y : float
        Centre of the circles.
    sky, sky_error, sky_sigma : float
        Clipped mean of the annulus, its error, and one sigma of one of its pixels.
    sky_pixels : int
    radius : array, (r,)
        Of the circles, ascending.
    flux, flux_error, area : array, (r,)
        Light within them above the sky; their area on the frame.
    ring_radius, ring, ring_error : array, (r,)
        Between a circle and the one before it: middle radius, light above the sky for each pixel.
    photons : bool
        Whether errors hold the star's photons.
    peak : float
        Largest pixel within the largest circle.
    status : array, (r,), uint32
        Bits of `gpu_kernels.photometry.StarStatus`.
    """

    x: float
    y: float
    sky: float
    sky_error: float
    sky_sigma: float
    sky_pixels: int
    radius: Floats
    flux: Floats
    flux_error: Floats
    area: Floats
    ring_radius: Floats
    ring: Floats
    ring_error: Floats
    photons: bool
    peak: float
    status: NDArray[np.uint32]

    @property
    def snr(self) -> Floats:
        """Signal to noise of each circle; NaN where there is no error."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.flux_error > 0, self.flux / self.flux_error, np.nan)

    @property
    def best(self) -> float | None:
        """Radius with the largest signal to noise; None without light."""
        snr = np.where(np.isfinite(self.snr), self.snr, -np.inf)
        k = int(np.argmax(snr))
        return float(self.radius[k]) if snr[k] > 0 else None

    def at(self, radius: float) -> int:
        """Index of the circle that is nearest to a radius."""
        return int(np.argmin(np.abs(self.radius - radius)))

    def said(self, radius: float) -> tuple[str, ...]:
        """What keeps the measurement within a circle from being complete."""
        status = int(self.status[self.at(radius)])
        return tuple(text for bit, text in SAID.items() if status & bit)


def growth(
    image: NDArray[np.float32],
    x: float,
    y: float,
    sky: tuple[float, float],
    aperture: float | None = None,
    gain_e_per_adu: float | None = None,
) -> Growth:
    """Measure a star within circles up to the outer radius of its sky annulus.

    Sums, sky and their errors are those of a reduction (`gpu_kernels.photometry.measure`,
    `gpu_kernels.variance.aperture_variance`); the error of the sky's level is ``area sky_sigma / sqrt(n)``
    (Merline & Howell 1995, Exp. Astron. 6, 163, eq. 5).

    Parameters
    ----------
    image : array, (height, width), ADU
    x, y : float, pixels
    sky : tuple of float, pixels
        Inner and outer radius of the annulus.
    aperture : float, optional
        A radius that is to be among the circles, pixels.
    gain_e_per_adu : float, optional
        Electrons per ADU, where it is known.

    Raises
    ------
    RequestError
        Radii that are none, or a centre off the frame.
    """
    inner, outer = sky
    height, width = image.shape
    if not (0.0 < inner < outer <= LARGEST_RADIUS) or not (0.0 < (aperture or 1.0) <= LARGEST_RADIUS):
        raise RequestError(
            f"aperture {aperture}, sky annulus {inner} to {outer} px: give 0 < inner < outer <= "
            f"{LARGEST_RADIUS:g}, and an aperture up to that"
        )
    if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
        raise RequestError(f"{x:.1f}, {y:.1f}: is not on the frame of {width} x {height} pixels")
    radii = _radii(outer, aperture)
    half = math.ceil(max(outer, float(radii[-1]))) + MARGIN
    top, left = max(0, round(y) - half), max(0, round(x) - half)
    box = np.ascontiguousarray(image[top : round(y) + half + 1, left : round(x) + half + 1], np.float32)
    columns, rows = np.array([[x - left]]), np.array([[y - top]])
    found = measure(box[None], columns, rows, radii, inner, outer)
    level, sigma, count = (float(part[0, 0]) for part in (found.sky, found.sky_sigma, found.sky_count))
    variance = np.full(box.shape, sigma**2)
    if gain_e_per_adu is not None:
        variance += np.maximum(np.where(np.isfinite(box), box - level, 0.0), 0.0) / gain_e_per_adu
    level_error = sigma / math.sqrt(count) if count > 0 else math.nan
    sums = np.asarray(aperture_variance(variance[None], columns, rows, radii))[0, 0]
    return _growth(x, y, found, radii, variance, (columns, rows), sums, level_error, gain_e_per_adu)


def _growth(
    x: float,
    y: float,
    found: StarMeasurements,
    radii: Floats,
    variance: Floats,
    place: tuple[Floats, Floats],
    sums: Floats,
    level_error: float,
    gain_e_per_adu: float | None,
) -> Growth:
    """The circles and the rings between them."""
    flux, area = found.flux[0, 0], found.area[0, 0]
    rings = np.asarray(ring_variance(variance[None], *place, radii))[0, 0]
    within = np.diff(area, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ring = np.where(within > 0, np.diff(flux, prepend=0.0) / within, np.nan)
        scatter = np.where(within > 0, np.sqrt(rings) / within, np.nan)
    before = np.concatenate([[0.0], radii[:-1]])
    return Growth(
        x=x,
        y=y,
        sky=float(found.sky[0, 0]),
        sky_error=level_error,
        sky_sigma=float(found.sky_sigma[0, 0]),
        sky_pixels=int(found.sky_count[0, 0]),
        radius=radii,
        flux=flux,
        flux_error=np.sqrt(sums + (area * level_error) ** 2),
        area=area,
        ring_radius=np.sqrt(0.5 * (radii**2 + before**2)),
        ring=ring,
        ring_error=np.hypot(scatter, level_error),
        photons=gain_e_per_adu is not None,
        peak=float(found.peak[0, 0, -1]),
        status=found.status[0, 0],
    )


def _radii(outer: float, aperture: float | None) -> Floats:
    step = max(STEP, math.ceil(2.0 * outer / MOST_RADII) / 2.0)
    radii = np.arange(step, outer + 0.5 * step, step)
    if aperture is None:
        return radii
    if aperture > radii[-1]:
        return np.append(radii, aperture)
    radii[np.argmin(np.abs(radii - aperture))] = aperture  # no ring gets too thin to tell anything
    return radii
