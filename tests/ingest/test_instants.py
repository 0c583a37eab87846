import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from ingest.instants import (
    days_to_ns,
    leap_second_inside,
    leap_second_table,
    parse_clock,
    parse_date,
    parse_utc,
    utc_from_scale,
)
from reduction.timing import utc_text
from tests.ingest.ser_writer import utc_ns

NOW = utc_ns("2026-03-01T21:05:07")


@given(st.integers(-2 * 10**18, 4 * 10**18), st.integers(0, 9))
def test_iso_text_comes_back(ns: int, digits: int) -> None:
    unit = 10 ** (9 - digits)
    assert parse_utc(utc_text(ns, digits)) == ((ns + unit // 2) // unit * unit, digits)


@pytest.mark.parametrize(
    ("text", "ns", "digits"),
    [
        ("2026-03-01T21:05:07Z", NOW, 0),
        ("2026-03-01 21:05:07.25", NOW + 250_000_000, 2),
        ("2026-03-01T23:05:07+02:00", NOW, 0),
        ("2026-03-01T15:35:07.0-0530", NOW, 1),
        ("2026-03-01T21:05", NOW - 7 * 10**9, 0),
        ("2016-12-31T23:59:60.5Z", utc_ns("2017-01-01T00:00:00") + 500_000_000, 1),
    ],
)
def test_iso_forms(text: str, ns: int, digits: int) -> None:
    assert parse_utc(text) == (ns, digits)


@pytest.mark.parametrize(
    "text",
    ["", "2026-03-01", "21:05:07", "2026-02-30T00:00:00", "2026-03-01T24:00:00", "2026-03-01T21:60:00",
     "2026-03-01T21:05:61", "2026-03-01T21:05:60", "9999-01-01T00:00:00", "2026-03-01T21:05:07 CET",
     "2026-03-01T21:05:07+99:00", "1772399107"],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    assert parse_utc(text) is None


def test_dates_and_clocks() -> None:
    assert parse_date("01/03/99") == utc_ns("1999-03-01T00:00:00")
    assert parse_date("1.3.99") is None
    assert parse_clock("9:05") == (32_700 * 10**9, 0)
    assert parse_clock("9.5") is None


@given(st.integers(0, 4 * 10**18))
def test_days_agree_with_astropy(ns: int) -> None:
    days = f"{ns // 86_400_000_000_000 + 40587}.{ns % 86_400_000_000_000 * 10**12 // 86_400_000_000_000:012d}"
    found = days_to_ns(days, 0.0)
    assert found is not None
    assert abs(found[0] - ns) <= 87
    assert found[1] == pytest.approx(86_400e-12)


def test_julian_date_epoch() -> None:
    assert days_to_ns("2440587.5", -2_400_000.5) == (0, 8640.0)
    assert days_to_ns("2.4405875E6", -2_400_000.5) is not None
    assert days_to_ns("nan", 0.0) is None
    assert days_to_ns("1e99", 0.0) is None


@pytest.mark.parametrize("scale", ["tt", "tai", "utc"])
@pytest.mark.parametrize(
    "when", ["1999-01-01T00:00:10", "2016-12-31T23:59:58", "2017-01-01T00:00:00", "2026-03-01T21:05:07"]
)
def test_scales_agree_with_astropy(scale: str, when: str) -> None:
    text = getattr(Time(when, scale="utc"), scale).to_value("isot", subfmt="date_hms")
    reading = parse_utc(text)
    assert reading is not None
    assert utc_from_scale(reading[0], scale) == utc_ns(when)


def test_gps_and_unknown_scales() -> None:
    assert utc_from_scale(NOW + 18 * 10**9, "GPS") == NOW
    assert utc_from_scale(NOW, "TDB") is None
    assert utc_from_scale(utc_ns("1960-01-01T00:00:00"), "TT") is None


def test_leap_seconds() -> None:
    midnights, offsets = leap_second_table()
    assert np.all(np.diff(midnights) > 0)
    assert offsets[-1] >= 37 * 10**9
    leap = utc_ns("2017-01-01T00:00:00")
    assert leap_second_inside(leap - 5 * 10**9, leap + 5 * 10**9) == leap
    assert leap_second_inside(leap + 5 * 10**9, leap + 50 * 10**9) is None
    assert leap_second_inside(NOW, NOW + 40 * 86_400 * 10**9) is None
