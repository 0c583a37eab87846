"""Right ascension and declination as people write them, read strictly; and written again."""

import math
import re
from dataclasses import dataclass

from reduction.errors import RequestError

_NUMBER = r"\d{1,3}(?:\.\d{0,15})?"
_DECIMAL = re.compile(r"([+-]?)(\d{1,3}(?:\.\d{0,15})?)(?:\s*(?:d|deg|°))?", re.ASCII)
_MARKS = {
    "RA": re.compile(
        r"()(\d{1,2})(?:\s*[h:]\s*|\s+)(\d{1,2})(?:(?:\s*[m:]\s*|\s+)(\d{1,2}(?:\.\d{0,12})?)\s*s?|\s*m)",
        re.ASCII,
    ),
    "DEC": re.compile(
        r"([+-]?)(\d{1,2})(?:\s*[d°:]\s*|\s+)(\d{1,2})"
        r"(?:(?:\s*['′m:]\s*|\s+)(\d{1,2}(?:\.\d{0,12})?)\s*(?:\"|″|''|s)?|\s*['′m])",
        re.ASCII,
    ),
}
_MINUS = str.maketrans("−–", "--")


@dataclass(frozen=True, slots=True)
class SkyPosition:
    """A place on the sky, ICRS, degrees; `sigma_deg` is that of rounding to the digits given, each axis."""

    ra_deg: float
    dec_deg: float
    sigma_deg: float = 0.0


def parse_position(text: str, option: str) -> SkyPosition:
    """Read ``RA,DEC``: decimal degrees, or hours and degrees with minutes and seconds.

    ``187.25,-0.5033``, ``12:29:00.0,-00:30:12``, ``12h29m00s, -00d30m12s``, ``12 29 00,-00 30 12``.
    Sexagesimal right ascensions are hours; the sign of the declination counts with zero degrees too.

    Raises
    ------
    RequestError
        It is not two such numbers, or they are out of range.
    """
    parts = text.translate(_MINUS).split(",")
    if len(parts) != 2:
        raise RequestError(f"{option} {text!r}: give RA,DEC with one comma, e.g. 12:29:06.7,-00:30:12")
    ra, ra_unit = _angle(parts[0].strip(), "RA", text, option)
    dec, dec_unit = _angle(parts[1].strip(), "DEC", text, option)
    if not 0.0 <= ra < 360.0:
        raise RequestError(
            f"{option} {text!r}: the right ascension is {ra:g} degrees; give 0 to 360 (0 to 24 h)"
        )
    if not -90.0 <= dec <= 90.0:
        raise RequestError(f"{option} {text!r}: the declination is {dec:g} degrees; give -90 to +90")
    unit = max(ra_unit * math.cos(math.radians(dec)), dec_unit)
    return SkyPosition(ra, dec, unit / math.sqrt(12.0))


def _angle(word: str, axis: str, text: str, option: str) -> tuple[float, float]:
    """Degrees, and the unit of the last digit in degrees."""
    decimal = _DECIMAL.fullmatch(word)
    if decimal is not None and not (axis == "RA" and decimal[1] == "-"):
        return float(decimal[1] + decimal[2]), _unit(decimal[2])
    parts = _MARKS[axis].fullmatch(word)
    if parts is None:
        form = "187.2779 or 12:29:06.7" if axis == "RA" else "-0.5033 or -00:30:12"
        raise RequestError(f"{option} {text!r}: {axis} {word!r} is no angle; write it as {form}")
    whole, minutes, seconds = float(parts[2]), float(parts[3]), float(parts[4] or 0.0)
    if minutes >= 60.0 or seconds >= 60.0:
        raise RequestError(f"{option} {text!r}: {axis} {word!r} has 60 minutes or seconds, or more")
    factor = 15.0 if axis == "RA" else 1.0
    size = factor * (whole + minutes / 60.0 + seconds / 3600.0)
    unit = factor * (_unit(parts[4]) / 3600.0 if parts[4] is not None else 1.0 / 60.0)
    return -size if parts[1] == "-" else size, unit


def _unit(digits: str) -> float:
    """Value of one in the last place of a decimal number."""
    _, _, after = digits.partition(".")
    return float(10.0 ** -len(after))


def parse_length(text: str, option: str) -> float:
    """Degrees from ``0.5``, ``0.5d``, ``30'`` or ``1800"``.

    Raises
    ------
    RequestError
        It is no positive length of that kind.
    """
    found = re.fullmatch(
        rf"({_NUMBER}|\d{{1,6}}(?:\.\d*)?)\s*(d|deg|°|'|′|m|arcmin|\"|″|s|arcsec)?", text.strip()
    )
    unit = {
        "'": 60.0,
        "′": 60.0,
        "m": 60.0,
        "arcmin": 60.0,
        '"': 3600.0,
        "″": 3600.0,
        "s": 3600.0,
        "arcsec": 3600.0,
    }
    value = 0.0 if found is None else float(found[1]) / unit.get(found[2] or "d", 1.0)
    if not 0.0 < value <= 90.0:
        raise RequestError(f"{option} {text!r}: give degrees (1.5), minutes (90') or seconds of arc (5400\")")
    return value


def ra_text(ra_deg: float, digits: int = 3) -> str:
    """``12 29 06.700``, hours."""
    return _sexagesimal((ra_deg % 360.0) / 15.0, digits, 24)


def dec_text(dec_deg: float, digits: int = 2) -> str:
    """``-00 30 12.00``, degrees."""
    return ("-" if dec_deg < 0 else "+") + _sexagesimal(abs(dec_deg), digits, None)


def _sexagesimal(value: float, digits: int, turn: int | None) -> str:
    ticks = round(value * 3600 * 10**digits)
    seconds, part = divmod(ticks, 10**digits)
    minutes, second = divmod(seconds, 60)
    whole, minute = divmod(minutes, 60)
    whole = whole % turn if turn is not None else whole
    return f"{whole:02d} {minute:02d} {second:02d}" + (f".{part:0{digits}d}" if digits else "")
