"""What places may expect of a prediction, as a page tells it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.campaigns.paths import path_text, station_text
from api.equipment.views import SiteView
from api.web.forms import FormError
from reduction.angles import sexagesimal_degrees, signed_longitude

LOWEST_M, HIGHEST_M = -500.0, 9000.0


@dataclass(frozen=True, slots=True)
class Expected:
    """A place and what it may expect: the columns of `GET /predictions/ID/circumstances`."""

    name: str
    site: str
    seen: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Typed:
    """A place that somebody typed."""

    latitude_deg: float
    longitude_deg: float
    height_m: float


def typed_place(fields: Mapping[str, str]) -> Typed | None:
    """A place from fields of a form: decimal degrees, or degrees, minutes, seconds; None where all are empty.

    Raises
    ------
    FormError
        One is no number, or beyond what there is.
    """
    if not fields.get("latitude", "").strip() and not fields.get("longitude", "").strip():
        return None
    faults: dict[str, str] = {}
    values = {"latitude": 0.0, "longitude": 0.0, "height": 0.0}
    for name, most in (("latitude", 90.0), ("longitude", 360.0)):
        try:
            values[name] = sexagesimal_degrees(fields.get(name, "").strip())
            if abs(values[name]) > most:
                raise ValueError(f"is beyond {most:.0f} degrees")
        except ValueError as error:
            faults[name] = f"{error}; degrees such as 36.824 or 36 49 26.4"
    try:
        values["height"] = float(fields.get("height", "").strip() or 0)
        if not LOWEST_M <= values["height"] <= HIGHEST_M:
            raise ValueError
    except ValueError:
        faults["height"] = "metres above the ellipsoid, −500 to 9000"
    if faults:
        raise FormError(faults)
    return Typed(values["latitude"], signed_longitude(values["longitude"]), values["height"])


def expected_at(content: str, place: Typed) -> Expected:
    """What a typed place may expect."""
    text = station_text(content, "", place.latitude_deg, place.longitude_deg, place.height_m)
    return Expected("the chosen place", "", json.loads(text))


def expected_of(content: str, site: SiteView) -> Expected:
    """What one's site may expect."""
    text = station_text(content, site.name, site.latitude_deg, site.longitude_deg, site.height_m)
    return Expected(site.name, site.id, json.loads(text))


def path_facts(content: str) -> dict[str, Any]:
    """The path in numbers, as `GET /predictions/ID/path` tells it."""
    facts: dict[str, Any] = json.loads(path_text(content, "json"))
    return facts
