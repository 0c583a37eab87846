"""The sky plane against astropy's own coordinates, and its signs."""

import warnings

import numpy as np
import pytest

from reduction.geometry.earth import geodetic_of, itrs_km, itrs_of, rotation_at
from reduction.geometry.occelmnt import read_occelmnt
from reduction.geometry.skyplane import sky_plane, sora_plane
from reduction.sites import Site
from tests.reduction.geometry.predictions import astropy_sky, event, event_text, far_and_wide, rates_of_orbit
from tests.requirements import require
from tests.sample_data import sample

SECOND = 1_000_000_000
DECLINATIONS = ("3.4395323", "-0.5312", "-0.0001", "-62.7", "88.9")


@pytest.mark.parametrize("dec", DECLINATIONS)
def test_every_site_sees_what_astropy_says(dec: str) -> None:
    changes = {"Star_2": dec, "Star_10": dec}
    prediction, sky = event(**changes), astropy_sky(event_text(**changes))
    for k, site in enumerate(far_and_wide()):
        seconds = (-3600.0, -700.0, 0.0, 61.25, 3000.0)[k % 5]
        f, g = sora_plane(prediction, site, prediction.elements.epoch_ns + round(seconds * SECOND))
        twin = sky.star_from_body(site, seconds)
        assert np.hypot(f - twin[0], g - twin[1]) < 0.002, (site, seconds)  # km; 10 m would be 0.01


def test_many_times_at_once_are_the_times_one_by_one() -> None:
    prediction, site = event(), Site(latitude_deg=52, longitude_deg=5)
    times = prediction.elements.epoch_ns + np.arange(-3, 4, dtype=np.int64) * 97 * SECOND
    f, g = sora_plane(prediction, site, times)
    each = [sora_plane(prediction, site, int(t)) for t in times]
    np.testing.assert_allclose(f, [one[0] for one in each], rtol=0, atol=1e-9)
    np.testing.assert_allclose(g, [one[1] for one in each], rtol=0, atol=1e-9)


def test_east_of_the_body_is_positive() -> None:
    """An eastern observer sees the body west of where a western one does: the star is east of it."""
    prediction = event(Star_2="0.0", Elements_6="0", Elements_7="0")
    plane = sky_plane(prediction)
    longitude, latitude = plane.substellar_deg
    middle, east, north = (
        Site(latitude_deg=latitude + up, longitude_deg=longitude + right)
        for right, up in ((0.0, 0.0), (5.0, 0.0), (0.0, 5.0))
    )
    at = prediction.elements.epoch_ns
    f0, g0 = sora_plane(prediction, middle, at)
    f, g = sora_plane(prediction, east, at)
    assert f - f0 == pytest.approx(6378 * np.sin(np.radians(5)), rel=0.01)
    assert abs(g - g0) < 5
    f, g = sora_plane(prediction, north, at)
    assert g - g0 == pytest.approx(6340 * np.sin(np.radians(5)), rel=0.01)


def test_the_shadow_moves_as_the_elements_say() -> None:
    """Seen from the ground without its turning, f falls as X grows."""
    plane = sky_plane(event())
    at = plane.prediction.elements.epoch_ns
    rate = plane.velocity_km_s(np.zeros(3), at, axes="date")
    np.testing.assert_allclose(rate, np.array([-5.8328637, -3.4196768]) * 6378.137 / 3600, rtol=1e-6)
    shadow = (plane.shadow_km(at + SECOND) - plane.shadow_km(at - SECOND)) / 2
    np.testing.assert_allclose(shadow, -rate, rtol=1e-6)


def test_axes_of_date_and_of_icrs_differ_by_precession() -> None:
    """A fixed direction's position angle grows by n sin(alpha) / cos(delta), n = 20.04 arcsec a year."""
    plane = sky_plane(event())
    expected = 20.04 / 206265 * 26.19 * np.sin(np.radians(93.97)) / np.cos(np.radians(3.44))
    assert -plane.turn_rad == pytest.approx(expected, rel=0.02)
    there = np.array([[1.0, 0.0], [0.3, -2.0]])
    np.testing.assert_allclose(plane.of_date(plane.in_icrs(there)), there, atol=1e-12)


