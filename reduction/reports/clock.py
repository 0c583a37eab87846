"""Times of day and error figures of a form: rounded as a whole, never to 60 seconds, errors never down."""

import math
import re
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

from reduction.record import EdgeTime, ObservationRecord, Timing
from reduction.utc import EPOCH, SECOND_NS

DAY_NS = 86_400 * SECOND_NS
MOST_DIGITS = 4
_FIRST = ("January", "February", "March", "April", "May", "June")
MONTHS = (*_FIRST, "July", "August", "September", "October", "November", "December")
"""English names: those of the system's language are not what forms want."""
_CLOCK = re.compile(r"(\d{1,2})[:\s]\s*(\d{1,2})[:\s]\s*(\d{1,2}(?:[.,]\d*)?)", re.ASCII)


class Clock(NamedTuple):
    """A time of day; `second` has `digits` decimals, and `hour` reaches 24 where the day is another one's."""

    hour: int
    minute: int
    second: float
    digits: int

    def text(self, separator: str = ":") -> str:
        """``hh:mm:ss.s``, leading zeros."""
        return separator.join((f"{self.hour:02d}", f"{self.minute:02d}", self.seconds_text("0")))

    def seconds_text(self, fill: str) -> str:
        """Seconds, two figures before the point, the first of them `fill` where it is none."""
        width = 3 + self.digits if self.digits else 2
        return f"{self.second:.{self.digits}f}".rjust(width, fill)


def clock(ns: int, digits: int, day: date | None = None) -> Clock:
    """Time of day of a UTC time, rounded to `digits` decimals of a second.

    With `day`, hours are counted from its midnight and may reach 24 and more; otherwise a time that is
    rounded up to midnight is 00:00:00 (of the day after).
    """
    unit = 10 ** (9 - digits)
    ticks = (ns + unit // 2) // unit
    a_day = 86_400 * 10**digits
    ticks = ticks % a_day if day is None else ticks - (day - EPOCH.date()).days * a_day
    minutes, seconds = divmod(ticks, 60 * 10**digits)
    hour, minute = divmod(minutes, 60)
    return Clock(hour, minute, seconds / 10**digits, digits)


def clock_ns(text: str) -> int:
    """Nanoseconds after midnight of ``hh:mm:ss.s`` (or blanks for the colons); hours below 100.

    Raises
    ------
    ValueError
        It is no time of day.
    """
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time of day")
    hour, minute, second = int(found[1]), int(found[2]), Decimal(found[3].replace(",", "."))
    if minute > 59 or second >= 60:
        raise ValueError(f"{text[:40]!r} is no time of day")
    return (hour * 3600 + minute * 60) * SECOND_NS + int(second * SECOND_NS)


def near(day_ns: int, anchor: int) -> int:
    """UTC time with that time of day, on the day on which it falls within twelve hours of `anchor`."""
    return anchor + (day_ns - anchor + DAY_NS // 2) % DAY_NS - DAY_NS // 2


def on(day: date, day_ns: int) -> int:
    """UTC time so long after the midnight that begins `day`."""
    return (day - EPOCH.date()).days * DAY_NS + day_ns


def digits_for(edge: EdgeTime, least: int = 2) -> int:
    """Decimals of a second whose rounding is below a tenth of the error; the most where that is unknown."""
    error = edge.error_s(0)
    if not error:
        return MOST_DIGITS
    return min(MOST_DIGITS, max(least, 1 - math.floor(math.log10(error))))


def timing_digits(timing: Timing) -> int:
    """Decimals for both edges of an event: the more of the two, so that rounding cannot put R before D."""
    return max(digits_for(edge) for edge in (timing.d, timing.r) if edge is not None)


def rounded_up(value: float, digits: int) -> float:
    """The figure at `digits` decimals that is not below `value`: an error bar is not made smaller.

    What a float says at its shortest counts: 0.3 stays 0.3.
    """
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_CEILING))


def error_text(value: float | None, digits: int) -> str:
    """An error as a form holds it, rounded up; empty where unknown."""
    return "" if value is None else f"{rounded_up(value, digits):.{digits}f}"


def accuracy(timing: Timing) -> tuple[int | None, str]:
    """Level (index of `reduction.record.LEVELS`; None: one sigma) and words of a form's one accuracy."""
    edges = [edge for edge in (timing.d, timing.r) if edge is not None]
    if all(edge.intervals_s is not None for edge in edges):
        return 1, "Accuracy of D and R: 95 percent."
    if any(edge.error_s(0) is not None for edge in edges):
        return None, "Accuracy of D and R: one sigma."
    return None, ""


def accuracy_s(edge: EdgeTime | None, level: int | None) -> float | None:
    """Error of an edge at the level that `accuracy` chose, seconds."""
    if edge is None:
        return None
    return edge.error_s(level or 0)


def anchor_of(record: ObservationRecord) -> int | None:
    """A time of the observation, from which the days of others follow."""
    for ns in (record.prediction.utc, record.recording.started, record.recording.stopped):
        if ns is not None:
            return ns
    return None
