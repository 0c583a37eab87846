"""What a station may expect: when, how far from the centre, how long, how likely, how high."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.events.settings import Geometry
from reduction.geometry.earth import itrs_of
from reduction.geometry.outline import Outline, circle
from reduction.geometry.sky import Moon, altitude_deg, azimuth_deg, darkness, moon_at, sun_direction, up_of
from reduction.geometry.skyplane import SkyPlane
from reduction.geometry.uncertainty import PathError, chance, path_error, shadow_motion
from reduction.sites import Site

Floats = NDArray[np.float64]

SECOND_NS = 1_000_000_000
REACH_KM = 9000.0
"""From the Earth's centre: a shadow farther off is met by nobody, whatever the body's size adds."""
MOST_HOURS = 6.0
_STEPS = 721
_COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a chord meets the outline.

    Attributes
    ----------
    utc_ns : int
        Predicted instant.
    position_angle_deg : float
        Of the point on the limb, seen from the centre, from north through east, ICRS.
    normal_velocity_km_s : float
        Component of the motion normal to the limb there, positive.
    """

    utc_ns: int
    position_angle_deg: float
    normal_velocity_km_s: float


@dataclass(frozen=True, slots=True)
class Circumstances:
    """A prediction as one station will see it.

    Attributes
    ----------
    site : Site
        The station.
    mid_ns : int
        UTC at which the star is nearest to the body's centre.
    offset_km : float
        Their distance then; positive where the station is on the northern side of the path (the star passes
        north of the centre; for a path due north or south: east).
    offset_angle_deg : float
        Position angle of the star from the centre then, ICRS.
    side : str
        The same as one of eight points of the compass.
    f_km, g_km : float
        The star from the centre then, east and north, ICRS.
    velocity_km_s : tuple of float
        (east, north) of the star relative to the body then.
    radius_km : float
        Half of the outline's width across the motion.
    chord_km, duration_s : float
        Length of the predicted chord and its duration; 0 for a miss.
    max_duration_s : float
        On the centre line, at this station's velocity.
    disappearance, reappearance : Contact or None
        None for a miss.
    across_sigma_km, time_sigma_s : float or None
        1-sigma of the offset, and of the predicted instant; None where the file states no uncertainty.
    probability : float or None
        That the station sees an occultation.
    star_altitude_deg, star_azimuth_deg, sun_altitude_deg : float
        At `mid_ns`, without refraction.
    moon : Moon
        At `mid_ns`.
    """

    site: Site
    mid_ns: int
    offset_km: float
    offset_angle_deg: float
    side: str
    f_km: float
    g_km: float
    velocity_km_s: tuple[float, float]
    radius_km: float
    chord_km: float
    duration_s: float
    max_duration_s: float
    disappearance: Contact | None
    reappearance: Contact | None
    across_sigma_km: float | None
    time_sigma_s: float | None
    probability: float | None
    star_altitude_deg: float
    star_azimuth_deg: float
    sun_altitude_deg: float
    moon: Moon

    @property
    def speed_km_s(self) -> float:
        """Of the shadow over the station."""
        return math.hypot(*self.velocity_km_s)

    @property
    def darkness(self) -> str:
        """Night, a twilight or day."""
        return darkness(self.sun_altitude_deg)

    @property
    def visible(self) -> bool:
        """Whether the star is above the horizon and the Sun at least six degrees below it."""
        return self.star_altitude_deg > 0 and self.sun_altitude_deg < -6


@dataclass(frozen=True, slots=True)
class Geocentric:
    """A prediction as the Earth's centre would see it: speed, longest duration, and 1-sigma of the path."""

    speed_km_s: float
    motion_angle_deg: float
    max_duration_s: float
    nearest_km: float
    across_sigma_km: float | None
    time_sigma_s: float | None


