"""Stars of a frame as they are told: one that was picked, its profile, and how its light grows."""

import math
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reduction.errors import DataError
from reduction.plan import Settings

APERTURES_FWHM = (0.75, 1.0, 1.5, 2.0)
"""Radii that are proposed; light curves of faint stars are best near one FWHM and below."""

WIDEST_FWHM = 40.0


class PickedView(Settings):
    """A star of a frame; pixels, the first one's centre is 0; errors are one sigma.

    `flux_error` holds the noise of the sky alone. `apertures_px` are radii to choose from.
    """

    frame: int
    x: float
    y: float
    error: float | None
    fwhm: float
    fwhm_error: float | None
    flux: float
    flux_error: float
    sky: float
    noise: float
    peak: float
    saturated: bool
    snr: float | None
    apertures_px: tuple[float, ...]


class GrowthView(Settings):
    """Light within circles, above the sky: of each radius, pixels and ADU."""

    radius: tuple[float, ...]
    flux: tuple[float | None, ...]
    flux_error: tuple[float | None, ...]
    snr: tuple[float | None, ...]


class ProfileView(Settings):
    """Light for each pixel of rings between those circles, above the sky, ADU, at their middle radii."""

    radius: tuple[float, ...]
    value: tuple[float | None, ...]
    error: tuple[float | None, ...]


class StarProfileView(Settings):
    """A star of a frame, measured within an aperture and within circles of every radius.

    Attributes
    ----------
    x, y : float
        Centre of the circles: the star's centroid, or the place that was asked for.
    star : PickedView or None
        None: none was found there, `message` says why.
    errors : str
        What they hold: the sky's noise, or that and the star's photons (where the recording tells its gain).
    flags : tuple of str
        What keeps the measurement from being complete.
    best_px : float or None
        Radius with the largest signal to noise on this frame.
    """

    frame: int
    x: float
    y: float
    star: PickedView | None
    message: str
    aperture_px: float
    sky_inner_px: float
    sky_outer_px: float
    flux: float | None
    flux_error: float | None
    snr: float | None
    sky: float | None
    sky_error: float | None
    sky_sigma: float | None
    sky_pixels: int
    peak: float | None
    errors: Literal["sky", "sky and photons"]
    flags: tuple[str, ...]
    best_px: float | None
    profile: ProfileView
    growth: GrowthView


def finite(value: float) -> float | None:
    """A number, or None for what is none."""
    return value if math.isfinite(value) else None


def _row(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(finite(value) for value in values.tolist())


def star_of(image: NDArray[np.float32], frame: int, x: float, y: float, full: float) -> PickedView:
    """The star near a place.

    Raises
    ------
    DataError
        There is none, or it is cut off by the edge.
    """
    from reduction.picking import pick

    found = pick(image, x, y, full)
    fields: dict[str, Any] = {
        name: finite(value) if isinstance(value, float) else value for name, value in asdict(found).items()
    }
    radii = tuple(round(max(1.0, factor * found.fwhm), 2) for factor in APERTURES_FWHM)
    return PickedView(frame=frame, apertures_px=radii, **fields)


def profile_of(
    image: NDArray[np.float32],
    frame: int,
    place: tuple[float, float],
    full: float,
    aperture: float | None = None,
    sky: tuple[float | None, float | None] = (None, None),
    gain_e_per_adu: float | None = None,
    centred: bool = True,
) -> StarProfileView:
    """Measure a star; radii that are not given are those that a reduction would begin with for its width.

    Parameters
    ----------
    place : tuple of float
        x, y; with `centred`, the centroid of the star near it is taken.
    sky : tuple
        Inner and outer radius of the annulus, each given or not.

    Raises
    ------
    RequestError
        The place is off the frame, or radii are none.
    """
    from reduction.growth import growth
    from reduction.survey import sky_annulus

    star, message = None, ""
    try:
        star = star_of(image, frame, *place, full)
    except DataError as error:
        message = str(error)
    x, y = (star.x, star.y) if star is not None and centred else place
    fwhm = min(star.fwhm, WIDEST_FWHM) if star is not None else 4.0
    radius = aperture or round(max(1.0, fwhm), 1)
    chosen = sky_annulus(fwhm, radius)
    inner = sky[0] or chosen[0]
    outer = sky[1] or max(chosen[1], inner + 1.0)
    found = growth(image, x, y, (inner, outer), radius, gain_e_per_adu)
    k = found.at(radius)
    return StarProfileView(
        frame=frame,
        x=x,
        y=y,
        star=star,
        message=message,
        aperture_px=radius,
        sky_inner_px=inner,
        sky_outer_px=outer,
        flux=finite(float(found.flux[k])),
        flux_error=finite(float(found.flux_error[k])),
        snr=finite(float(found.snr[k])),
        sky=finite(found.sky),
        sky_error=finite(found.sky_error),
        sky_sigma=finite(found.sky_sigma),
        sky_pixels=found.sky_pixels,
        peak=finite(found.peak),
        errors="sky and photons" if found.photons else "sky",
        flags=(*found.said(radius), *(("saturated",) if star is not None and star.saturated else ())),
        best_px=found.best,
        profile=ProfileView(
            radius=tuple(found.ring_radius.tolist()), value=_row(found.ring), error=_row(found.ring_error)
        ),
        growth=GrowthView(
            radius=tuple(found.radius.tolist()),
            flux=_row(found.flux),
            flux_error=_row(found.flux_error),
            snr=_row(found.snr),
        ),
    )
