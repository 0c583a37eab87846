"""Made predictions, written by hand of the format's facts, and an independent Earth and sky from astropy."""

import itertools
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.geometry.occelmnt import parse_occelmnt
from reduction.geometry.prediction import Prediction
from reduction.sites import Site

LIGHT_KM_S = 299792.458
AU_KM = 149597870.7
RADIUS_KM = 6378.137


def event_text(**changes: str) -> str:
    """An event in the words of the format, some fields replaced: ``Elements_6="0.5"``."""
    parts = {
        "Elements": "JPL#58:2025-11-27,4.00,2026,3,11,20.3240273,-0.1755468,0.3008027,5.8328637,3.4196768,"
        "0.0056381,0.0002877,0.0000003,-0.0000005",
        "Earth": "-20.0514,3.4295,-122.38,-3.46,False",
        "Star": "J061552.44+032622.3,6.26456690,3.4395323,8.47,8.46,8.41,0.0,0,,6.28772718,3.4294840,"
        "10.39,9.54,0,0,0",
        "Object": "81879,2000 LB11,18.84,48.0,2.2622,0,0,1.515,13.29,,3.0,0,18.85,17.95,",
        "Orbit": "0,54.1317,2026,3,11,196.1475,218.7943,17.2293,0.07937,2.77654,2.55617,13.90,5.0,0.15",
        "Errors": "1.2,0.0060,0.0030,102,0.0060,Known errors,0.95,0,0,0",
        "ID": "20260311_2622.3,61100.81",
    }
    for name, value in changes.items():
        tag, number = name.split("_")
        fields = parts[tag].split(",")
        fields[int(number)] = value
        parts[tag] = ",".join(fields)
    return "<Event>" + "".join(f"<{tag}>{text}</{tag}>" for tag, text in parts.items()) + "</Event>"


def event(**changes: str) -> Prediction:
    """The one event of `event_text`."""
    return parse_occelmnt(event_text(**changes), "made.xml").predictions[0]


