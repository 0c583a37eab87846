"""Places of observers: how they are checked, and what others see of them."""

import re
from dataclasses import dataclass

from reduction.errors import RequestError
from reduction.plan import Settings

CODE = re.compile(r"^[0-9A-Za-z][0-9]{2}$")
"""IAU observatory codes: a digit or letter, then two digits."""
DECIMALS = 2
"""Of the degrees that others see: cells of 1.1 km."""
HEIGHT_STEP_M = 100.0
FAR_KM = 5.0
"""An observatory's telescopes may stand this far from the place in the table."""


class RoughPlace(Settings):
    """A place as other participants see it: degrees to 0.01 (1.1 km), metres to 100."""

    latitude_deg: float
    longitude_deg: float
    height_m: float


def rough_place(latitude_deg: float, longitude_deg: float, height_m: float) -> RoughPlace:
    """Round a place for those who may not know it: always to the same cell: asking often tells no more.

    Parameters
    ----------
    latitude_deg, longitude_deg : float
        Geodetic, degrees, east positive.
    height_m : float
        Metres.
    """
    return RoughPlace(
        latitude_deg=round(latitude_deg, DECIMALS) + 0.0,  # no -0.0
        longitude_deg=round(longitude_deg, DECIMALS) + 0.0,
        height_m=round(height_m / HEIGHT_STEP_M) * HEIGHT_STEP_M + 0.0,
    )


@dataclass(frozen=True, slots=True)
class Coded:
    """A place of the table of observatories."""

    latitude_deg: float
    longitude_deg: float
    height_m: float
    sigma_m: float
    name: str
    note: str


def coded_place(code: str) -> Coded | None:
    """The place of an IAU observatory code, by the installed table; None where it has no such place.

    Newer codes than the table's, roving observers and those in space have none.
    """
    from reduction.geometry.codes import observatory

    try:
        found = observatory(code)
    except RequestError:
        return None
    site = found.site
    east = site.longitude_deg - 360 if site.longitude_deg > 180 else site.longitude_deg
    return Coded(site.latitude_deg, east, site.altitude_m, found.precision_m, site.name, found.note)


def apart_km(latitude_1: float, longitude_1: float, latitude_2: float, longitude_2: float) -> float:
    """Distance of two places in a straight line, km, on WGS84 at height 0."""
    import numpy as np

    from reduction.geometry.earth import itrs_km

    one, other = itrs_km(longitude_1, latitude_1), itrs_km(longitude_2, latitude_2)
    return float(np.linalg.norm(one - other))


def code_notes(code: str | None, latitude_deg: float, longitude_deg: float) -> tuple[str, ...]:
    """What is odd about a site's code, if anything."""
    if code is None:
        return ()
    known = coded_place(code)
    if known is None:
        return (f"code {code}: no fixed place of the installed table of observatories; its form is right",)
    apart = apart_km(latitude_deg, longitude_deg, known.latitude_deg, known.longitude_deg)
    if apart > FAR_KM:
        return (f"code {code} is {known.name}, {apart:.0f} km from here; check both",)
    return ()
