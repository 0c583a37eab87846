"""From text, days and time scales to UTC nanoseconds, exactly: int64 all the way.

Leap seconds come from the table installed with astropy; nothing is downloaded.
"""

import functools
import math
import re
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from reduction.timing import UNKNOWN_NS

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
MJD_OF_UNIX_EPOCH = 40_587
TT_MINUS_TAI_NS = 32_184_000_000
TAI_MINUS_GPS_NS = 19 * SECOND_NS
FIRST_YEAR, LAST_YEAR = 1900, 2200

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d*))?)?")
_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]\s*(\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d*)?)?)\s*(Z|[+-]\d{2}:?\d{2})?)?",
    re.IGNORECASE,
)
_OLD_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2})")


def parse_date(text: str) -> int | None:
    """Nanoseconds of midnight of an ISO date or of the old ``dd/mm/yy`` (19yy) of FITS; None if neither."""
    if match := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text.strip()):
        year, month, day = (int(part) for part in match.groups())
    elif match := _OLD_DATE.fullmatch(text.strip()):
        day, month, year = (int(part) for part in match.groups())
        year += 1900
    else:
        return None
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return (date(year, month, day) - date(1970, 1, 1)).days * DAY_NS
    except ValueError:
        return None


def parse_clock(text: str) -> tuple[int, int] | None:
    """Nanoseconds since midnight, and the decimals written, of ``hh:mm[:ss[.fff]]``; None if it is not one.

    A leap second ``23:59:60`` falls, as in POSIX time, on the second that follows it.
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups()[:3])
    leap = seconds == 60 and minutes == 59
    if hours > 23 or minutes > 59 or (seconds > 59 and not leap):
        return None
    digits = match.group(4) or ""
    fraction = int((digits + "0" * 9)[:9])
    return ((hours * 60 + minutes) * 60 + seconds) * SECOND_NS + fraction, len(digits)


def parse_utc(text: str) -> tuple[int, int] | None:
    """Nanoseconds UTC and the decimals of a second written, of an ISO-8601 date and time.

    ``Z`` or nothing is UTC; an explicit offset (``+02:00``) is converted. None if it is not such a text
    or has no time of day.
    """
    match = _ISO.fullmatch(text.strip())
    if match is None or match.group(4) is None:
        return None
    midnight = parse_date("-".join(match.groups()[:3]))
    clock = parse_clock(match.group(4))
    if midnight is None or clock is None:
        return None
    zone = match.group(5) or "Z"
    offset = 0
    if zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[-2:])
        if hours > 15 or minutes > 59:
            return None
        offset = (hours * 60 + minutes) * 60 * SECOND_NS * (-1 if zone[0] == "-" else 1)
    return midnight + clock[0] - offset, clock[1]


def days_to_ns(text: str, epoch_mjd: float) -> tuple[int, float] | None:
    """Nanoseconds and resolution in seconds of a decimal day count.

    Parameters
    ----------
    text : str
        A decimal number: days since the epoch. It is split at the point: no digit is lost to a double.
    epoch_mjd : float
        The epoch as a modified Julian date: 0 for MJD, -2400000.5 for JD.
    """
    match = re.fullmatch(r"\s*([+-]?\d+)(?:\.(\d*))?(?:[EeDd]([+-]?\d{1,2}))?\s*", text)
    if match is None:
        return None
    digits, exponent = match.group(2) or "", int(match.group(3) or 0)
    if exponent:
        whole, part = divmod(float(text.replace("D", "E").replace("d", "e")), 1.0)
        if not math.isfinite(whole):
            return None
        days, fraction_ns = int(whole), round(part * DAY_NS)
    else:
        days = int(match.group(1))
        fraction_ns = (int(digits) * DAY_NS + 10 ** len(digits) // 2) // 10 ** len(digits) if digits else 0
    half_days = round((epoch_mjd - MJD_OF_UNIX_EPOCH) * 2)
    ns = days * DAY_NS + fraction_ns + half_days * (DAY_NS // 2)
    if not -70 * 366 * DAY_NS < ns < 231 * 366 * DAY_NS:
        return None
    return ns, 86_400.0 * 10.0 ** -len(digits)


@functools.cache
def leap_second_table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """UTC midnights, nanoseconds, from which TAI-UTC holds, and that difference in nanoseconds."""
    from astropy.utils.iers import LeapSeconds

    table = LeapSeconds.from_iers_leap_seconds()
    years, months = np.asarray(table["year"], int), np.asarray(table["month"], int)
    days = [(date(int(y), int(m), 1) - date(1970, 1, 1)).days for y, m in zip(years, months, strict=True)]
    return np.array(days, np.int64) * DAY_NS, np.asarray(table["tai_utc"], np.int64) * SECOND_NS


def leap_second_inside(first_ns: int, last_ns: int) -> int | None:
    """Midnight, nanoseconds, after a leap second that lies between two times (margin one second), or None."""
    first, last = first_ns - SECOND_NS, last_ns + SECOND_NS
    start = date(1970, 1, 1) + timedelta(days=first // DAY_NS)
    stop = date(1970, 1, 1) + timedelta(days=last // DAY_NS)
    if (start.year, start.month) == (stop.year, stop.month):
        return None  # they stand at the end of a month: most recordings need no table
    midnights, _ = leap_second_table()
    steps = midnights[1:]
    inside = steps[(steps > first) & (steps <= last)]
    return int(inside[0]) if inside.size else None


def utc_from_scale(ns: int, scale: str) -> int | None:
    """UTC nanoseconds of a clock that keeps `scale`: UTC, TAI, TT (TDT, ET), GPS; None for another scale.

    Parameters
    ----------
    ns : int
        The reading, counted from 1970-01-01T00:00:00 of that scale.
    scale : str
        Name as in the FITS keyword TIMESYS (FITS standard 4.0, table 30).
    """
    if ns == UNKNOWN_NS:
        return ns
    name = scale.strip().upper()
    if name in {"UTC", "UT", "GMT", "Z", ""}:
        return ns
    if name in {"TT", "TDT", "ET"}:
        tai = ns - TT_MINUS_TAI_NS
    elif name in {"TAI", "IAT"}:
        tai = ns
    elif name == "GPS":
        tai = ns + TAI_MINUS_GPS_NS
    else:
        return None
    midnights, offsets = leap_second_table()
    row = int(np.searchsorted(midnights + offsets, tai, side="right")) - 1
    return None if row < 0 else tai - int(offsets[row])
