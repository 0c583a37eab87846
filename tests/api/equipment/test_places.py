"""What others see of a place, and what is checked of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import require

require("server")

from api.equipment.places import apart_km, code_notes, coded_place, rough_place  # noqa: E402


@given(latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), height=st.floats(-500, 9000))
def test_others_see_a_cell(latitude: float, longitude: float, height: float) -> None:
    seen = rough_place(latitude, longitude, height)
    assert abs(seen.latitude_deg - latitude) <= 0.005 + 1e-9
    assert abs(seen.longitude_deg - longitude) <= 0.005 + 1e-9
    assert abs(seen.height_m - height) <= 50
    assert len(repr(seen.latitude_deg).partition(".")[2]) <= 2
    assert rough_place(seen.latitude_deg, seen.longitude_deg, seen.height_m) == seen
    assert math.copysign(1, seen.latitude_deg) == 1 or seen.latitude_deg < 0


def test_neighbours_are_not_told_apart() -> None:
    assert rough_place(36.8217, 30.3352, 2485) == rough_place(36.8243, 30.3399, 2540)


def test_codes() -> None:
    known = coded_place("A84")
    assert known is not None
    assert "TUBITAK" in known.name.upper()
    assert known.latitude_deg == pytest.approx(36.82, abs=0.02)
    assert known.longitude_deg == pytest.approx(30.33, abs=0.02)
    assert coded_place("ZZZ") is None
    assert coded_place("500") is None
    assert code_notes("A84", known.latitude_deg, known.longitude_deg) == ()
    assert "check both" in code_notes("A84", 0.0, 0.0)[0]
    assert "installed table" in code_notes("X99", 0.0, 0.0)[0]
    assert apart_km(0, 0, 0, 1) == pytest.approx(111.3, abs=0.1)
