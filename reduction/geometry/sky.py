"""Where star, Sun and Moon stand for an observer: without refraction, good to a minute of arc."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reduction.geometry.earth import Rotation, tt_of

Floats = NDArray[np.float64]

_TWILIGHTS = ((-0.833, "day"), (-6.0, "civil twilight"), (-12.0, "nautical twilight"))
AU_KM = 149597870.7


@dataclass(frozen=True, slots=True)
class Moon:
    """The Moon as an observer sees it: degrees from the star and above the horizon, share that is lit."""

    from_star_deg: float
    altitude_deg: float
    lit: float


def up_of(itrs: Floats, utc_ns: ArrayLike, rotation: Rotation) -> Floats:
    """Zenith of places in GCRS, ``(n, 3)``: normal to the WGS84 ellipsoid."""
    return rotation.gcrs_from_itrs(_zenith(itrs), utc_ns)


def altitude_deg(direction: Floats, up: Floats) -> Floats:
    """Altitude of directions over horizons, degrees."""
    return np.asarray(np.degrees(np.arcsin(np.clip(np.sum(direction * up, axis=-1), -1, 1))))


def azimuth_deg(direction: Floats, itrs: Floats, utc_ns: int, rotation: Rotation) -> float:
    """Azimuth from north through east of one direction (GCRS) at one place, degrees."""
    local = rotation.itrs_from_gcrs(direction, utc_ns)
    zenith = _zenith(itrs)
    east = np.array([-zenith[1], zenith[0], 0.0])
    east = np.array([0.0, 1.0, 0.0]) if np.hypot(*east[:2]) < 1e-12 else east / np.hypot(*east[:2])
    north = np.cross(zenith, east)
    return math.degrees(math.atan2(float(local @ east), float(local @ north))) % 360


def sun_direction(utc_ns: int) -> Floats:
    """Direction of the Sun from the Earth, GCRS ``(3,)``; aberration is left out."""
    import erfa

    heliocentric, _ = erfa.epv00(*tt_of(utc_ns))
    place = -np.asarray(heliocentric["p"])
    return np.asarray(place / np.linalg.norm(place))


def moon_at(itrs: Floats, utc_ns: int, rotation: Rotation, star: Floats) -> Moon:
    """The Moon for one observer at one instant."""
    import erfa

    place = np.asarray(erfa.moon98(*tt_of(utc_ns))["p"]) * AU_KM
    seen = place - rotation.gcrs_from_itrs(itrs, utc_ns)
    direction = seen / np.linalg.norm(seen)
    from_star = math.degrees(math.acos(float(np.clip(direction @ star, -1, 1))))
    up = up_of(itrs, utc_ns, rotation)
    sun = sun_direction(utc_ns)
    to_sun = sun * AU_KM - place
    phase = float(np.clip(-direction @ to_sun / np.linalg.norm(to_sun), -1, 1))
    return Moon(from_star, float(altitude_deg(direction, up)), (1 + phase) / 2)


def darkness(sun_altitude_deg: float) -> str:
    """What the Sun's altitude makes of the sky."""
    for least, name in _TWILIGHTS:
        if sun_altitude_deg > least:
            return name
    return "astronomical twilight" if sun_altitude_deg > -18 else "night"


def _zenith(itrs: Floats) -> Floats:
    """Outward normal of the ellipsoid at places near its surface, ITRS unit vectors."""
    import erfa

    longitude, latitude, _ = erfa.gc2gd(1, np.asarray(itrs) * 1000)
    c = np.cos(latitude)
    return np.stack([c * np.cos(longitude), c * np.sin(longitude), np.sin(latitude)], axis=-1)
