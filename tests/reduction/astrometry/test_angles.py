"""Places on the sky as people write them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reduction.astrometry.angles import dec_text, parse_length, parse_position, ra_text
from reduction.errors import RequestError


@pytest.mark.parametrize(
    ("text", "ra", "dec"),
    [
        ("187.25,-0.5033", 187.25, -0.5033),
        ("12 29 00, -00 30 12", 187.25, -(30 / 60 + 12 / 3600)),
        ("12:29:00.00,-00:30:12.0", 187.25, -(30 / 60 + 12 / 3600)),
        ("12h29m00s,-00d30m12s", 187.25, -(30 / 60 + 12 / 3600)),
        ("12h 29m 0.0s,+00°30'12\"", 187.25, 30 / 60 + 12 / 3600),
        ("0,−90", 0.0, -90.0),
        ("00:00:00,-00:00:01", 0.0, -1 / 3600),
        ("12h29m,-00d30m", 187.25, -0.5),
        ("359.9999d,+89.5d", 359.9999, 89.5),
    ],
)  # fmt: skip
def test_places_are_read(text: str, ra: float, dec: float) -> None:
    place = parse_position(text, "--center")
    assert place.ra_deg == pytest.approx(ra, abs=1e-12)
    assert place.dec_deg == pytest.approx(dec, abs=1e-12)
    assert np.signbit(place.dec_deg) == (dec < 0)


@pytest.mark.parametrize(
    "text",
    ["", "12", "1,2,3", "-10,5", "360,0", "24:00:00,0", "10,91", "12:60:00,0", "12:00:60,0", "12:29:00,--1",
     "a,b", "12 29 00 -00 30 12", "nan,0", "inf,0", "1e3,0", "12:29:00,-00:30:12:5",
     "١٢,٣", "12h,5", "12 29,-00 30"],
)  # fmt: skip
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--center"):
        parse_position(text, "--center")


def test_digits_given_tell_how_sure_a_place_is() -> None:
    whole = parse_position("12:29:00,-00:30:12", "x").sigma_deg * 3600
    assert whole == pytest.approx(15 / np.sqrt(12), rel=1e-3)  # a second of time is 15 seconds of arc
    assert parse_position("187.2500000,-0.5033000", "x").sigma_deg * 3600 < 0.001


@given(st.floats(0, 359.99999), st.floats(-89.9999, 89.9999))
def test_written_places_are_read_again(ra: float, dec: float) -> None:
    again = parse_position(f"{ra_text(ra, 5)},{dec_text(dec, 4)}", "x")
    assert abs((again.ra_deg - ra + 180) % 360 - 180) < 1e-7
    assert again.dec_deg == pytest.approx(dec, abs=1e-7)


@pytest.mark.parametrize(
    ("text", "degrees"), [("1.5", 1.5), ("90'", 1.5), ('5400"', 1.5), ("0.5d", 0.5), ("30 arcmin", 0.5)]
)
def test_lengths(text: str, degrees: float) -> None:
    assert parse_length(text, "--radius") == pytest.approx(degrees)


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1e9", "91", "nan"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--radius"):
        parse_length(text, "--radius")
