from datetime import date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reduction.record import EdgeTime, Timing
from reduction.reports.clock import (
    DAY_NS,
    accuracy,
    accuracy_s,
    clock,
    clock_ns,
    digits_for,
    error_text,
    near,
    on,
    rounded_up,
)

SECOND = 10**9


@given(st.integers(0, 4 * 10**18), st.integers(0, 6))
@example(86_399_960_000_000, 1)
@example(59_999_999_999, 3)
@example(3_599_999_999_999, 0)
def test_a_clock_is_rounded_as_a_whole(ns: int, digits: int) -> None:
    found = clock(ns, digits)
    assert found.minute < 60
    assert found.second < 60
    assert found.hour < 24
    back = clock_ns(found.text())
    off = (back - ns + DAY_NS // 2) % DAY_NS - DAY_NS // 2
    assert abs(off) <= 10**9 / 10**digits / 2 + 1
    # the obvious twin
    near_by = datetime(1970, 1, 1) + timedelta(microseconds=ns // 1000)
    if digits == 0 and near_by.microsecond not in {499_999, 500_000}:
        twin = near_by + timedelta(microseconds=500_000)
        assert found.text() == f"{twin:%H:%M:%S}"


def test_hours_go_on_after_midnight_where_a_day_is_named() -> None:
    ns = on(date(2026, 3, 12), 90 * SECOND)
    assert clock(ns, 1, date(2026, 3, 11)).text(" ") == "24 01 30.0"
    assert clock(ns, 1).text() == "00:01:30.0"
    assert clock(on(date(2026, 3, 11), DAY_NS - 40_000_000), 1).text() == "00:00:00.0"
    assert clock(on(date(2026, 3, 11), DAY_NS - 40_000_000), 1, date(2026, 3, 11)).text() == "24:00:00.0"


def test_seconds_are_filled_as_asked() -> None:
    assert clock(4_600_000_000, 1).seconds_text(" ") == " 4.6"
    assert clock(4_600_000_000, 1).seconds_text("0") == "04.6"
    assert clock(4_600_000_000, 0).seconds_text("0") == "05"


@pytest.mark.parametrize("text", ["", "1:2", "10:60:00", "10:10:60", "a:b:c", "10:10:10:10", "٣:10:10"])
def test_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="no time of day"):
        clock_ns(text)


@given(st.integers(-(10**18), 4 * 10**18), st.integers(-DAY_NS // 2, DAY_NS // 2 - 1))
def test_a_clock_finds_the_day_of_its_anchor(anchor: int, away: int) -> None:
    assert near((anchor + away) % DAY_NS, anchor) == anchor + away


@given(st.floats(1e-9, 1e6), st.integers(0, 6))
@example(0.3, 1)
@example(0.30000001, 1)
@example(0.07, 2)
def test_errors_are_never_rounded_down(value: float, digits: int) -> None:
    found = rounded_up(value, digits)
    assert found >= value or found == pytest.approx(value, rel=1e-12)
    assert found - value <= 10.0**-digits * (1 + 1e-9)
    assert float(error_text(value, digits)) == found
    assert rounded_up(found, digits) == found


def test_known_errors() -> None:
    assert error_text(0.3, 1) == "0.3"
    assert error_text(0.301, 1) == "0.4"
    assert error_text(0.0000001, 3) == "0.001"
    assert error_text(None, 2) == ""


@pytest.mark.parametrize(
    ("sigma", "digits"), [(0.5, 2), (0.02, 3), (0.0004, 4), (3.0, 2), (None, 4), (0.0, 4)]
)
def test_digits_follow_the_error(sigma: float | None, digits: int) -> None:
    assert digits_for(EdgeTime(utc=0, sigma_s=sigma)) == digits


def test_a_form_with_one_accuracy_says_its_level() -> None:
    spans = ((0.1, 0.2), (0.2, 0.3), (0.3, 0.5))
    both = Timing(d=EdgeTime(utc=0, sigma_s=0.15, intervals_s=spans), r=EdgeTime(utc=9, intervals_s=spans))
    level, words = accuracy(both)
    assert "95" in words
    assert accuracy_s(both.d, level) == 0.3
    one = Timing(d=EdgeTime(utc=0, sigma_s=0.15, intervals_s=spans), r=EdgeTime(utc=9, sigma_s=0.2))
    level, words = accuracy(one)
    assert "one sigma" in words
    assert (accuracy_s(one.d, level), accuracy_s(one.r, level), accuracy_s(None, level)) == (0.2, 0.2, None)
    assert accuracy(Timing(d=EdgeTime(utc=0))) == (None, "")
    without_sigma = Timing(d=EdgeTime(utc=0, intervals_s=spans), r=EdgeTime(utc=9, sigma_s=0.2))
    level, words = accuracy(without_sigma)
    assert "one sigma" in words
    assert accuracy_s(without_sigma.d, level) == 0.2
