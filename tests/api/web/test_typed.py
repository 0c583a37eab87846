"""What people type: times without a date, decimal commas, angles."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.requirements import require

require("server")

from hypothesis import given  # noqa: E402 - after the check for the extra
from hypothesis import strategies as st  # noqa: E402

from api.web.forms import Form, FormError  # noqa: E402
from api.web.typed import angle, corrected, decimal, lines, moment, renamed  # noqa: E402

MIDNIGHT = datetime(2026, 3, 12, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("23:59:30.25", datetime(2026, 3, 11, 23, 59, 30, 250_000, UTC)),
        ("0:02:00", datetime(2026, 3, 12, 0, 2, tzinfo=UTC)),
        ("00 02 01,5", datetime(2026, 3, 12, 0, 2, 1, 500_000, UTC)),
        ("23:59", datetime(2026, 3, 11, 23, 59, tzinfo=UTC)),
        ("2026-03-11 20:01:34.56", datetime(2026, 3, 11, 20, 1, 34, 560_000, UTC)),
        ("2026-03-11T20:01:34.123456789Z", datetime(2026, 3, 11, 20, 1, 34, 123_456, UTC)),
        (" 2020-01-01 1:02:03 UTC ", datetime(2020, 1, 1, 1, 2, 3, tzinfo=UTC)),
    ],
)
def test_times(text: str, found: datetime) -> None:
    assert moment(text, MIDNIGHT) == found


@pytest.mark.parametrize(
    "text",
    ["", "soon", "25:00:00", "20:60:00", "20:00:60", "2026-02-30 20:00:00", "20", "20:1:2",
     "11.03.2026 20:00:00", "2026-03-11 20:00:00+02:00", "٢٠:٠١:٠٢", "0000-01-01 00:00:00",
     "20:01:34.1234567890"],
)  # fmt: skip
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        moment(text, MIDNIGHT)


@given(
    st.datetimes(datetime(1990, 1, 2), datetime(2100, 1, 1)),
    st.floats(-43_000, 43_000, allow_nan=False),
)
def test_the_day_is_that_of_the_event(plain: datetime, seconds: float) -> None:
    near = plain.replace(tzinfo=UTC)
    at = near + timedelta(seconds=seconds)
    assert moment(at.strftime("%H:%M:%S.%f"), near) == at


def test_times_at_the_ends_of_the_calendar() -> None:
    with pytest.raises(ValueError, match="is no time"):
        moment("00:00:01", datetime(1, 1, 1, 23, 59, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "found"),
    [("0,04", "0.04"), (" 1.5 ", "1.5"), ("1,000.5", "1,000.5"), ("1,2,3", "1,2,3"), ("", "")],
)
def test_decimal_commas(text: str, found: str) -> None:
    assert decimal(text) == found


@pytest.mark.parametrize(
    ("text", "letters", "found"),
    [
        ("36.8245", "NS", 36.8245),
        ("36,8245", "NS", 36.8245),
        ("36 49 28.2 N", "NS", 36 + 49 / 60 + 28.2 / 3600),
        ("36°49'28.2\"S", "NS", -(36 + 49 / 60 + 28.2 / 3600)),
        ("-0 12 33", "NS", -(12 / 60 + 33 / 3600)),
        ("−70.5", "EW", -70.5),
        ("W 70 24", "EW", -70.4),
        ("30h20m7s", "EW", 30 + 20 / 60 + 7 / 3600),
    ],
)
def test_angles(text: str, letters: str, found: float) -> None:
    assert float(angle(text, letters)) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "letters"), [("30 E", "NS"), ("30 N", "EW"), ("30 70 0", "NS"), ("x", "NS")]
)
def test_no_angles(text: str, letters: str) -> None:
    with pytest.raises(ValueError, match=r"here it is|no angle|below 60"):
        angle(text, letters)


@given(st.text(max_size=2000))
def test_lines_lose_no_word(text: str) -> None:
    found = lines(text)
    assert all(len(line) <= 200 for line in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_what_was_typed_stays() -> None:
    form = Form({"a": ["1,5"], "b": ["x"], "c": ["y"]})
    copy = corrected(form, ("a", "z"), b=["new"], c=None)
    assert copy.fields == {"a": ["1.5"], "b": ["new"]}
    assert form.fields == {"a": ["1,5"], "b": ["x"], "c": ["y"]}


def test_errors_are_told_at_fields_of_the_form() -> None:
    error = FormError({"comments.3": "long", "comments": "many", "elsewhere.x": "odd", "a.b": "wrong"})
    assert renamed(error, ("comments", "a.b")).fields == {
        "comments": "long", "": "elsewhere.x: odd", "a.b": "wrong"
    }  # fmt: skip
