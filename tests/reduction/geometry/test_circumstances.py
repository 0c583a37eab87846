"""Stations' circumstances against an independent computation with astropy's coordinates."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

from reduction.geometry.circumstances import circumstances, event_geometry, geocentric
from reduction.geometry.occelmnt import read_occelmnt
from reduction.geometry.outline import Outline, circle
from reduction.geometry.path import shadow_path
from reduction.geometry.skyplane import sky_plane
from reduction.geometry.uncertainty import chance, path_error
from reduction.sites import Site
from tests.reduction.geometry.predictions import AstropySky, astropy_sky, event, event_text
from tests.sample_data import sample

BIG = {"Object_3": "900"}
SITES = (
    Site(latitude_deg=40.0, longitude_deg=-4.0, altitude_m=650),
    Site(latitude_deg=36.7, longitude_deg=-8.2),
    Site(latitude_deg=-0.25, longitude_deg=-78.5, altitude_m=2850),
    Site(latitude_deg=52.0, longitude_deg=21.0),
)
SAMPLES = ("astrid_UsageGuide_occult4.xml", "owc_81879_2000LB11.xml")


def nearest(sky: AstropySky, site: Site) -> float:
    """Seconds after the epoch at which the star is nearest to the body, by a search over vectors."""

    def apart(seconds: float) -> float:
        return float(np.hypot(*sky.star_from_body(site, seconds)))

    coarse = min(np.linspace(-1500, 1500, 61), key=apart)
    return float(
        minimize_scalar(apart, bounds=(coarse - 60, coarse + 60), method="bounded", options={"xatol": 1e-4}).x
    )


@pytest.mark.parametrize("number", range(len(SITES)))
def test_station_times_are_astropys(number: int) -> None:
    prediction, sky, site = event(**BIG), astropy_sky(event_text(**BIG)), SITES[number]
    (found,) = circumstances(sky_plane(prediction), [site])
    seconds = nearest(sky, site)
    assert (found.mid_ns - prediction.elements.epoch_ns) / 1e9 == pytest.approx(seconds, abs=0.002)
    f, g = sky.star_from_body(site, seconds)
    assert abs(found.offset_km) == pytest.approx(math.hypot(f, g), abs=0.01)
    assert (found.f_km, found.g_km) == pytest.approx((f, g), abs=0.05)
    assert found.offset_km * g > 0
    assert found.offset_angle_deg == pytest.approx(math.degrees(math.atan2(f, g)) % 360, abs=0.01)


@pytest.mark.parametrize("name", SAMPLES)
def test_station_times_of_the_samples_are_astropys(name: str) -> None:
    """To 0.1 s, asked for; found to 2 ms."""
    path = sample(f"occelmnt/{name}")
    texts = [one.split("</Event>")[0] for one in path.read_text().split("<Event>")[1:]]
    for prediction, text in zip(read_occelmnt(path).predictions, texts, strict=True):
        sky, plane = astropy_sky(text), sky_plane(prediction)
        for found in circumstances(plane, SITES[:2]):
            seconds = nearest(sky, found.site)
            assert (found.mid_ns - prediction.elements.epoch_ns) / 1e9 == pytest.approx(seconds, abs=0.002)


@pytest.mark.parametrize("name", SAMPLES)
def test_geocentric_durations_of_the_samples_are_the_files(name: str) -> None:
    for prediction in read_occelmnt(sample(f"occelmnt/{name}")).predictions:
        found = geocentric(sky_plane(prediction)).max_duration_s
        assert found == pytest.approx(prediction.elements.max_duration_s, rel=0.01)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_path_width_field_is_what_the_ellipse_makes(name: str) -> None:
    """The meaning of that field was found so: 1 + sigma across / diameter, for three events."""
    for prediction in read_occelmnt(sample(f"occelmnt/{name}")).predictions:
        found = geocentric(sky_plane(prediction)).across_sigma_km
        assert found is not None
        assert prediction.errors.path_width_ratio is not None
        assert found / prediction.body.diameter_km + 1 == pytest.approx(
            prediction.errors.path_width_ratio, abs=0.004
        )


@pytest.mark.parametrize(
    "outline",
    [
        circle(900),
        Outline(semi_major_km=520, semi_minor_km=300, position_angle_deg=130, centre_f_km=30, centre_g_km=-9),
    ],
    ids=["circle", "ellipse"],
)
def test_contacts_lie_on_the_outline(outline: Outline) -> None:
    prediction, sky = event(**BIG), astropy_sky(event_text(**BIG))
    (found,) = circumstances(sky_plane(prediction), SITES[:1], outline)
    angle = math.radians(outline.position_angle_deg)
    middle = (found.mid_ns - prediction.elements.epoch_ns) / 1e9

    def height(seconds: float) -> float:
        f, g = sky.star_from_body(SITES[0], seconds) - np.array([outline.centre_f_km, outline.centre_g_km])
        along = f * math.sin(angle) + g * math.cos(angle)
        across = f * math.cos(angle) - g * math.sin(angle)
        return float((along / outline.semi_major_km) ** 2 + (across / outline.semi_minor_km) ** 2 - 1)

    d, r = brentq(height, middle - 90, middle), brentq(height, middle, middle + 90)
    assert found.disappearance is not None
    assert found.reappearance is not None
    for contact, seconds in ((found.disappearance, d), (found.reappearance, r)):
        assert (contact.utc_ns - prediction.elements.epoch_ns) / 1e9 == pytest.approx(seconds, abs=0.001)
        rate = (height(seconds + 0.5) - height(seconds - 0.5)) / 1.0
        step = 0.01
        place = sky.star_from_body(SITES[0], seconds)

        def at(f: float, g: float) -> float:
            p: list[float] = list(np.array([f, g]) - np.array([outline.centre_f_km, outline.centre_g_km]))
            along = p[0] * math.sin(angle) + p[1] * math.cos(angle)
            across = p[0] * math.cos(angle) - p[1] * math.sin(angle)
            return float((along / outline.semi_major_km) ** 2 + (across / outline.semi_minor_km) ** 2)

        gradient = [
            (at(place[0] + step, place[1]) - at(place[0] - step, place[1])) / (2 * step),
            (at(place[0], place[1] + step) - at(place[0], place[1] - step)) / (2 * step),
        ]
        assert contact.normal_velocity_km_s == pytest.approx(abs(rate) / math.hypot(*gradient), rel=1e-3)
    assert found.duration_s == pytest.approx(r - d, abs=0.002)
    geometry = event_geometry(sky_plane(prediction), found)
    assert geometry.velocity_km_s == pytest.approx(found.chord_km / found.duration_s)
    assert 0 < geometry.normal_d <= 1


def test_star_sun_and_moon_stand_where_astropy_sees_them() -> None:
    from astropy import units as u
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
    from astropy.time import Time

    prediction = event()
    plane = sky_plane(prediction)
    for site in SITES:
        (found,) = circumstances(plane, [site])
        place = EarthLocation.from_geodetic(site.longitude_deg, site.latitude_deg, site.altitude_m)
        time = Time(found.mid_ns / 1e9, format="unix", scale="utc")
        frame = AltAz(obstime=time, location=place)
        star = SkyCoord(prediction.star.ra_deg, prediction.star.dec_deg, unit="deg").transform_to(frame)
        assert found.star_altitude_deg == pytest.approx(star.alt.deg, abs=0.001)
        assert found.star_azimuth_deg == pytest.approx(star.az.deg, abs=0.002)
        sun, moon = (get_body(one, time, place).transform_to(frame) for one in ("sun", "moon"))
        assert found.sun_altitude_deg == pytest.approx(sun.alt.deg, abs=0.02)
        assert found.moon.altitude_deg == pytest.approx(moon.alt.deg, abs=0.02)
        apart = math.degrees(
            math.acos(
                math.sin(star.alt.rad) * math.sin(moon.alt.rad)
                + math.cos(star.alt.rad) * math.cos(moon.alt.rad) * math.cos(star.az.rad - moon.az.rad)
            )
        )
        assert found.moon.from_star_deg == pytest.approx(apart, abs=0.02)
        elongation = sun.cartesian.xyz.value @ moon.cartesian.xyz.value
        elongation /= np.linalg.norm(sun.cartesian.xyz.value) * np.linalg.norm(moon.cartesian.xyz.value)
        assert found.moon.lit == pytest.approx((1 - elongation) / 2, abs=0.003)
        assert u.deg.is_equivalent(u.rad)


def test_a_miss_has_no_contacts_and_a_small_chance() -> None:
    (found,) = circumstances(sky_plane(event()), [SITES[3]])
    assert found.disappearance is None
    assert found.duration_s == 0
    assert found.probability is not None
    assert found.probability < 1e-6
    assert event_geometry(sky_plane(event()), found).normal_d == 1


def test_elements_for_another_instant_give_the_same() -> None:
    """The same motion counted from half an hour later: X, Y moved along."""
    x, dx, y, dy = -0.1755468, 5.8328637, 0.3008027, 3.4196768
    straight = {f"Elements_{n}": "0" for n in range(10, 14)}
    plain = sky_plane(event(**BIG, **straight))
    later = {
        "Elements_5": repr(20.3240273 + 0.5),
        "Elements_6": repr(x + dx / 2),
        "Elements_7": repr(y + dy / 2),
    }
    moved = sky_plane(event(**BIG, **straight, **later, Earth_0=""))
    (one,), (other,) = circumstances(plain, SITES[:1]), circumstances(moved, SITES[:1])
    assert one.mid_ns == pytest.approx(other.mid_ns, abs=20_000_000)  # the star's aberration in half an hour
    assert one.offset_km == pytest.approx(other.offset_km, abs=0.05)
    assert geocentric(plain).nearest_km == pytest.approx(geocentric(moved).nearest_km, abs=0.01)
    assert shadow_path(moved).lines[0].traces[0].utc_ns[0] == pytest.approx(
        shadow_path(plain).lines[0].traces[0].utc_ns[0], abs=30_000_000
    )


def test_the_recipe_of_the_format_agrees() -> None:
    """Hour angle from the file's substellar longitude, a constant rate, no light-time."""
    prediction = event(**BIG)
    for found in circumstances(sky_plane(prediction), SITES):
        site = found.site
        lat = math.radians(site.latitude_deg)
        n = 6378.14 / math.sqrt(1 - (1 - (6356.755 / 6378.14) ** 2) * math.sin(lat) ** 2)
        cos = (n + site.altitude_m / 1000) * math.cos(lat)
        sin = (n * (6356.755 / 6378.14) ** 2 + site.altitude_m / 1000) * math.sin(lat)
        dec = math.radians(3.4294840)

        def apart(
            t: float, cos: float = cos, sin: float = sin, lon: float = site.longitude_deg, dec: float = dec
        ) -> float:
            hour = math.radians(lon + 20.0514) + 0.2625161 * t
            xi, eta = cos * math.sin(hour), sin * math.cos(dec) - cos * math.cos(hour) * math.sin(dec)
            x = -0.1755468 + 5.8328637 * t + 0.0056381 * t**2 + 0.0000003 * t**3
            y = 0.3008027 + 3.4196768 * t + 0.0002877 * t**2 - 0.0000005 * t**3
            return math.hypot(6378.137 * x - xi, 6378.137 * y - eta)

        hours = float(minimize_scalar(apart, bounds=(-0.4, 0.4), method="bounded", options={"xatol": 1e-9}).x)
        seconds = (found.mid_ns - prediction.elements.epoch_ns) / 1e9
        assert hours * 3600 == pytest.approx(seconds, abs=0.1)
        assert apart(hours) == pytest.approx(abs(found.offset_km), abs=0.7)


