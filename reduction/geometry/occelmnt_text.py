"""Writing occelmnt XML."""

import html
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np

from reduction.geometry.prediction import HOUR_NS, Prediction

_DAY_NS = 24 * HOUR_NS


def write_occelmnt(predictions: Iterable[Prediction]) -> str:
    """Text of an occelmnt XML file, which the reader takes back to the same predictions.

    Numbers are written in full. A comma inside a name, which the format cannot hold, becomes a semicolon.
    """
    lines = ["<Occultations>"]
    for one in predictions:
        lines.append("  <Event>")
        for tag, fields in _fields(one):
            lines.append(f"    <{tag}>{','.join(map(_field, fields))}</{tag}>")
        lines.append("  </Event>")
    return "\n".join([*lines, "</Occultations>", ""])


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    return html.escape(str(value).replace(",", ";"), quote=False)


def _fields(one: Prediction) -> list[tuple[str, list[object]]]:
    earth: list[object] = list(one.earth.model_dump().values())
    return [
        ("Elements", _elements(one)),
        ("Earth", earth),
        ("Star", list(one.star.model_dump().values())),
        ("Object", _object(one)),
        ("Orbit", list(one.orbit.model_dump().values())),
        ("Errors", list(one.errors.model_dump().values())),
        ("ID", [one.event_id, one.created_mjd]),
    ]


def _elements(one: Prediction) -> list[object]:
    elements = one.elements
    days, rest = divmod(elements.epoch_ns, _DAY_NS)
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)
    place: list[object] = [
        elements.source,
        elements.max_duration_s,
        day.year,
        day.month,
        day.day,
        rest / HOUR_NS,
    ]
    pairs = zip(elements.x_earth_radii, elements.y_earth_radii, strict=True)
    return [*place, *(coefficient for pair in pairs for coefficient in pair)]


def _object(one: Prediction) -> list[object]:
    body = one.body
    rates: list[object] = [body.ra_rate_s_per_h, body.dec_rate_arcsec_per_h, body.taxonomy]
    return [
        body.number,
        body.name,
        body.magnitude,
        body.diameter_km,
        body.distance_au,
        body.rings,
        body.moons,
        *rates,
        body.diameter_sigma_km,
        body.shape_models,
        body.magnitude_v,
        body.magnitude_r,
        "",
    ]