@pytest.mark.parametrize("name", ["astrid_UsageGuide_occult4.xml", "owc_81879_2000LB11.xml"])
def test_rates_of_the_samples_are_those_of_their_orbits_in_icrs(name: str) -> None:
    """Two-body motion from the file's own orbit (J2000): its rates are X', Y' turned from the axes of date.

    Places would tell less: angles of 0.0001 degrees are 1,000 km. Without the turn the rates differ by 0.016.
    """
    for prediction in read_occelmnt(sample(f"occelmnt/{name}")).predictions:
        plane = sky_plane(prediction)
        elements = prediction.elements
        said = plane.in_icrs(np.array([elements.x_earth_radii[1], elements.y_earth_radii[1]]))
        np.testing.assert_allclose(said, rates_of_orbit(prediction), rtol=0, atol=1e-3)


def test_the_substellar_point_is_that_of_the_file() -> None:
    plane = sky_plane(event())
    longitude, latitude = plane.substellar_deg
    assert longitude == pytest.approx(-20.0514, abs=4e-4)  # OWC takes UT1 = UTC: 0.06 s
    assert latitude == pytest.approx(3.4295, abs=1e-4)
    assert plane.contradictions() == []


def test_a_file_at_odds_with_itself_is_told() -> None:
    notes = sky_plane(event(Star_9="6.28772718", Star_10="3.5", Earth_0="-21.0")).contradictions()
    assert len(notes) == 2
    assert "253.9 arcsec" in notes[0]
    assert "-0.948" in notes[1]


def test_a_date_beyond_the_table_is_told() -> None:
    notes = sky_plane(event(Elements_2="2150", Earth_0="", Star_9="")).contradictions()
    assert len(notes) == 1
    assert "UT1" in notes[0]


def test_geodetic_places_return() -> None:
    for site in far_and_wide():
        longitude, latitude, height = geodetic_of(itrs_of(site))
        assert latitude == pytest.approx(site.latitude_deg, abs=1e-9)
        assert longitude == pytest.approx(site.longitude_deg, abs=1e-7)
        assert height == pytest.approx(site.altitude_m, abs=1e-4)


def test_the_earth_turns_back() -> None:
    rotation = rotation_at(1_773_260_646_498_280_000)
    places = itrs_km([0.0, 100.0, -170.0], [10.0, -80.0, 45.0])
    times = np.array([0, 3600, -7200], np.int64) * SECOND + 1_773_260_646_498_280_000
    sky = rotation.gcrs_from_itrs(places, times)
    np.testing.assert_allclose(rotation.itrs_from_gcrs(sky, times), places, atol=1e-9)
    assert rotation.ut1_utc_s == pytest.approx(0.06268, abs=1e-4)


def test_an_observer_stands_where_sora_has_them() -> None:
    """SORA projects on the catalogue direction: the same to 10 m; the apparent one shifts it by < 0.7 km."""
    require("sora")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astropy.coordinates import SkyCoord
        from astropy.time import Time
        from sora.observer import Observer

        plane = sky_plane(event())
        star = plane.prediction.star
        direction = SkyCoord(star.ra_deg, star.dec_deg, unit="deg")
        xyz = np.asarray(direction.cartesian.xyz.value)
        east = np.cross([0.0, 0.0, 1.0], xyz) / np.hypot(xyz[0], xyz[1])
        north = np.cross(xyz, east)
        at = 1_773_260_630_000_000_000
        for site in far_and_wide()[1::7]:
            observer = Observer(
                name="x", lon=site.longitude_deg, lat=site.latitude_deg, height=site.altitude_m
            )
            theirs = observer.get_ksi_eta(Time(at / 1e9, format="unix", scale="utc"), direction)
            place = plane.rotation.gcrs_from_itrs(itrs_of(site), at)
            assert (place @ east, place @ north) == pytest.approx(theirs, abs=0.01)
            ours = plane.in_icrs(plane.observer_km(itrs_of(site), at)[:2])
            assert np.hypot(*(ours - np.array(theirs))) < 0.7
