"""The plane in which a shadow meets its observers, and the sky as each of them sees it.

Signs and frames, everywhere in this package:

* the fundamental plane passes through the Earth's centre, normal to the star's *apparent* direction
  (aberration included): in the frame that moves with the Earth that is where the light goes;
* x, xi, f point east, y, eta, g north, zeta to the star; position angles run from north through east;
* (X, Y) is the shadow's axis, (xi, eta) the observer: body minus star, as the observer sees them, is
  (X - xi, Y - eta), and **(f, g) = (xi - X, eta - Y) is the star seen from the body's centre**, as in SORA;
* (X, Y) of predictions refer to the true pole of date; (f, g) are given in **ICRS** (J2000) axes, unless
  asked for otherwise. The two differ by 0.15 degrees / cos(declination) at most in this decade;
* light meets an observer who is zeta nearer to the star earlier by zeta / c (up to 21 ms): the body is taken
  where it was seen at the centre of the Earth that much later.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reduction.geometry.earth import Rotation, itrs_of, rotation_at, tt_of
from reduction.geometry.prediction import EARTH_RADIUS_KM, HOUR_NS, Prediction
from reduction.sites import Site

Floats = NDArray[np.float64]
Axes = Literal["icrs", "date"]

LIGHT_KM_S = 299792.458
_MOST_APPARENT_ARCSEC = 2.0
_MOST_SUBSTELLAR_DEG = 0.01


@dataclass(frozen=True, slots=True)
class SkyPlane:
    """The fundamental plane of a prediction.

    Attributes
    ----------
    prediction : Prediction
        Whose elements count.
    rotation : Rotation
        Of the Earth, at the epoch of the elements.
    toward : array, (3,)
        Apparent direction of the star, geocentric (GCRS).
    east, north : array, (3,)
        Axes of the elements in GCRS: north to the true pole of date.
    turn_rad : float
        Position angle, in ICRS axes, of that north.
    """

    prediction: Prediction
    rotation: Rotation
    toward: Floats
    east: Floats
    north: Floats
    turn_rad: float

    def observer_km(self, itrs: Floats, utc_ns: ArrayLike) -> Floats:
        """(xi, eta, zeta), km, axes of date, of places turning with the Earth.

        Parameters
        ----------
        itrs : array, (3,) or (n, 3)
            Geocentric, km.
        utc_ns : int or array, (n,)
            POSIX UTC nanoseconds.

        Returns
        -------
        array, (n, 3)
        """
        times = np.asarray(utc_ns, np.int64)
        vectors = self.rotation.gcrs_from_itrs(itrs, times)
        return np.stack([vectors @ axis for axis in (self.east, self.north, self.toward)], axis=-1)

    def shadow_km(self, utc_ns: ArrayLike, toward_km: ArrayLike = 0.0) -> Floats:
        """(X, Y) of the shadow's axis, km, axes of date, as it is met `toward_km` nearer to the star."""
        since = (np.asarray(utc_ns, np.int64) - self.prediction.elements.epoch_ns) / HOUR_NS
        hours = since + np.asarray(toward_km, np.float64) / LIGHT_KM_S / 3600
        elements = self.prediction.elements
        both = [
            np.polynomial.polynomial.polyval(hours, c)
            for c in (elements.x_earth_radii, elements.y_earth_radii)
        ]
        return np.asarray(np.stack(both, axis=-1) * EARTH_RADIUS_KM, np.float64)

    def star_from_body_km(self, itrs: Floats, utc_ns: ArrayLike, axes: Axes = "icrs") -> Floats:
        """(f, g): the star relative to the body's predicted centre, km at the body's distance, ``(n, 2)``.

        Parameters
        ----------
        itrs : array, (3,) or (n, 3)
            Geocentric places, km.
        utc_ns : int or array, (n,)
            POSIX UTC nanoseconds.
        axes : str
            North of ``icrs`` or of ``date``.
        """
        observer = self.observer_km(itrs, utc_ns)
        apart = observer[..., :2] - self.shadow_km(utc_ns, observer[..., 2])
        return self.in_icrs(apart) if axes == "icrs" else apart

    def velocity_km_s(self, itrs: Floats, utc_ns: ArrayLike, axes: Axes = "icrs") -> Floats:
        """Rate of `star_from_body_km`, km/s, ``(n, 2)``: central difference over two seconds."""
        times, second = np.asarray(utc_ns, np.int64), np.int64(1_000_000_000)
        after = self.star_from_body_km(itrs, times + second, axes)
        before = self.star_from_body_km(itrs, times - second, axes)
        return np.asarray((after - before) / 2)

    def in_icrs(self, of_date: Floats) -> Floats:
        """Vectors in the plane, ``(..., 2)``, from the axes of date to those of ICRS."""
        c, s = math.cos(self.turn_rad), math.sin(self.turn_rad)
        east, north = of_date[..., 0], of_date[..., 1]
        return np.stack([c * east + s * north, c * north - s * east], axis=-1)

    def of_date(self, in_icrs: Floats) -> Floats:
        """Inverse of `in_icrs`."""
        c, s = math.cos(self.turn_rad), math.sin(self.turn_rad)
        east, north = in_icrs[..., 0], in_icrs[..., 1]
        return np.stack([c * east - s * north, c * north + s * east], axis=-1)

    @property
    def substellar_deg(self) -> tuple[float, float]:
        """Geocentric east longitude (-180 to 180) and latitude under the star at the epoch."""
        x, y, z = self.rotation.itrs_from_gcrs(self.toward, self.prediction.elements.epoch_ns)
        return math.degrees(math.atan2(y, x)), math.degrees(math.asin(z))

    def contradictions(self) -> list[str]:
        """Where the file's own apparent place or substellar point is not ours: wrong star or date."""
        notes: list[str] = []
        star, earth = self.prediction.star, self.prediction.earth
        if star.apparent_ra_hours is not None and star.apparent_dec_deg is not None:
            said = self.rotation.to_true.T @ _unit(15 * star.apparent_ra_hours, star.apparent_dec_deg)
            arcsec = math.degrees(
                math.atan2(float(np.linalg.norm(np.cross(said, self.toward))), said @ self.toward)
            )
            if arcsec * 3600 > _MOST_APPARENT_ARCSEC:
                notes.append(
                    f"the file's apparent place of the star is {arcsec * 3600:.1f} arcsec from the one that "
                    "follows from its J2000 place; the J2000 place is used"
                )
        if earth.substellar_longitude_deg is not None:
            apart = (earth.substellar_longitude_deg - self.substellar_deg[0] + 180) % 360 - 180
            if abs(apart) > _MOST_SUBSTELLAR_DEG:
                notes.append(
                    f"the file's substellar longitude, {earth.substellar_longitude_deg:.4f}, is {apart:+.4f} "
                    "degrees from the one that follows from star and time, which is used"
                )
        if self.rotation.ut1_sigma_s > 0.1:
            notes.append(
                "the installed table of the Earth's rotation does not hold this date: UT1 - UTC is taken "
                "as 0, places on the ground may be wrong by up to 0.4 km east-west"
            )
        return notes


