"""The gnomonic projection (TAN): sky to the tangent plane and back; and distances on the sky."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def to_plane(ra: Any, dec: Any, ra0: float, dec0: float) -> tuple[Floats, Floats]:
    """Standard coordinates, degrees, xi to the east and eta to the north; NaN beyond the horizon.

    Calabretta & Greisen 2002 (A&A 395, 1077), equations 12, 13 and 54.

    Parameters
    ----------
    ra, dec : array or float, degrees
    ra0, dec0 : float, degrees
        Where the plane touches the sphere.
    """
    a, d = np.radians(np.asarray(ra, np.float64) - ra0), np.radians(np.asarray(dec, np.float64))
    sin0, cos0 = np.sin(np.radians(dec0)), np.cos(np.radians(dec0))
    depth = sin0 * np.sin(d) + cos0 * np.cos(d) * np.cos(a)
    depth = np.where(depth > 1e-6, depth, np.nan)
    xi = np.cos(d) * np.sin(a) / depth
    eta = (cos0 * np.sin(d) - sin0 * np.cos(d) * np.cos(a)) / depth
    return np.degrees(xi), np.degrees(eta)


def from_plane(xi: Any, eta: Any, ra0: float, dec0: float) -> tuple[Floats, Floats]:
    """Undo `to_plane`: right ascension (0 to 360) and declination, degrees."""
    x, y = np.radians(np.asarray(xi, np.float64)), np.radians(np.asarray(eta, np.float64))
    sin0, cos0 = np.sin(np.radians(dec0)), np.cos(np.radians(dec0))
    across = cos0 - y * sin0
    ra = ra0 + np.degrees(np.arctan2(x, across))
    dec = np.degrees(np.arctan2(sin0 + y * cos0, np.hypot(x, across)))
    return np.asarray(np.mod(ra, 360.0), np.float64), np.asarray(dec, np.float64)


def separation(ra: Any, dec: Any, ra0: Any, dec0: Any) -> Floats:
    """Angular distance, degrees; good at all sizes (Vincenty's formula on the sphere)."""
    a = np.radians(np.asarray(ra, np.float64) - np.asarray(ra0, np.float64))
    d, d0 = np.radians(np.asarray(dec, np.float64)), np.radians(np.asarray(dec0, np.float64))
    cross = np.hypot(np.cos(d) * np.sin(a), np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(a))
    along = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a)
    return np.asarray(np.degrees(np.arctan2(cross, along)), np.float64)
