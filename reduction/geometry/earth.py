"""The Earth under the stars: UTC to rotation, sites to vectors, offline.

Leap seconds, UT1 - UTC and polar motion come from the tables that are installed with astropy
(`astropy-iers-data`); nothing is downloaded. Precession and nutation: IAU 2006/2000A (SOFA routines).
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reduction.sites import Site

Floats = NDArray[np.float64]

DAY_NS = 86_400_000_000_000
UNIX_JD = 2440587.5
MOST_UT1_S = 0.9
"""|UT1 - UTC| that leap seconds keep to: its uncertainty where no table tells it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """How the Earth turns around one instant.

    Attributes
    ----------
    to_intermediate : array, (3, 3)
        GCRS to the celestial intermediate frame, at the instant.
    to_true : array, (3, 3)
        GCRS to true equator and equinox of date, at the instant.
    wobble : array, (3, 3)
        Terrestrial intermediate to ITRS: polar motion, at the instant.
    ut1_utc_s : float
        UT1 - UTC at the instant, seconds.
    ut1_sigma_s : float
        Its uncertainty; 0.9 s where the installed table ends before.
    """

    to_intermediate: Floats
    to_true: Floats
    wobble: Floats
    ut1_utc_s: float
    ut1_sigma_s: float

    def gcrs_from_itrs(self, itrs: Floats, utc_ns: ArrayLike) -> Floats:
        """Turn vectors from the rotating Earth to the sky.

        The frame's precession and nutation are those of the instant: within six hours of it that is wrong by
        less than 0.5 m on the ground.

        Parameters
        ----------
        itrs : array, (3,) or (n, 3)
            Any unit.
        utc_ns : array, (n,)
            POSIX UTC nanoseconds.

        Returns
        -------
        array, (n, 3)
            The unit of `itrs`.
        """
        import erfa

        day, part = _days(utc_ns)
        angle = erfa.era00(day, part + self.ut1_utc_s / 86400)
        x, y, z = np.moveaxis(itrs @ self.wobble, -1, 0)
        turned = np.stack(
            [np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y, z + 0 * angle],
            axis=-1,
        )
        return np.asarray(turned @ self.to_intermediate)

    def itrs_from_gcrs(self, gcrs: Floats, utc_ns: ArrayLike) -> Floats:
        """Turn vectors from the sky to the rotating Earth; the inverse of `gcrs_from_itrs`."""
        import erfa

        day, part = _days(utc_ns)
        angle = erfa.era00(day, part + self.ut1_utc_s / 86400)
        x, y, z = np.moveaxis(gcrs @ self.to_intermediate.T, -1, 0)
        turned = np.stack(
            [np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y, z + 0 * angle],
            axis=-1,
        )
        return np.asarray(turned @ self.wobble.T)


def rotation_at(utc_ns: int) -> Rotation:
    """How the Earth turns around an instant, POSIX UTC nanoseconds."""
    import erfa

    day, part = _days(np.int64(utc_ns))
    tt = _tt(day, part)
    ut1_utc_s, sigma_s, x, y = _orientation(float(day), float(part))
    return Rotation(
        to_intermediate=np.asarray(erfa.c2i06a(*tt)),
        to_true=np.asarray(erfa.pnm06a(*tt)),
        wobble=np.asarray(erfa.pom00(x, y, erfa.sp00(*tt))),
        ut1_utc_s=ut1_utc_s,
        ut1_sigma_s=sigma_s,
    )


def tt_of(utc_ns: int) -> tuple[float, float]:
    """Terrestrial time as a Julian date in two parts."""
    day, part = _tt(*_days(np.int64(utc_ns)))
    return float(day), float(part)


def itrs_of(site: Site) -> Floats:
    """Geocentric place of a site, ``(3,)``, km, on the WGS84 ellipsoid."""
    return itrs_km(site.longitude_deg, site.latitude_deg, site.altitude_m)


def itrs_km(longitude_deg: ArrayLike, latitude_deg: ArrayLike, altitude_m: ArrayLike = 0.0) -> Floats:
    """Geocentric places ``(..., 3)``, km, of geodetic ones on the WGS84 ellipsoid."""
    import erfa

    metres = erfa.gd2gc(
        1, np.radians(longitude_deg), np.radians(latitude_deg), np.asarray(altitude_m, np.float64)
    )
    return np.asarray(metres) / 1000


def geodetic_of(itrs: Floats) -> tuple[Floats, Floats, Floats]:
    """Longitude (-180 to 180) and latitude, degrees, and WGS84 height, m, of places ``(..., 3)``, km."""
    import erfa

    longitude, latitude, height = erfa.gc2gd(1, itrs * 1000)
    return np.degrees(longitude), np.degrees(latitude), np.asarray(height)


def _days(utc_ns: ArrayLike) -> tuple[Floats, Floats]:
    """POSIX nanoseconds as a Julian date in two parts: noon to noon, and the part of the day."""
    days, rest = np.divmod(np.asarray(utc_ns, np.int64), DAY_NS)
    return UNIX_JD + days, rest / DAY_NS


def _tt(day: Floats, part: Floats) -> tuple[Floats, Floats]:
    import erfa

    # Only precession and nutation hang on it, 0.5 nrad per minute: before leap seconds (1972) 10 s do.
    table = erfa.leap_seconds.get()
    since = np.array([erfa.cal2jd(int(row["year"]), int(row["month"]), 1)[1] for row in table]) + 2400000.5
    place = np.searchsorted(since, day + part, side="right") - 1
    tai_utc = np.where(place >= 0, np.maximum(table["tai_utc"][np.maximum(place, 0)], 10.0), 10.0)
    return day, part + (tai_utc + 32.184) / 86400


@functools.cache
def _table() -> Any:
    from astropy.utils import iers

    return iers.IERS_A.open(iers.IERS_A_FILE)


def _orientation(day: float, part: float) -> tuple[float, float, float, float]:
    """UT1 - UTC, s, its uncertainty, s, and polar motion, radians; outside the table 0 with 0.9 s."""
    from astropy import units
    from astropy.utils import iers

    table = _table()
    ut1_utc, status = table.ut1_utc(day, part, return_status=True)
    if int(status) in {iers.TIME_BEFORE_IERS_RANGE, iers.TIME_BEYOND_IERS_RANGE}:
        return 0.0, MOST_UT1_S, 0.0, 0.0
    x, y = table.pm_xy(day, part)
    sigma_s = 1e-4 if int(status) != iers.FROM_IERS_A_PREDICTION else 0.02
    return (
        float(ut1_utc.to_value(units.s)),
        sigma_s,
        float(x.to_value(units.rad)),
        float(y.to_value(units.rad)),
    )
