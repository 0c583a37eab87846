"""Degrees, minutes and seconds; hours, minutes and seconds: read and written without a lost sign or a 60."""

import math
import re

_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+")
_ALLOWED = re.compile(r"[-+−–]?[\s0-9.,:'\"°′″dhmsº]+[NSEW]?|[NSEW][\s0-9.,:'\"°′″dhmsº]+", re.ASCII)
LONGEST = 60


def sexagesimal_degrees(text: str) -> float:
    """Degrees (or hours) of text such as ``-00 12 33.4``, ``36 50 07.4 S``, ``+174.6579``, ``13°22'13.7"E``.

    The sign is that of the whole, also where the degrees are 0; S and W are negative
    (capitals only: a small s is of seconds).

    Raises
    ------
    ValueError
        It is no angle, its minutes or seconds reach 60, or a part before the last has a fraction.
    """
    clean = text.strip()
    if len(clean) > LONGEST or not _ALLOWED.fullmatch(clean):
        raise ValueError(f"{text[:LONGEST]!r} is no angle; write -36 50 07.4 or -36.83539")
    parts = [part.replace(",", ".") for part in _NUMBER.findall(clean)]
    if not 1 <= len(parts) <= 3 or any("." in part for part in parts[:-1]):
        raise ValueError(f"{text[:LONGEST]!r} is no angle; write -36 50 07.4 or -36.83539")
    values = [float(part) for part in parts]
    if any(value >= 60 for value in values[1:]):
        raise ValueError(f"{text[:LONGEST]!r}: minutes and seconds are below 60")
    size = sum(value / 60.0**power for power, value in enumerate(values))
    negative = clean[0] in "-−–" or clean[0] in "SW" or clean[-1] in "SW"
    return -size if negative else size


def sexagesimal(degrees: float, digits: int) -> tuple[str, int, int, float]:
    """Sign, degrees, minutes and seconds of an angle, rounded to `digits` decimals of a second as a whole.

    Minutes and seconds stay below 60; the sign is that of the unrounded angle, ``"+"`` for 0.

    Raises
    ------
    ValueError
        `degrees` is not finite.
    """
    if not math.isfinite(degrees):
        raise ValueError(f"{degrees} is no angle")
    unit = 10**digits
    ticks = math.floor(abs(degrees) * 3600 * unit + 0.5)
    minutes, seconds = divmod(ticks, 60 * unit)
    whole, minute = divmod(minutes, 60)
    sign = "-" if degrees < 0 and ticks else "+"
    return sign, whole, minute, seconds / unit


def sexagesimal_text(degrees: float, digits: int, width: int = 2) -> str:
    """``+DD MM SS.S`` of an angle: sign, `width` digits of degrees, leading zeros."""
    sign, whole, minute, second = sexagesimal(degrees, digits)
    return f"{sign}{whole:0{width}d} {minute:02d} {second:0{3 + digits if digits else 2}.{digits}f}"


def signed_longitude(degrees: float) -> float:
    """The same longitude, east positive, above -180 and up to 180 degrees."""
    turned = math.remainder(degrees, 360.0)
    return 180.0 if turned == -180.0 else turned
