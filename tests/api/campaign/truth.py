"""One occultation whose truth is known: prediction, real body, stations, and when each lost the star.

Star, body and Earth are astropy's (`AstropySky`); nothing here is Umbra's geometry.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from reduction.sites import Site
from tests.reduction.geometry.predictions import AstropySky, astropy_sky, event_text

XML = f"<Occultations>{event_text()}</Occultations>\n"
NAME = "2000 LB11"
RADIUS_KM = 22.0
CENTRE_KM = (4.0, -3.0)
"""The body is elsewhere than predicted: east, north."""


@dataclass(frozen=True)
class Place:
    """A station.

    Attributes
    ----------
    name, affiliation : str
        The observer's.
    kind : str
        What is recorded there.
    """

    name: str
    affiliation: str
    kind: str
    latitude_deg: float
    longitude_deg: float
    height_m: float

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@example.org"

    @property
    def site(self) -> Site:
        return Site(
            latitude_deg=self.latitude_deg, longitude_deg=self.longitude_deg, altitude_m=self.height_m
        )


PLACES = (
    Place("Ada North", "Hilltop Observatory", "ser", 20.8561, -30.7517, 120.0),
    Place("Ben Upper", "", "fits", 20.9125, -30.7917, 15.0),
    Place("Cleo Middle", "Club of the Valley", "avi", 20.9708, -30.8332, 640.0),
    Place("Dov Lower", "", "adv", 21.0488, -30.8885, 30.0),
    Place("Eva South", "Southern Station", "large", 21.1208, -30.9397, 88.0),
)


@cache
def sky() -> AstropySky:
    return astropy_sky(XML)


@cache
def edges_ns(place: Place) -> tuple[int, int]:
    """UTC of disappearance and reappearance, POSIX ns: secants, from the straight motion about its middle."""
    epoch_ns = round(sky().epoch.timestamp() * 1e6) * 1000
    velocity = (off(place, 5.0) - off(place, -5.0)) / 10
    speed = float(np.hypot(*velocity))
    middle = -float(off(place, 0.0) @ velocity) / speed**2
    nearest = off(place, middle)
    half = math.sqrt(RADIUS_KM**2 - float(nearest @ nearest)) / speed
    first, last = (_crossing(place, middle + sign * half, sign * 0.1) for sign in (-1, 1))
    return epoch_ns + round(first * 1e9), epoch_ns + round(last * 1e9)


def off(place: Place, seconds: float) -> NDArray[np.float64]:
    """The star against the centre of the real body, as the station sees it, km."""
    found: NDArray[np.float64] = sky().star_from_body(place.site, seconds) - np.array(CENTRE_KM)
    return found


def _crossing(place: Place, at: float, step: float) -> float:
    """When the limb is crossed, seconds from the epoch."""

    def height(seconds: float) -> float:
        return float(np.hypot(*off(place, seconds))) - RADIUS_KM

    before, now = at + step, at
    low, high = height(before), height(now)
    for _ in range(8):
        if abs(high) < 1e-7:
            break
        before, now = now, now - high * (now - before) / (high - low)
        low, high = high, height(now)
    return now