def geocentric(plane: SkyPlane) -> Geocentric:
    """The shadow's speed and size without the Earth's rotation; the angle is of the body's motion, ICRS."""
    motion = shadow_motion(plane)
    speed = float(np.hypot(*motion))
    error = path_error(plane)
    begin, end = window_ns(plane)
    nearest = plane.shadow_km((begin + end) // 2)
    return Geocentric(
        speed_km_s=speed,
        motion_angle_deg=math.degrees(math.atan2(motion[0], motion[1])) % 360,
        max_duration_s=plane.prediction.body.diameter_km / speed,
        nearest_km=float(np.hypot(*nearest)),
        across_sigma_km=None if error is None else error.across(motion),
        time_sigma_s=None if error is None else error.along(motion) / speed,
    )


def circumstances(
    plane: SkyPlane, sites: Sequence[Site], outline: Outline | None = None
) -> list[Circumstances]:
    """What each station may expect.

    Parameters
    ----------
    plane : SkyPlane
        Of the prediction.
    sites : sequence of Site
        The stations.
    outline : Outline or None
        Of the body; None takes a circle of the predicted diameter.

    Returns
    -------
    list of Circumstances
        In the order of the sites.
    """
    shape = outline if outline is not None else circle(plane.prediction.body.diameter_km)
    error = path_error(plane)
    return [_at(plane, site, shape, error) for site in sites]


def event_geometry(plane: SkyPlane, one: Circumstances) -> Geometry:
    """What shapes the flanks of a station's light curve; head-on where the chord is predicted to miss."""
    star = plane.prediction.star
    normals = [
        1.0 if contact is None else min(1.0, max(contact.normal_velocity_km_s / one.speed_km_s, 1e-3))
        for contact in (one.disappearance, one.reappearance)
    ]
    return Geometry(
        distance_au=plane.prediction.body.distance_au,
        velocity_km_s=one.speed_km_s,
        normal_d=normals[0],
        normal_r=normals[1],
        star_diameter_mas=star.diameter_mas or None,
    )


def window_ns(plane: SkyPlane) -> tuple[int, int]:
    """Between which instants the shadow can meet the Earth: around its closest approach, not more than hours.

    Files give their elements for that instant, to a few seconds; those of others may not.
    """
    epoch = plane.prediction.elements.epoch_ns
    motion = shadow_motion(plane)
    speed = float(np.hypot(*motion))
    most = MOST_HOURS * 3600
    since = -float(plane.in_icrs(plane.shadow_km(epoch)) @ motion) / speed**2
    middle = epoch + int(min(max(since, -most), most) * SECOND_NS)
    reach = REACH_KM + plane.prediction.body.diameter_km
    half = int(min(reach / speed, most) * SECOND_NS)
    return middle - half, middle + half


def _at(plane: SkyPlane, site: Site, outline: Outline, error: PathError | None) -> Circumstances:
    itrs = itrs_of(site)
    mid_ns = _nearest(plane, itrs, outline)
    place = plane.star_from_body_km(itrs, mid_ns) - outline.centre
    velocity = plane.velocity_km_s(itrs, mid_ns)
    speed = float(np.hypot(*velocity))
    angle = math.degrees(math.atan2(place[0], place[1])) % 360
    offset = float(np.hypot(*place)) * (1 if (place[1], place[0]) >= (0.0, 0.0) else -1)
    radius = outline.half_width_km(velocity)
    contacts = [_contact(plane, itrs, outline, mid_ns, sign) for sign in (-1, 1)]
    d, r = contacts if None not in contacts else (None, None)
    duration = 0.0 if d is None or r is None else (r.utc_ns - d.utc_ns) / SECOND_NS
    across = None if error is None else error.across(velocity)
    body = plane.prediction.body
    radius_sigma = (body.diameter_sigma_km or 0.0) / 2
    rotation = plane.rotation
    return Circumstances(
        site=site,
        mid_ns=mid_ns,
        offset_km=offset,
        offset_angle_deg=angle,
        side=_COMPASS[round(angle / 45) % 8],
        f_km=float(place[0] + outline.centre_f_km),
        g_km=float(place[1] + outline.centre_g_km),
        velocity_km_s=(float(velocity[0]), float(velocity[1])),
        radius_km=radius,
        chord_km=duration * speed,
        duration_s=duration,
        max_duration_s=2 * math.sqrt(1 / float(velocity @ outline.form @ velocity)),
        disappearance=d,
        reappearance=r,
        across_sigma_km=across,
        time_sigma_s=None if error is None else error.along(velocity) / speed,
        probability=None if across is None else chance(abs(offset), radius, across, radius_sigma),
        star_altitude_deg=float(altitude_deg(plane.toward, up_of(itrs, mid_ns, rotation))),
        star_azimuth_deg=azimuth_deg(plane.toward, itrs, mid_ns, rotation),
        sun_altitude_deg=float(altitude_deg(sun_direction(mid_ns), up_of(itrs, mid_ns, rotation))),
        moon=moon_at(itrs, mid_ns, rotation, plane.toward),
    )


def _nearest(plane: SkyPlane, itrs: Floats, outline: Outline) -> int:
    """UTC at which the star is nearest to the outline's centre: the least of a grid, then Newton's steps."""
    begin, end = window_ns(plane)
    grid = begin + np.linspace(0, end - begin, _STEPS).astype(np.int64)
    apart = plane.star_from_body_km(itrs, grid) - outline.centre
    at = int(grid[np.argmin(np.hypot(apart[:, 0], apart[:, 1]))])
    step = (end - begin) // (_STEPS - 1)
    for _ in range(8):
        place = plane.star_from_body_km(itrs, at) - outline.centre
        velocity = plane.velocity_km_s(itrs, at)
        move = -float(place @ velocity) / float(velocity @ velocity) * SECOND_NS
        at += round(min(max(move, -step), step))
        if abs(move) < 1000:
            break
    return at


def _contact(plane: SkyPlane, itrs: Floats, outline: Outline, mid_ns: int, sign: int) -> Contact | None:
    """Where the track meets the outline before (-1) or after (1) the middle: a quadratic, then Newton."""
    form = outline.form
    place = plane.star_from_body_km(itrs, mid_ns) - outline.centre
    velocity = plane.velocity_km_s(itrs, mid_ns)
    a, b = float(velocity @ form @ velocity), float(place @ form @ velocity)
    c = float(place @ form @ place) - 1
    if b * b <= a * c:
        return None
    at = mid_ns + round((-b + sign * math.sqrt(b * b - a * c)) / a * SECOND_NS)
    for _ in range(4):
        place = plane.star_from_body_km(itrs, at) - outline.centre
        velocity = plane.velocity_km_s(itrs, at)
        slope = 2 * float(place @ form @ velocity)
        if slope * sign <= 0:  # a graze: the track's bend counts for more than its slope
            return None
        at -= round(float(place @ form @ place - 1) / slope * SECOND_NS)
    normal = abs(float(outline.normal(place) @ velocity))
    return Contact(at, math.degrees(math.atan2(place[0], place[1])) % 360, normal)
