"""Countries of places: a small atlas with all that is odd about borders; what people type is not shown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.requirements import missing, require

require("server")

from api.statistics import countries  # noqa: E402 - after the check for the extra
from api.statistics.countries import UNKNOWN, Country, Gazetteer, read_atlas  # noqa: E402

WORLD = {
    "Turkey": [(36.82, 30.34), (41.0, 28.9)], "Russia": [(55.7, 37.6), (66.0, 175.0), (66.0, -172.0)],
    "Fiji": [(-17.8, 178.0), (-16.8, -179.9)], "Antarctica": [(-80.0, 0.0), (-89.99, 77.0), (-75.1, 123.3)],
    "France": [(43.93, 5.71), (-21.2, 55.57), (4.9, -52.3)], "Spain": [(28.3, -16.51), (37.06, -3.38)],
    "Chile": [(-24.62, -70.4), (-29.26, -70.73)], "Argentina": [(-31.8, -69.3)], "Lesotho": [(-29.6, 28.2)],
    "United States of America": [(64.8, -147.7), (19.82, -155.47), (31.96, -111.6)], "Italy": [(45.0, 7.75)],
    "South Africa": [(-32.38, 20.81)], "Japan": [(34.58, 133.59)], "United Kingdom": [(51.48, 0.0)],
    UNKNOWN: [(0.0, 0.0), (90.0, 0.0), (25.0, -40.0)],
}  # fmt: skip


def document() -> dict[str, Any]:
    """Two neighbours that share an arc, one with a hole; one across the date line; one round the pole."""
    return {
        "transform": {"scale": [1, 1], "translate": [-180, -90]},
        "arcs": [
            # absolute, then differences: the shared border of Left and Right, x = 10, from y = 0 to y = 10
            [[190, 90], [0, 10]],
            [[190, 100], [-10, 0], [0, -10], [10, 0]],
            [[190, 90], [10, 0], [0, 10], [-10, 0]],
            [[183, 93], [4, 0], [0, 4], [-4, 0], [0, -4]],
            [[350, 70], [-340, 0], [0, 10], [340, 0], [0, -10]],
            [[0, 20], [120, 0], [120, 0], [120, 0]],
        ],
        "objects": {
            "countries": {
                "geometries": [
                    {"type": "Polygon", "arcs": [[0, 1], [3]], "properties": {"name": "Left"}},
                    {"type": "MultiPolygon", "arcs": [[[~0, 2]]], "properties": {"name": "Right"}},
                    {"type": "Polygon", "arcs": [[4]], "properties": {"name": "Dateline"}},
                    {"type": "Polygon", "arcs": [[5]], "properties": {"name": "Pole"}},
                    {"type": None, "properties": {"name": "Nowhere"}},
                ]
            }
        },
    }


def at(known: tuple[Country, ...], latitude: float, longitude: float) -> list[str]:
    return [one.name for one in known if one.holds(np.array([[longitude, latitude]]))[0]]


def test_shapes() -> None:
    known = read_atlas(document())
    assert [one.name for one in known] == ["Dateline", "Left", "Pole", "Right"]
    assert at(known, 1.5, 1.5) == ["Left"]
    assert at(known, 5.0, 5.0) == [], "the hole"
    assert at(known, 5.0, 11.0) == ["Right"]
    assert at(known, 5.0, -1.0) == at(known, 11.0, 5.0) == []
    for longitude in (175.0, 179.9, -179.9, -175.0):
        assert at(known, -15.0, longitude) == ["Dateline"]
    assert at(known, -15.0, 0.0) == at(known, -15.0, 165.0) == []
    for longitude in (-179.9, -60.5, 0.0, 90.0, 179.9):
        assert at(known, -75.0, longitude) == at(known, -89.9, longitude) == ["Pole"]
    assert at(known, -69.0, 0.0) == []


def test_near_a_coast() -> None:
    left = next(one for one in read_atlas(document()) if one.name == "Left")
    places = np.array([(0.0, -0.1), (-0.2, 10.0), (-5.0, 0.0), (0.0, 12.0)])
    # degrees of longitude are shorter at 10 degrees of latitude
    assert left.apart_deg(places) == pytest.approx([0.1, 0.19696, float("inf"), float("inf")], abs=1e-5)


@pytest.mark.parametrize("name", WORLD)
def test_the_world(name: str) -> None:
    if not countries.atlas():
        missing("islands", "world-atlas: npm ci --ignore-scripts in api/web/islands")
    places = [(latitude, longitude, "") for latitude, longitude in WORLD[name]]
    assert Gazetteer().countries(places) == [name] * len(places)


@pytest.fixture
def no_atlas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Where npm was never run."""
    countries.atlas.cache_clear()
    monkeypatch.setattr(countries, "ATLAS", tmp_path)
    yield
    countries.atlas.cache_clear()


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("Türkiye", "Turkey"), ("TURKEY", "Turkey"), ("tr", "Turkey"), ("  Spain ", "Spain"), ("ES", "Spain"),
        ("España", "Spain"), ("U.S.A.", "United States of America"), ("Great  Britain", "United Kingdom"),
        ("Czechia", "Czechia"), ("", UNKNOWN), ("Atlantis", UNKNOWN), ("<script>", UNKNOWN),
        ("=1+1", UNKNOWN),
    ],
)  # fmt: skip
def test_without_borders_what_is_stated(no_atlas: None, stated: str, name: str) -> None:
    assert Gazetteer().countries([(36.82, 30.34, stated), (36.82, 30.34, "")]) == [name, UNKNOWN]
