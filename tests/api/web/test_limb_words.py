"""Times to the digit that their error has."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import require

require("server")

from api.web.limb_words import at_its_bound, bounds, chance, clock, two_digits  # noqa: E402 - after the check for the extra
from reduction.utc import utc_line, utc_ns  # noqa: E402


@pytest.mark.parametrize(
    ("sigma", "told"),
    [(0.0123, "0.012"), (1.26, "1.3"), (23.4, "23"), (0.0, "–"), (None, "–"), (1e-12, "0.000000000")],
)
def test_two_digits(sigma: float | None, told: str) -> None:
    assert two_digits(sigma) == told


def test_an_interval_has_the_decimals_of_its_value() -> None:
    assert bounds(21.9839, 22.0981, 0.028) == "21.984 to 22.098"
    assert bounds(-3.0251, -2.9609, 1.6) == "−3.0 to −3.0"
    assert bounds(0.0, 0.0151, None) == "0.000 to 0.015"
    told = [at_its_bound(*one) for one in ((0.0, 0.0, 0.015), (0.0011, 0.0, 0.004), (0.0, -0.1, 0.1))]
    assert told == [True, False, False]


def test_clock() -> None:
    assert clock("2026-03-11T20:01:34.567890Z", 0.0123) == "20:01:34.568"
    assert clock("2026-03-11T20:01:34.567890Z", None) == "20:01:34.567890"
    assert clock("2026-03-11T20:01:34.567890Z", 30.0) == "20:01:34.6"
    assert clock("2026-03-11T23:59:59.999900Z", 0.02) == "00:00:00.000"


@given(st.integers(0, 2 * 86_400 * 10**6), st.sampled_from([0.5, 0.02, 0.0007]))
def test_the_clock_is_as_near_as_its_digits(micro: int, sigma: float) -> None:
    at = datetime(2026, 3, 11) + timedelta(microseconds=micro)
    text = clock(utc_line(utc_ns(f"{at.isoformat()}Z")), sigma)
    read = datetime.strptime(text, "%H:%M:%S.%f")
    apart = (read - at.replace(year=1900, month=1, day=1)) % timedelta(days=1)
    apart = min(apart, timedelta(days=1) - apart)
    assert apart.total_seconds() <= 0.5 * 10 ** -len(text.partition(".")[2]) + 1e-6


def test_chance() -> None:
    assert [chance(p) for p in (0.5, 0.012, 1e-3, 2.5e-7, 1e-12, None)] == [
        "50 %", "1 %", "1 in 1\u202f000", "1 in 4\u202f000\u202f000", "less than 1 in 10⁹", "–",
    ]  # fmt: skip
