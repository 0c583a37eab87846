"""Projections, the offline coastline, and the map that is drawn with them."""

import io
import math
import re

import numpy as np
import pytest
from PIL import Image

from reduction.geometry import coast
from reduction.geometry.coast import LandMask
from reduction.geometry.maps import RADIUS_KM, Azimuthal, degrees_text, graticule_step
from reduction.geometry.path import shadow_path
from reduction.geometry.skyplane import sky_plane
from reduction.geometry.stations import Station
from reduction.outputs.path_map import draw_path_map, near_sites, near_view
from reduction.sites import Site
from tests.reduction.geometry.predictions import event


@pytest.mark.parametrize("kind", ["orthographic", "equidistant"])
@pytest.mark.parametrize("centre", [(0.0, 0.0), (-179.0, 65.0), (30.0, -90.0)])
def test_projections_return(kind: str, centre: tuple[float, float]) -> None:
    projection = Azimuthal(*centre, "orthographic" if kind == "orthographic" else "equidistant")
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-4400, 4400, (2, 200))
    longitude, latitude = projection.inverse(x, y)
    again = projection.forward(longitude, latitude)
    np.testing.assert_allclose(again[0], x, atol=1e-5)
    np.testing.assert_allclose(again[1], y, atol=1e-5)


def test_distances_from_the_centre_are_right_on_the_equidistant_map() -> None:
    projection = Azimuthal(10.0, 50.0, "equidistant")
    longitude, latitude = np.array([10.0, 190.0, 10.0]), np.array([51.0, -49.9, 40.0])
    x, y = projection.forward(longitude, latitude)
    expected = np.array([1.0, 179.9, 10.0]) * math.pi / 180 * RADIUS_KM
    np.testing.assert_allclose(np.hypot(x, y), expected, rtol=1e-9)
    assert y[0] > 0 > y[2]
    east, _ = projection.forward(np.array(11.0), np.array(50.0))
    assert east > 0


def test_behind_the_globe_and_beside_it_there_is_nothing() -> None:
    globe = Azimuthal(0.0, 0.0, "orthographic")
    assert np.isnan(globe.forward(np.array(120.0), np.array(0.0))[0])
    assert np.isnan(globe.inverse(np.array(6400.0), np.array(0.0))[0])


@pytest.mark.parametrize(
    ("value", "axis", "text"),
    [(-12.5, "longitude", "12.5°W"), (180.0, "longitude", "180°"), (190.0, "longitude", "170°W"),
     (0.0, "latitude", "0°"),
     (-0.5, "latitude", "0.5°S"), (360.0, "longitude", "0°")],
    ids=["west", "date", "beyond", "equator", "south", "round"],
)  # fmt: skip
def test_degrees_are_written_as_on_maps(value: float, axis: str, text: str) -> None:
    assert degrees_text(value, "longitude" if axis == "longitude" else "latitude") == text


def test_graticules_have_few_lines() -> None:
    for span in (0.5, 3.0, 25.0, 80.0, 170.0):
        assert 2 <= span / graticule_step(span) <= 8


def test_land_is_where_it_is() -> None:
    pytest.importorskip("global_land_mask", reason="the extra maps is not installed")
    places = (
        (2.35, 48.86, 1),
        (-5.0, 45.0, 0),
        (25.0, -30.0, 1),
        (-150.0, 10.0, 0),
        (178.0, -18.0, 1),
        (12.5, 41.9, 1),
    )
    longitude, latitude, expected = (np.array(one, dtype=float) for one in zip(*places, strict=True))
    whole = coast.world()
    assert whole is not None
    np.testing.assert_allclose(whole.at(longitude, latitude), expected, atol=0.5)
    assert 0.3 < float(whole.land.mean()) < 0.36  # of a grid of degrees, not of the area
    part = coast.window(176.0, 184.0, -20.0, -15.0)  # Fiji, over the date line
    assert part is not None
    assert part.step_deg == pytest.approx(1 / 120)
    assert part.at(np.array([178.0, -179.5]), np.array([-17.8, -19.5])).tolist() == [1.0, 0.0]


def test_masks_are_interpolated() -> None:
    mask = LandMask(np.array([[0, 1], [1, 1]], np.float32), 10.0, 20.0, 1.0)
    assert float(mask.at(np.array(21.0), np.array(9.5))) == pytest.approx(0.5)
    assert np.isnan(mask.at(np.array(np.nan), np.array(9.0)))


STATIONS = (
    Station(Site(latitude_deg=37.99, longitude_deg=-1.13, name="Murcia"), "positive"),
    Station(Site(latitude_deg=37.6, longitude_deg=-0.98, name="名前 <&>"), "negative"),
    Station(Site(latitude_deg=-30.0, longitude_deg=20.0, name="far"), "planned"),
)


def test_the_map_is_drawn_and_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coast, "_path", lambda: None)
    path = shadow_path(sky_plane(event()))
    first, again = (draw_path_map(path, STATIONS) for _ in range(2))
    assert first == again
    picture = np.asarray(Image.open(io.BytesIO(first)).convert("RGB")).astype(int)
    assert picture.shape == (814, 1452, 3)
    red, green, blue = np.moveaxis(picture, -1, 0)
    assert ((red > 150) & (green < 60) & (blue < 70)).sum() > 1000  # the path
    assert ((red < 60) & (green > 120) & (blue < 110)).sum() > 20  # the station that saw it


def test_without_a_coastline_the_map_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coast, "_path", lambda: None)
    text = draw_path_map(shadow_path(sky_plane(event())), (), "svg").decode()
    assert "no coastline installed" in text
    assert "(81879) 2000 LB11 occults" in text
    assert re.search(r"20:2\d", text)
    assert "°N" in text


def test_a_map_of_a_shadow_that_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coast, "_path", lambda: None)
    path = shadow_path(
        sky_plane(event(Elements_6="0.9", Elements_7="-0.9", Errors_0="", Errors_1="", Errors_4=""))
    )
    text = draw_path_map(path, STATIONS[:1], "svg").decode()
    assert "misses the Earth" in text
    assert "no uncertainty stated" in text


def test_the_neighbourhood_is_that_of_the_stations_near_the_path() -> None:
    path = shadow_path(sky_plane(event()))
    sites = near_sites(path, [station.site for station in STATIONS])
    assert [site.name for site in sites] == ["Murcia", "名前 <&>"]
    view = near_view(path, [site.longitude_deg for site in sites], [site.latitude_deg for site in sites])
    assert 60 <= view.up_km < 400
    assert view.projection.latitude_deg == pytest.approx(37.8, abs=0.1)
    wide = near_view(path, [], [])
    assert wide.up_km == 900
    far = near_sites(path, [STATIONS[2].site])
    assert [site.name for site in far] == ["far"]
