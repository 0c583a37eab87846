"""Where the body was, from the centre of its limb against the star."""

import math
from dataclasses import dataclass

import numpy as np

from reduction.geometry.earth import itrs_of
from reduction.geometry.prediction import AU_KM, RADIAN_ARCSEC
from reduction.geometry.skyplane import SkyPlane
from reduction.geometry.stars import StarPlace
from reduction.limb.chords import Chord
from reduction.limb.shape import Floats
from reduction.sites import Site

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class BodyPlace:
    """Place of the body's centre of figure against the star, from one site, ICRS axes.

    Attributes
    ----------
    utc_ns : int
        When the star was nearest to the fitted centre, seen from `site`.
    site : Site
        Of the chord nearest to the centre.
    star_ra_deg, star_dec_deg : float
        Of the star at the event.
    east_arcsec, north_arcsec : float
        Body less star: right ascension times cos(dec), and declination.
    covariance_arcsec2 : array, (2, 2)
        Of these two: the fit's; the star's own place is not in it.
    ra_deg, dec_deg : float
        Of the body, astrometric, topocentric.
    offset_mas : tuple of float
        Observed less predicted place of the body, east and north, the star being where it was predicted.
    offset_sigma_mas : tuple of float
        Their sigmas.
    star_sigma_mas : tuple of float or None
        Of the star's own place, east and north; None where it is the prediction's.
    """

    utc_ns: int
    site: Site
    star_ra_deg: float
    star_dec_deg: float
    east_arcsec: float
    north_arcsec: float
    covariance_arcsec2: Floats
    ra_deg: float
    dec_deg: float
    offset_mas: tuple[float, float]
    offset_sigma_mas: tuple[float, float]
    star_sigma_mas: tuple[float, float] | None

    @property
    def sigma_arcsec(self) -> tuple[float, float]:
        """Sigmas of `east_arcsec` and `north_arcsec`."""
        east, north = np.sqrt(np.diag(self.covariance_arcsec2))
        return float(east), float(north)

    @property
    def correlation(self) -> float:
        """Of the two."""
        east, north = self.sigma_arcsec
        return float(self.covariance_arcsec2[0, 1] / (east * north))


def body_place(
    plane: SkyPlane,
    chord: Chord,
    centre_km: tuple[float, float],
    covariance: Floats,
    catalogue: StarPlace | None = None,
) -> BodyPlace:
    """Place of the body from the centre of its limb.

    Parameters
    ----------
    plane : SkyPlane
        Of the prediction.
    chord : Chord
        From whose site the body is placed: the one nearest to the centre.
    centre_km : tuple of float
        Centre of the limb against the prediction, east and north.
    covariance : array, (2, 2)
        Of the centre, km^2.
    catalogue : StarPlace or None
        The star at the event; None: where the prediction has it.
    """
    itrs = itrs_of(chord.station.site)
    utc = chord.closest.utc_ns
    centre = np.array(centre_km)
    for _ in range(6):
        point = np.ravel(plane.star_from_body_km(itrs, np.array([utc]))) - centre
        rate = np.ravel(plane.velocity_km_s(itrs, np.array([utc])))
        step = -float(point @ rate) / float(rate @ rate)
        utc += round(step * SECOND_NS)
    star_from_body = np.ravel(plane.star_from_body_km(itrs, np.array([utc]))) - centre
    arcsec = RADIAN_ARCSEC / (plane.prediction.body.distance_au * AU_KM)
    east, north = (-star_from_body * arcsec).tolist()
    star = catalogue or plane.prediction.star
    ra, dec = _moved(star.ra_deg, star.dec_deg, east, north)
    sigma = np.sqrt(np.diag(covariance)) * arcsec * 1000
    return BodyPlace(
        utc_ns=utc,
        site=chord.station.site,
        star_ra_deg=star.ra_deg,
        star_dec_deg=star.dec_deg,
        east_arcsec=east,
        north_arcsec=north,
        covariance_arcsec2=covariance * arcsec**2,
        ra_deg=ra,
        dec_deg=dec,
        offset_mas=(centre_km[0] * arcsec * 1000, centre_km[1] * arcsec * 1000),
        offset_sigma_mas=(float(sigma[0]), float(sigma[1])),
        star_sigma_mas=None if catalogue is None else (catalogue.sigma_ra_mas, catalogue.sigma_dec_mas),
    )


def _moved(ra_deg: float, dec_deg: float, east_arcsec: float, north_arcsec: float) -> tuple[float, float]:
    """Direction that lies east and north of another in the tangent plane."""
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    xi, eta = east_arcsec / RADIAN_ARCSEC, north_arcsec / RADIAN_ARCSEC
    below = math.cos(dec) - eta * math.sin(dec)
    moved_ra = ra + math.atan2(xi, below)
    moved_dec = math.atan2(math.sin(dec) + eta * math.cos(dec), math.hypot(xi, below))
    return math.degrees(moved_ra) % 360, math.degrees(moved_dec)