def sky_plane(prediction: Prediction) -> SkyPlane:
    """The fundamental plane of a prediction."""
    rotation = rotation_at(prediction.elements.epoch_ns)
    toward = apparent_direction(prediction.star.ra_deg, prediction.star.dec_deg, prediction.elements.epoch_ns)
    east, north = _axes(rotation.to_true[2], toward)
    east_icrs, north_icrs = _axes(np.array([0.0, 0.0, 1.0]), toward)
    turn = math.atan2(float(north @ east_icrs), float(north @ north_icrs))
    return SkyPlane(prediction, rotation, toward, east, north, turn)


def sora_plane(prediction: Prediction, site: Site, utc_ns: ArrayLike) -> tuple[Floats, Floats]:
    """Chord coordinates: the star relative to the body's predicted centre, seen from a site.

    Parameters
    ----------
    prediction : Prediction
        Elements of the event.
    site : Site
        Of the observer, geodetic on WGS84.
    utc_ns : int or array, (n,)
        POSIX UTC nanoseconds.

    Returns
    -------
    f_km, g_km : array, (n,)
        East and north in ICRS (J2000) axes, km at the body's distance. They agree with an independent
        computation to 2 m; what a wrong site, time or element adds is the caller's.
    """
    both = sky_plane(prediction).star_from_body_km(itrs_of(site), utc_ns)
    return both[..., 0], both[..., 1]


def apparent_direction(ra_deg: float, dec_deg: float, utc_ns: int) -> Floats:
    """Apparent direction, GCRS ``(3,)``, of a catalogue direction: deflection by the Sun and aberration."""
    import erfa

    context = erfa.apcg13(*tt_of(utc_ns))  # TT for TDB: 2 ms
    ra, dec = erfa.atciqz(math.radians(ra_deg), math.radians(dec_deg), context)
    return _unit(math.degrees(float(ra)), math.degrees(float(dec)))


def _axes(pole: Floats, toward: Floats) -> tuple[Floats, Floats]:
    """East and north at a direction; at the pole itself, where there are none, those of longitude zero."""
    east = np.cross(pole, toward)
    if np.linalg.norm(east) < 1e-12:
        east = np.array([0.0, 1.0, 0.0])
    east = east / np.linalg.norm(east)
    return east, np.cross(toward, east)


def _unit(longitude_deg: float, latitude_deg: float) -> Floats:
    a, b = math.radians(longitude_deg), math.radians(latitude_deg)
    return np.array([math.cos(b) * math.cos(a), math.cos(b) * math.sin(a), math.sin(b)])
