"""Distance to a path against all its points, one by one; what is sorted out beforehand."""

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reduction.geometry.circumstances import circumstances, window_ns
from reduction.geometry.earth import geodetic_of, itrs_km
from reduction.geometry.nearby import Track, may_pass, path_distance_km
from reduction.geometry.path import ground_points
from reduction.geometry.prediction import Prediction
from reduction.geometry.skyplane import SkyPlane, sky_plane
from reduction.sites import Site
from tests.reduction.geometry.predictions import event

CASES = {
    "asteroid": {},
    "wide": {"Object_3": "1200.0"},
    "slow": {"Elements_8": "0.5", "Elements_9": "0.2"},
    "polar star": {"Star_2": "88.5", "Star_10": "88.5"},
    "graze": {"Elements_6": "0.2", "Elements_7": "-1.0"},
}
PLACES = [(-22.11, -27.6), (40.95, -32.69), (30.47, 13.73), (36.8, 30.3), (80.0, 170.0), (10.71, -86.36)]


def case(name: str) -> Prediction:
    return event(**CASES[name])


@cache
def points(name: str) -> NDArray[np.float64]:
    """The whole band, point by point, km."""
    plane = sky_plane(case(name))
    begin, end = window_ns(plane)
    radius = plane.prediction.body.diameter_km / 2
    times = np.linspace(begin, end, 8001).astype(np.int64)
    rows = [ground_points(plane, times, float(o))[0] for o in np.linspace(-radius, radius, 17)]
    every = np.concatenate(rows)
    return every[np.isfinite(every[:, 0])]


def track(one: Prediction) -> Track:
    e = one.elements
    return Track(
        e.epoch_ns,
        e.x_earth_radii,
        e.y_earth_radii,
        one.star.ra_hours,
        one.star.dec_deg,
        one.body.diameter_km,
    )


def by_points(name: str, latitude: float, longitude: float) -> float:
    every = points(name)
    if not every.size:
        return math.inf
    straight = float(np.linalg.norm(every - itrs_km(longitude, latitude), axis=1).min())
    return 2 * 6371.0088 * math.asin(min(1.0, straight / 2 / 6371.0088))


@pytest.mark.parametrize("name", list(CASES))
def test_distance_is_that_of_the_nearest_point(name: str) -> None:
    plane = sky_plane(case(name))
    for latitude, longitude in PLACES:
        found, slow = path_distance_km(plane, latitude, longitude), by_points(name, latitude, longitude)
        # the band's ends, where the star rises and sets, are known to some 20 km, by either
        assert found == pytest.approx(slow, abs=3 + 0.01 * slow), (latitude, longitude)


def star_is_low(plane: SkyPlane, latitude: float, longitude: float) -> bool:
    """Whether it is within 2 degrees of the horizon, where a path's end is known to tens of km."""
    site = Site(latitude_deg=latitude, longitude_deg=longitude)
    return circumstances(plane, [site])[0].star_altitude_deg < 2


@pytest.mark.parametrize("name", list(CASES))
def test_places_inside_are_at_no_distance(name: str) -> None:
    plane, every = sky_plane(case(name)), points(name)
    longitude, latitude, _ = geodetic_of(every[:: max(1, len(every) // 23)])
    for east, north in zip(longitude, latitude, strict=True):
        found = path_distance_km(plane, float(north), float(east))
        assert found < (50 if star_is_low(plane, float(north), float(east)) else 0.01)


@given(
    latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), name=st.sampled_from(sorted(CASES)),
    slack=st.sampled_from([0.1, 100.0]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_nothing_near_is_sorted_out(latitude: float, longitude: float, name: str, slack: float) -> None:
    slow = by_points(name, latitude, longitude)
    if math.isfinite(slow):
        assert may_pass([track(case(name))], latitude, longitude, slow + slack).all()


def test_most_of_what_is_far_is_sorted_out() -> None:
    rng = np.random.default_rng(4)
    latitudes, longitudes = np.degrees(np.arcsin(rng.uniform(-1, 1, 300))), rng.uniform(-180, 180, 300)
    one = [track(case("asteroid"))]
    kept = sum(
        bool(may_pass(one, float(lat), float(lon), 100.0)[0])
        for lat, lon in zip(latitudes, longitudes, strict=True)
    )
    assert kept < 30
    assert may_pass([], 0.0, 0.0, 10.0).shape == (0,)


def test_a_shadow_that_misses_the_earth_is_infinitely_far() -> None:
    far = event(Elements_6="3.0", Elements_7="3.0", Elements_8="0.5", Elements_9="-0.5")
    assert path_distance_km(sky_plane(far), 10.0, 20.0) == math.inf
    assert not may_pass([track(far)], 10.0, 20.0, 500.0).any()
