"""Where a star stands at another epoch: proper motion and parallax."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MAS = np.pi / 180.0 / 3.6e6
"""A thousandth of a second of arc, radians."""


def place_at(
    ra: Any, dec: Any, pm_ra: Any, pm_dec: Any, parallax: Any, epoch: Any, year: float
) -> tuple[Floats, Floats]:
    """Direction from the Earth's centre to stars at another epoch, ICRS.

    Uniform motion in space seen from the barycentre, then parallax (The Hipparcos and Tycho Catalogues,
    ESA SP-1200, vol. 1, section 1.2.8, with no radial velocity); aberration is left out, as in catalogues.

    Parameters
    ----------
    ra, dec : array or float, degrees
    pm_ra, pm_dec : array or float, mas per year
        The first includes the cosine of the declination. Not finite: no motion is known, none applied.
    parallax : array or float, mas
        Zero or not finite: not applied.
    epoch : array or float, Julian year
        Of `ra` and `dec`.
    year : float, Julian year
        When they are wanted (TDB; that UTC differs by a minute moves no star).

    Returns
    -------
    ra, dec : array, degrees
    """
    a, d = np.radians(np.asarray(ra, np.float64)), np.radians(np.asarray(dec, np.float64))
    span = year - np.asarray(epoch, np.float64)
    east, north = (MAS * np.nan_to_num(np.asarray(m, np.float64)) * span for m in (pm_ra, pm_dec))
    out = np.nan_to_num(np.asarray(parallax, np.float64)) * MAS
    outward = np.stack(np.broadcast_arrays(np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)))
    eastward = np.stack(np.broadcast_arrays(-np.sin(a), np.cos(a), 0.0 * d))
    northward = np.stack(np.broadcast_arrays(-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)))
    seen = outward + eastward * east + northward * north
    if np.any(out != 0.0):
        seen = seen - np.multiply.outer(earth_au(year), out)
    x, y, z = seen
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


def earth_au(year: float) -> Floats:
    """Barycentric place of the Earth, ICRS, au: astropy's built-in ephemeris, no download."""
    from astropy.coordinates import get_body_barycentric
    from astropy.time import Time

    place = get_body_barycentric("earth", Time(year, format="jyear", scale="tdb"), ephemeris="builtin")
    return np.asarray(place.xyz.to_value("au"), np.float64)


def julian_year(ns: int) -> float:
    """Julian year of a POSIX time in nanoseconds (2000.0 is 946,728,000 s)."""
    return 2000.0 + (ns / 1e9 - 946_728_000.0) / (365.25 * 86400.0)
