"""What is asked and told of predictions."""

import math
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from api.campaigns.tables import Prediction
from api.database.tables import EPOCH, MICROSECOND
from api.words import Name, Words
from reduction.geometry.approach import SLOWEST_KM_S, ClosestApproach
from reduction.geometry.prediction import EARTH_RADIUS_KM, Magnitude
from reduction.geometry.prediction import Prediction as Predicted
from reduction.plan import Settings

MOST_ELEMENTS_CHARACTERS = 20_000
EARLIEST = datetime(1700, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Between these int64 nanoseconds and tables of the Earth's rotation make sense."""


def _storable(one: Predicted) -> Predicted:
    text = one.model_dump_json()
    if len(text) > MOST_ELEMENTS_CHARACTERS:
        raise ValueError(f"has {len(text)} characters; at most {MOST_ELEMENTS_CHARACTERS}")
    if "\\u0000" in text or "\\ud" in text.lower():
        raise ValueError("has a character that cannot be kept")
    if not any(one.elements.x_earth_radii[1:]) and not any(one.elements.y_earth_radii[1:]):
        raise ValueError("the shadow stands still")
    return one


def _dated(at: datetime) -> datetime:
    if not EARLIEST <= at <= LATEST:
        raise ValueError(f"is not between {EARLIEST.year} and {LATEST.year}")
    return at.astimezone(UTC)


At = Annotated[AwareDatetime, AfterValidator(_dated)]


class PredictionBody(Settings):
    """An occultation that is predicted.

    Attributes
    ----------
    occ_id : str
        The predictor's own identity of it; no two predictions share one.
    object_class : str
        Such as TNO, Centaur, Trojan.
    star_mag : float or None
        Magnitude of the star, by which it is searched for; by default V, else R, else B of `elements`.
    at : datetime or None
        Geocentric closest approach, with its zone; by default the epoch of `elements`.
    elements : Prediction or None
        All that an occelmnt file tells, with Besselian elements.
    approach : ClosestApproach or None
        Instead: what one-line tables tell.
    """

    occ_id: Name
    source: Words = ""
    object_name: Name
    object_number: Annotated[Words, Field(max_length=20)] = ""
    object_class: Words = ""
    star_name: Words = ""
    star_mag: Magnitude | None = None
    at: At | None = None
    elements: Annotated[Predicted, AfterValidator(_storable)] | None = None
    approach: ClosestApproach | None = None

    @model_validator(mode="after")
    def _one_geometry(self) -> Self:
        if self.elements is not None and self.approach is not None:
            raise ValueError("give elements, or approach, not both")
        if self.elements is None and self.at is None:
            raise ValueError("at: is needed where there are no elements")
        if self.elements is not None:
            epoch = instant_of(self.elements.elements.epoch_ns)
            if not EARLIEST <= epoch <= LATEST:
                raise ValueError(f"elements: the epoch is not between {EARLIEST.year} and {LATEST.year}")
            if self.at is not None and abs((epoch - self.at).total_seconds()) > MOST_APART_S:
                raise ValueError(
                    f"at: {self.at.isoformat()} is not the epoch of elements, {epoch.isoformat()}"
                )
        if self.approach is not None and abs(self.approach.velocity_km_s) < SLOWEST_KM_S:
            raise ValueError("approach: velocity_km_s: the shadow stands still")
        if not object_key(self.object_number, self.object_name):
            raise ValueError("object_name: has no letter and no digit")
        return self


MOST_APART_S = 60.0


class PredictionView(Settings):
    """A prediction. Names of fields stay; new ones may be added.

    Attributes
    ----------
    at : datetime
        UTC of geocentric closest approach.
    star_ra_deg, star_dec_deg : float or None
        J2000 (ICRS) at the epoch of the event.
    shadow_speed_km_s, max_duration_s : float or None
        Geocentric.
    has_path : bool
        There are elements: path and circumstances can be asked for.
    distance_km : float or None
        From the place that was asked for to the shadow's path; 0 inside it.
    campaign : str or None
        Id of the campaign that it became.
    """

    id: str
    occ_id: str
    source: str
    object_name: str
    object_number: str
    object_class: str
    star_name: str
    star_mag: float | None
    star_ra_deg: float | None
    star_dec_deg: float | None
    at: datetime
    diameter_km: float | None
    distance_au: float | None
    shadow_speed_km_s: float | None
    max_duration_s: float | None
    has_path: bool
    distance_km: float | None = None
    campaign: str | None
    created: datetime
    changed: datetime


class PredictionDetail(PredictionView):
    """A prediction with its elements, and where path and circumstances are."""

    elements: Predicted | None
    links: dict[str, str]


def instant_of(utc_ns: int) -> datetime:
    """POSIX nanoseconds as an instant, to the microsecond; far ones are cut to years 1 and 9999."""
    microseconds = utc_ns // 1000
    return EPOCH + microseconds * MICROSECOND


def object_key(number: str, name: str) -> str:
    """By what an object is found: letters and digits of number and name, without accents and capitals."""
    text = unicodedata.normalize("NFKD", f"{number}{name}").casefold()
    return "".join(c for c in text if c.isalnum())[:200]


def predicted_of(row: Prediction) -> Predicted | None:
    """The elements that are kept of a prediction; None where there are none."""
    return Predicted.model_validate(row.elements) if row.elements else None


def columns_of(body: PredictionBody) -> dict[str, Any]:
    """Columns of a prediction; turns an approach into elements, which takes milliseconds.

    Raises
    ------
    ValueError
        The approach is none.
    """
    predicted = body.elements
    if body.approach is not None and body.at is not None:
        from reduction.geometry.approach import prediction_of

        epoch_ns = (body.at - EPOCH) // MICROSECOND * 1000
        predicted = prediction_of(
            body.approach, epoch_ns, body.star_name, body.object_name, body.object_number
        )
    at, mag, star = body.at, body.star_mag, body.star_name
    if predicted is not None:
        at = instant_of(predicted.elements.epoch_ns)
        star = star or predicted.star.name[:200]
        mag = mag if mag is not None else magnitude_of(predicted)
    return {
        "occ_id": body.occ_id,
        "source": body.source,
        "object_name": body.object_name,
        "object_number": body.object_number,
        "object_key": object_key(body.object_number, body.object_name),
        "object_class": body.object_class,
        "star_name": star,
        "star_mag": mag,
        "at": at,
        "elements": {} if predicted is None else predicted.model_dump(mode="json"),
    }


def magnitude_of(one: Predicted) -> float | None:
    """Of the star: V, else R, else B."""
    known = (one.star.magnitude_v, one.star.magnitude_r, one.star.magnitude_b)
    return next((mag for mag in known if mag is not None), None)


def prediction_view(
    row: Prediction, campaign: str | None = None, distance_km: float | None = None
) -> PredictionView:
    """What is told of a prediction in lists."""
    return PredictionView(**_fields(row, campaign, distance_km))


def prediction_detail(row: Prediction, campaign: str | None = None) -> PredictionDetail:
    """All that is told of a prediction."""
    base = f"/api/v1/predictions/{row.id}"
    links = {"self": base}
    if row.elements:
        links |= {
            name: f"{base}/{name}"
            for name in ("path", "path.geojson", "path.kml", "path.csv", "circumstances", "occelmnt.xml")
        }
    if campaign is not None:
        links["campaign"] = f"/api/v1/campaigns/{campaign}"
    return PredictionDetail(**_fields(row, campaign, None), elements=predicted_of(row), links=links)


def _fields(row: Prediction, campaign: str | None, distance_km: float | None) -> dict[str, Any]:
    parts: dict[str, Any] = row.elements or {}
    star, body = parts.get("star", {}), parts.get("body", {})
    speed = _speed(parts.get("elements", {}))
    diameter = body.get("diameter_km")
    return {
        "id": row.id,
        "occ_id": row.occ_id,
        "source": row.source,
        "object_name": row.object_name,
        "object_number": row.object_number,
        "object_class": row.object_class,
        "star_name": row.star_name,
        "star_mag": row.star_mag,
        "star_ra_deg": None if "ra_hours" not in star else star["ra_hours"] * 15,
        "star_dec_deg": star.get("dec_deg"),
        "at": row.at,
        "diameter_km": diameter,
        "distance_au": body.get("distance_au"),
        "shadow_speed_km_s": speed,
        "max_duration_s": diameter / speed if diameter and speed else None,
        "has_path": bool(parts),
        "distance_km": None if distance_km is None else round(distance_km, 1),
        "campaign": campaign,
        "created": row.created,
        "changed": row.changed,
    }


def _speed(elements: dict[str, Any]) -> float | None:
    """Of the shadow at the epoch, km/s."""
    if not elements:
        return None
    x, y = elements["x_earth_radii"][1], elements["y_earth_radii"][1]
    return math.hypot(x, y) * EARTH_RADIUS_KM / 3600