class AstropySky:
    """Star, body and Earth of an event by astropy's coordinates alone; light-time is solved for."""

    def __init__(self, fields: dict[str, Any]) -> None:
        from astropy.coordinates import GCRS, ICRS, TETE, SkyCoord
        from astropy.time import Time

        self.fields = fields
        self.epoch = fields["epoch"]
        time = Time(self.epoch.replace(tzinfo=None), scale="utc")
        star = SkyCoord(fields["ra"], fields["dec"], unit="deg", frame=ICRS())
        self.star = vector(star.transform_to(GCRS(obstime=time)))
        pole = vector(SkyCoord(0, 90, unit="deg", frame=TETE(obstime=time)).transform_to(GCRS(obstime=time)))
        self.east = np.cross(pole, self.star) / np.linalg.norm(np.cross(pole, self.star))
        self.north = np.cross(self.star, self.east)
        east = np.cross([0, 0, 1], self.star)
        self.east_icrs = east / np.linalg.norm(east)
        self.north_icrs = np.cross(self.star, self.east_icrs)

    def body(self, seconds: float) -> NDArray[np.float64]:
        """Geocentric place (GCRS, km) where the body is *seen* from the centre at the epoch + seconds."""
        t = seconds / 3600
        x, y = (float(sum(c * t**k for k, c in enumerate(self.fields[axis])) * RADIUS_KM) for axis in "xy")
        return float(self.fields["distance_km"]) * self.star + x * self.east + y * self.north

    def site(self, site: Site, seconds: float) -> NDArray[np.float64]:
        """Geocentric GCRS place of a site, km."""
        return np.asarray(self.sites(site, np.array([seconds]))[0])

    def sites(self, site: Site, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same for many instants, ``(n, 3)``."""
        from astropy import units as u
        from astropy.coordinates import EarthLocation
        from astropy.time import Time

        place = EarthLocation.from_geodetic(
            site.longitude_deg * u.deg, site.latitude_deg * u.deg, site.altitude_m * u.m
        )
        times = Time(
            [(self.epoch + timedelta(seconds=float(s))).replace(tzinfo=None) for s in seconds], scale="utc"
        )
        return np.asarray(place.get_gcrs_posvel(times)[0].xyz.to_value(u.km)).T

    def star_from_body(self, site: Site, seconds: float) -> NDArray[np.float64]:
        """(f, g) in ICRS axes, km: light-time from the body to the site solved for by iteration."""
        where = self.site(site, seconds)
        emitted = seconds - self.fields["distance_km"] / LIGHT_KM_S  # as if for the centre
        for _ in range(6):
            body = self.body(emitted + self.fields["distance_km"] / LIGHT_KM_S)
            emitted = seconds - float(np.linalg.norm(body - where)) / LIGHT_KM_S
        apart = where - body
        return np.array([apart @ self.east_icrs, apart @ self.north_icrs])


def vector(coordinate: Any) -> NDArray[np.float64]:
    """Unit vector of a direction."""
    xyz = coordinate.cartesian.xyz.value
    return np.asarray(xyz / np.linalg.norm(xyz))


def astropy_sky(text: str) -> AstropySky:
    """The sky of an event's text, its fields taken apart here by their numbers."""
    elements = text.split("<Elements>")[1].split("<", maxsplit=1)[0].split(",")
    star = text.split("<Star>")[1].split("<", maxsplit=1)[0].split(",")
    body = text.split("<Object>")[1].split("<", maxsplit=1)[0].split(",")
    numbers = [float(one) for one in elements[1:]]
    year, month, day = (int(n) for n in numbers[1:4])
    epoch = datetime(year, month, day, tzinfo=UTC) + timedelta(hours=numbers[4])
    return AstropySky(
        {
            "epoch": epoch,
            "x": numbers[5::2],
            "y": numbers[6::2],
            "ra": float(star[1]) * 15,
            "dec": float(star[2]),
            "distance_km": float(body[4]) * AU_KM,
        }
    )


@cache
def far_and_wide() -> tuple[Site, ...]:
    """Sites all over the Earth, some of them where the star is below the horizon."""
    places = itertools.product(
        (-89.5, -41.0, -0.5, 23.0, 64.0), (-179.9, -75.0, 0.0, 20.0, 140.0), (0.0, 4200.0)
    )
    return tuple(Site(latitude_deg=la, longitude_deg=lo, altitude_m=h) for la, lo, h in places)


def rates_of_orbit(prediction: Prediction) -> NDArray[np.float64]:
    """(X', Y') in ICRS axes, Earth radii per hour, from the orbital elements alone."""
    import erfa
    from astropy.time import Time

    star = np.radians([prediction.star.ra_deg, prediction.star.dec_deg])
    toward = np.array([np.cos(star[1]) * np.cos(star[0]), np.cos(star[1]) * np.sin(star[0]), np.sin(star[1])])
    middle = Time(prediction.elements.epoch_ns / 1e9, format="unix", scale="utc").tdb.jd

    def seen(jd: float) -> NDArray[np.float64]:
        heliocentric, barycentric = erfa.epv00(jd, 0.0)
        delay = 0.0
        for _ in range(5):
            body = two_body(prediction, jd - delay) - heliocentric["p"]
            delay = float(np.linalg.norm(body)) * 499.004784 / 86400
        distance = float(np.linalg.norm(body))
        u = body / distance + barycentric["v"] / 173.1446327
        s = toward + barycentric["v"] / 173.1446327
        u, s = u / np.linalg.norm(u), s / np.linalg.norm(s)
        east = np.cross([0, 0, 1], s) / np.hypot(s[0], s[1])
        return np.array([u @ east, u @ np.cross(s, east)]) * distance * AU_KM / RADIUS_KM

    return seen(middle + 0.5 / 24) - seen(middle - 0.5 / 24)


def two_body(prediction: Prediction, jd: float) -> NDArray[np.float64]:
    """Heliocentric place, au, J2000 equator, from the osculating elements of a prediction."""
    from astropy.time import Time

    orbit = prediction.orbit
    a, e = float(orbit.semimajor_au or 0), float(orbit.eccentricity or 0)
    epoch = Time(
        {"year": int(orbit.year or 0), "month": int(orbit.month or 0), "day": int(orbit.day or 0)},
        scale="tdb",
    )
    mean = np.radians(orbit.mean_anomaly_deg or 0) + 0.01720209895 / a**1.5 * (jd - epoch.jd)
    E = mean
    for _ in range(50):
        E = E - (E - e * np.sin(E) - mean) / (1 - e * np.cos(E))
    place = np.array([a * (np.cos(E) - e), a * np.sqrt(1 - e * e) * np.sin(E), 0.0])
    turns = ((orbit.perihelion_deg, 2), (orbit.inclination_deg, 0), (orbit.node_deg, 2), (23.43929111, 0))
    for degrees, axis in turns:
        c, s = np.cos(np.radians(degrees or 0)), np.sin(np.radians(degrees or 0))
        i, j = [k for k in range(3) if k != axis]
        turned = place.copy()
        turned[i], turned[j] = c * place[i] - s * place[j], s * place[i] + c * place[j]
        place = turned
    return place
