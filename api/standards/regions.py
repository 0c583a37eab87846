"""Places on the sky as queries give them (DALI 1.1, 3.3), and as conditions on a star's place.

Only sums and products are asked of the database: a star is a vector of length 1, a circle is a distance
between two vectors, and a side of a polygon is the plane through it and the middle of the sphere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from api.campaigns.tables import Prediction
from reduction.errors import RequestError

Vector = tuple[float, float, float]
Bound = ColumnElement[float | None] | InstrumentedAttribute[float | None]
FLAT = 1e-12
"""A side of a polygon shorter than so many radians has no direction."""


@dataclass(frozen=True, slots=True)
class Circle:
    """All within `radius` of a place, degrees."""

    ra: float
    dec: float
    radius: float

    def condition(self) -> ColumnElement[bool]:
        """That the star of a prediction is in it."""
        centre = vector(self.ra, self.dec)
        star = (Prediction.star_x, Prediction.star_y, Prediction.star_z)
        x, y, z = (column - at for column, at in zip(star, centre, strict=True))
        chord = 2.0 * math.sin(math.radians(self.radius) / 2.0)
        return x * x + y * y + z * z <= chord * chord


@dataclass(frozen=True, slots=True)
class Box:
    """Between two right ascensions and two declinations, degrees; infinite: no bound."""

    ra: tuple[float, float]
    dec: tuple[float, float]

    def condition(self) -> ColumnElement[bool]:
        """That the star of a prediction is in it."""
        ra, dec = Prediction.star_ra_deg, Prediction.star_dec_deg
        return and_(within(ra, ra, *self.ra), within(dec, dec, *self.dec))


@dataclass(frozen=True, slots=True)
class Polygon:
    """Inside of a convex polygon, given by the normals of its sides, all of which point inwards."""

    normals: tuple[Vector, ...]

    def condition(self) -> ColumnElement[bool]:
        """That the star of a prediction is in it."""
        return and_(
            *(
                Prediction.star_x * x + Prediction.star_y * y + Prediction.star_z * z >= 0.0
                for x, y, z in self.normals
            )
        )


Region = Circle | Box | Polygon


def within(first: Bound, last: Bound, low: float, high: float) -> ColumnElement[bool]:
    """That the interval from `first` to `last` has something of that from `low` to `high`."""
    bounds: list[ColumnElement[bool]] = [first.is_not(None), last.is_not(None)]
    if math.isfinite(low):
        bounds.append(last >= low)
    if math.isfinite(high):
        bounds.append(first <= high)
    return and_(*bounds)


def vector(ra: float, dec: float) -> Vector:
    """A place (degrees) as a vector of length 1."""
    a, d = math.radians(ra), math.radians(dec)
    return math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)


def region(text: str) -> Region:
    """A region of DALI: ``CIRCLE``, ``RANGE`` or ``POLYGON``, and numbers.

    Raises
    ------
    RequestError
        It is none, or a polygon that is not convex.
    """
    shape, *rest = text.split() or [""]
    numbers = numbers_of("POS", rest)
    if shape.upper() == "CIRCLE" and len(numbers) == 3:
        ra, dec, radius = _finite(numbers)
        if not 0 <= radius <= 180:
            raise RequestError(f"POS: a radius of {radius:g} degrees; give 0 to 180")
        return Circle(*_place(ra, dec), radius)
    if shape.upper() == "RANGE" and len(numbers) == 4:
        if numbers[0] > numbers[1] or numbers[2] > numbers[3]:
            raise RequestError("POS: RANGE: give the lesser bound first; about RA 0, two of them")
        return Box((numbers[0], numbers[1]), (numbers[2], numbers[3]))
    if shape.upper() == "POLYGON" and len(numbers) >= 6 and len(numbers) % 2 == 0:
        values = _finite(numbers)
        return _polygon([vector(*_place(*pair)) for pair in zip(values[::2], values[1::2], strict=True)])
    raise RequestError(
        f"POS: {text[:60]!r}; give CIRCLE RA DEC RADIUS, RANGE RA1 RA2 DEC1 DEC2, or POLYGON RA DEC RA DEC "
        "RA DEC ..., in degrees"
    )


def numbers_of(name: str, words: Sequence[str]) -> list[float]:
    """Numbers of a parameter; ``-Inf`` and ``+Inf`` are such. Raises `RequestError`."""
    try:
        found = [float(word) for word in words]
    except ValueError:
        found = [math.nan]
    if any(math.isnan(value) for value in found):
        raise RequestError(f"{name}: {' '.join(words)[:60]!r}: give numbers")
    return found


def _finite(numbers: list[float]) -> list[float]:
    if not all(map(math.isfinite, numbers)):
        raise RequestError("POS: only RANGE may have infinite bounds")
    return numbers


def _place(ra: float, dec: float) -> tuple[float, float]:
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        raise RequestError(f"POS: {ra:g} {dec:g} is no place: RA is 0 to 360, Dec -90 to 90 degrees")
    return ra, dec


def _polygon(corners: list[Vector]) -> Polygon:
    """Of corners in either direction; sides of no length are left out."""
    following = [*corners[1:], corners[0]]
    sides = [cross(a, b) for a, b in zip(corners, following, strict=True)]
    sides = [side for side in sides if math.hypot(*side) > FLAT]
    for sign in (1.0, -1.0):
        normals = tuple((sign * x, sign * y, sign * z) for x, y, z in sides)
        if len(normals) >= 3 and all(dot(n, corner) >= -FLAT for n in normals for corner in corners):
            return Polygon(normals)
    raise RequestError("POS: POLYGON: only convex ones with three sides or more; give several POS instead")


def cross(a: Vector, b: Vector) -> Vector:
    """Product of two vectors, normal to both."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def dot(a: Vector, b: Vector) -> float:
    """Product of two vectors, a number."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def anywhere(regions: Sequence[Region]) -> ColumnElement[bool]:
    """That the star of a prediction is in one of them."""
    return or_(*(each.condition() for each in regions))
