"""How chords and limbs are told: times to their error, errors to two digits."""

import math
from types import MappingProxyType

from api.web.rendering import minus
from reduction.utc import SECOND_NS, utc_ns

LEAST_DIGITS, MOST_DIGITS = 1, 6
NOTHING = "–"
AT_BOUND = 0.05
"""Share of the upper end of an interval that begins at 0, below which a value is as good as 0."""


def two_digits(sigma: float | None) -> str:
    """An uncertainty to two digits, never as a power of ten."""
    if sigma is None or not math.isfinite(sigma) or sigma <= 0:
        return NOTHING
    return f"{sigma:.{_places(sigma)}f}"


def bounds(low: float, high: float, sigma: float | None) -> str:
    """An interval, with the decimals of the value that it is about: ``21.984 to 22.098``."""
    places = _places(sigma) if sigma is not None and math.isfinite(sigma) and sigma > 0 else 3
    return " to ".join(minus(f"{value:.{places}f}") for value in (low, high))


def at_its_bound(value: float, low: float, high: float) -> bool:
    """Whether a value that cannot be negative is not told from 0: its interval alone says something."""
    return low == 0.0 and value < AT_BOUND * high


def _places(sigma: float) -> int:
    """Decimals of a value with this error, so that the error has two digits."""
    return min(max(0, 1 - math.floor(math.log10(sigma))), 9)


def clock(utc: str, sigma_s: float | None) -> str:
    """The time of day of an instant, to the digit that its error has: ``20:01:34.567``.

    Parameters
    ----------
    utc : str
        ISO 8601, UTC.
    """
    digits = MOST_DIGITS
    if sigma_s is not None and math.isfinite(sigma_s) and sigma_s > 0:
        digits = min(max(_places(sigma_s), LEAST_DIGITS), MOST_DIGITS)
    step = SECOND_NS // 10**digits
    rounded = (utc_ns(utc) + step // 2) // step * step
    whole, part = divmod(rounded % (86_400 * SECOND_NS), SECOND_NS)
    hours, rest = divmod(whole, 3600)
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}.{part * 10**digits // SECOND_NS:0{digits}d}"


def chance(probability: float | None) -> str:
    """A probability: ``3 in 1 000 000``, or in per cent where it is not small."""
    if probability is None or not math.isfinite(probability):
        return NOTHING
    if probability >= 0.01:
        return f"{100 * probability:.0f} %"
    if probability < 1e-9:
        return "less than 1 in 10⁹"
    return f"1 in {round(1 / probability):,}".replace(",", "\u202f")


WORDS = MappingProxyType(
    {
        "clock": clock,
        "two_digits": two_digits,
        "chance": chance,
        "bounds": bounds,
        "at_its_bound": at_its_bound,
    }
)
"""For templates."""
