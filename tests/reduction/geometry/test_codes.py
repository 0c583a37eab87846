"""Observatory codes: known places, their precision, codes without a place."""

import pytest

from reduction.errors import RequestError
from reduction.geometry.codes import observatory


def test_a_known_observatory_is_where_it_is() -> None:
    """Paranal (VLT): 24 37 38 S, 70 24 15 W, 2,635 m (ESO)."""
    found = observatory("309")
    assert found.site.latitude_deg == pytest.approx(-24.6272, abs=0.002)
    assert found.site.longitude_deg == pytest.approx(-70.4042, abs=0.002)
    assert found.site.altitude_m == pytest.approx(2635, abs=40)
    assert found.site.code == "309"
    assert found.precision_m < 5


def test_a_coarse_place_says_so() -> None:
    found = observatory("003")  # longitude 3.9, three decimals of the parallax constants
    assert found.precision_m > 3000
    assert found.site.altitude_m == 0
    assert "height is not usable" in found.note


@pytest.mark.parametrize("code", ["500", "247", "C51", "275"])
def test_codes_without_a_place(code: str) -> None:
    with pytest.raises(RequestError, match="no fixed place"):
        observatory(code)


def test_an_unknown_code() -> None:
    with pytest.raises(RequestError, match="not in the installed table"):
        observatory("???")


def test_small_letters_will_do() -> None:
    assert observatory(" w84 ").site.name.startswith("Cerro Tololo")
