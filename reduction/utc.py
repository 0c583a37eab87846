"""UTC times as a person writes them, kept as POSIX nanoseconds."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from reduction.timing import utc_text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_NS = 10**9
_DIGITS = 9


def utc_ns(value: object) -> int:
    """POSIX nanoseconds of a UTC time: an integer, an aware datetime, or ISO 8601 that ends in Z.

    Raises
    ------
    ValueError
        It is no time, or does not say that it is UTC.
    """
    if isinstance(value, bool):
        raise ValueError("a time is text such as 2026-03-11T20:01:34.567Z")
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return _aware_ns(value)
    if not isinstance(value, str):
        raise ValueError("a time is text such as 2026-03-11T20:01:34.567Z")
    text = value.strip().replace(" ", "T", 1)
    if not text.endswith(("Z", "z", "+00:00")):
        raise ValueError("the time does not say that it is UTC; end it with Z, as 2026-03-11T20:01:34.567Z")
    whole, _, fraction = text.removesuffix("+00:00").rstrip("Zz").partition(".")
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        raise ValueError(f"{value!r} is no time; write 2026-03-11T20:01:34.567Z")
    try:
        stamp = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{value!r} is no time; write 2026-03-11T20:01:34.567Z") from None
    return _aware_ns(stamp) + int(fraction[:_DIGITS].ljust(_DIGITS, "0") if fraction else 0)


def _aware_ns(stamp: datetime) -> int:
    if stamp.tzinfo is None:
        raise ValueError("the time does not say that it is UTC; end it with Z, as 2026-03-11T20:01:34.567Z")
    since = stamp - EPOCH
    return (since.days * 86400 + since.seconds) * SECOND_NS + since.microseconds * 1000


def utc_line(ns: int) -> str:
    """A time as `utc_ns` reads it, to the nanosecond."""
    return utc_text(ns, _DIGITS)


def utc_date(ns: int) -> date:
    """UTC date of a time."""
    return (EPOCH + timedelta(seconds=ns // SECOND_NS)).date()


UtcNs = Annotated[
    int,
    BeforeValidator(utc_ns),
    Field(ge=-5_364_662_400 * SECOND_NS, le=9_214_646_400 * SECOND_NS),  # 1800 to 2262
    PlainSerializer(utc_line, return_type=str),
]
"""A UTC time, POSIX nanoseconds; written and read as ISO 8601 text that ends in Z."""