def test_no_stated_error_no_probability() -> None:
    plane = sky_plane(event(Errors_0="", Errors_1="", Errors_2="", Errors_4=""))
    assert path_error(plane) is None
    assert circumstances(plane, SITES[:1])[0].probability is None
    assert geocentric(plane).across_sigma_km is None


def test_errors_that_contradict_are_told() -> None:
    error = path_error(sky_plane(event(Errors_0="9.0")))
    assert error is not None
    assert "384" in error.notes[0]


def test_a_single_sigma_holds_in_all_directions() -> None:
    error = path_error(sky_plane(event(Errors_1="", Errors_0="", Errors_4="0.01")))
    assert error is not None
    assert error.along(np.array([1.0, 0.3])) == pytest.approx(16.407, rel=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 300), st.floats(1, 100), st.floats(0.5, 100), st.floats(0, 20))
def test_the_chance_is_an_integral(offset: float, radius: float, across: float, radius_sigma: float) -> None:
    spread = math.hypot(across, radius_sigma)

    def density(x: float) -> float:
        return math.exp(-0.5 * ((x - offset) / spread) ** 2) / spread / math.sqrt(2 * math.pi)

    expected = quad(density, -radius, radius)[0]
    assert chance(offset, radius, across, radius_sigma) == pytest.approx(expected, abs=1e-6)


def test_a_certain_path_is_hit_or_missed() -> None:
    assert chance(4.9, 5.0, 0.0) == 1
    assert chance(5.1, 5.0, 0.0) == 0
