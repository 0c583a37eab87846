from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reduction.angles import sexagesimal, sexagesimal_degrees, sexagesimal_text, signed_longitude


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("+52 58 48.5", 52 + 58 / 60 + 48.5 / 3600),
        ("+013 22 13.7", 13 + 22 / 60 + 13.7 / 3600),
        ("-36 50  7.4", -(36 + 50 / 60 + 7.4 / 3600)),
        ("-00 12 33.4", -(12 / 60 + 33.4 / 3600)),
        ("-0 0 0.5", -0.5 / 3600),
        ("36 50 07.4 S", -(36 + 50 / 60 + 7.4 / 3600)),
        ("W 70 30.5", -(70 + 30.5 / 60)),
        ("13°22'13.7\"E", 13 + 22 / 60 + 13.7 / 3600),
        ("12h34m56s", 12 + 34 / 60 + 56 / 3600),
        ("−0,5", -0.5),
        ("174.6579", 174.6579),
        ("+174 43 45. ", 174 + 43 / 60 + 45 / 3600),
    ],
)
def test_angles_as_people_write_them(text: str, degrees: float) -> None:
    assert sexagesimal_degrees(text) == pytest.approx(degrees, abs=1e-12)


@pytest.mark.parametrize(
    "text", ["", "-", "12 60 00", "12 10 60", "1.5 10 0", "1 2 3 4", "abc", "12 -5 0", "1" * 99]
)
def test_what_is_no_angle_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"angle|below 60"):
        sexagesimal_degrees(text)


@given(st.floats(-180, 180), st.integers(0, 3))
@example(59.99999999, 1)
@example(-0.99999999, 0)
@example(-1e-9, 2)
@example(29.9999861111, 1)
def test_no_sixties_and_no_lost_sign(degrees: float, digits: int) -> None:
    sign, whole, minute, second = sexagesimal(degrees, digits)
    assert minute < 60
    assert second < 60
    # the obvious twin, in decimal arithmetic
    ticks = (abs(Decimal(degrees)) * 3600 * 10**digits).quantize(Decimal(1), ROUND_HALF_UP)
    mine = Decimal(whole * 3600 + minute * 60) * 10**digits + Decimal(round(second * 10**digits))
    assert abs(mine - ticks) <= 1  # one unit where binary halves fall
    again = sexagesimal_degrees(sexagesimal_text(degrees, digits, 3))
    assert abs(again - degrees) <= 0.5001 / 3600 / 10**digits + 1e-12
    assert (sign == "-") == (degrees < 0 and mine > 0)


def test_text_has_leading_zeros() -> None:
    assert sexagesimal_text(-0.004, 1) == "-00 00 14.4"
    assert sexagesimal_text(13.3704722, 1, 3) == "+013 22 13.7"
    assert sexagesimal_text(59.9999999, 0) == "+60 00 00"
    assert sexagesimal_text(-5.5, 2) == "-05 30 00.00"


@given(st.floats(-720, 720))
def test_longitudes_are_east_positive_and_within_half_a_turn(degrees: float) -> None:
    turned = signed_longitude(degrees)
    assert -180 < turned <= 180
    assert abs((degrees - turned) / 360 - round((degrees - turned) / 360)) < 1e-9
