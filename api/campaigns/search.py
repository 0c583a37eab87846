"""Search predictions: by time, magnitude of the star, object, and where the shadow passes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Depends, Query
from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session

from api.campaigns.prediction_views import object_key
from api.campaigns.tables import Prediction
from api.database.transactions import Database
from reduction.errors import RequestError

BATCH = 1000
MOST_KM = 5000.0
REMEMBERED = 20_000
"""Distances kept for the next page of the same search."""

Rows = Select[Prediction]


@dataclass(frozen=True, slots=True)
class Place:
    """Near which the shadow should pass: geodetic, degrees, east positive; km."""

    latitude_deg: float
    longitude_deg: float
    distance_km: float


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for."""

    start_date: date | None
    end_date: date | None
    mag_min: float | None
    mag_max: float | None
    object_name: str | None
    occ_id: str | None
    place: Place | None

    def rows(self) -> Rows:
        """Predictions that satisfy all but the place."""
        found = select(Prediction)
        if self.start_date is not None:
            found = found.where(Prediction.at >= datetime.combine(self.start_date, time.min, UTC))
        if self.end_date is not None:
            found = found.where(Prediction.at <= datetime.combine(self.end_date, time.max, UTC))
        if self.mag_min is not None:
            found = found.where(Prediction.star_mag >= self.mag_min)
        if self.mag_max is not None:
            found = found.where(Prediction.star_mag <= self.mag_max)
        if self.object_name is not None:
            key = object_key("", self.object_name)
            found = found.where(Prediction.object_key.contains(key, autoescape=True))
        if self.occ_id is not None:
            found = found.where(Prediction.occ_id == self.occ_id)
        return found


def search_of(
    start_date: Annotated[date | None, Query(description="First day, UTC.", examples=["2022-02-01"])] = None,
    end_date: Annotated[
        date | None, Query(description="Last day, UTC, whole.", examples=["2022-02-15"])
    ] = None,
    mag_min: Annotated[float | None, Query(ge=-30, le=60, description="Brightest star, magnitudes.")] = None,
    mag_max: Annotated[float | None, Query(ge=-30, le=60, description="Faintest star, magnitudes.")] = None,
    object_name: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            description="Name, number or designation, or a part; blanks, accents, capitals do not matter.",
            examples=["Hektor"],
        ),
    ] = None,
    occ_id: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    latitude: Annotated[float | None, Query(ge=-90, le=90, description="Of a place, degrees.")] = None,
    longitude: Annotated[
        float | None, Query(ge=-180, le=180, description="Of the place, degrees, east positive.")
    ] = None,
    distance: Annotated[
        float | None,
        Query(ge=0, le=MOST_KM, description="The shadow's path comes this near to the place, km."),
    ] = None,
) -> Search:
    """What the parameters of a request search for.

    Raises
    ------
    RequestError
        A text has nothing to be found by, or a place is told in part.
    """
    for name, text in (("object_name", object_name), ("occ_id", occ_id)):
        if text is not None and ("\0" in text or not text.isprintable()):
            raise RequestError(f"{name}: has a character that cannot be seen")
    if object_name is not None and not object_key("", object_name):
        raise RequestError("object_name: has no letter and no digit")
    place = (latitude, longitude, distance)
    if any(one is not None for one in place) and None in place:
        raise RequestError("latitude, longitude, distance: give all three, or none")
    near = None
    if latitude is not None and longitude is not None and distance is not None:
        near = Place(latitude, longitude, distance)
    return Search(start_date, end_date, mag_min, mag_max, object_name, occ_id, near)


SearchDep = Annotated[Search, Depends(search_of)]


def count_and_page(
    database: Database, search: Search, first: int, limit: int
) -> tuple[int, list[tuple[Prediction, float | None]]]:
    """How many predictions there are; those from number `first` on, by time; how far from the place."""
    order = (Prediction.at, Prediction.id)
    if search.place is None:
        with database.reading() as session:
            asked = search.rows()
            total = session.scalars(asked.with_only_columns(func.count(Prediction.id))).one()
            rows = session.scalars(asked.order_by(*order).offset(first).limit(limit))
            return total, [(row, None) for row in rows]
    near = list(passing(database, search, search.place))
    wanted = dict(near[first : first + limit])
    with database.reading() as session:
        rows = session.scalars(select(Prediction).where(Prediction.id.in_(wanted)).order_by(*order))
        return len(near), [(row, wanted[row.id]) for row in rows]


def passing(database: Database, search: Search, place: Place) -> Iterator[tuple[str, float]]:
    """Id and distance (km) of the predictions whose path passes a place, by time.

    The database is read a batch at a time, and nothing is computed within a transaction.
    """
    from reduction.geometry.nearby import may_pass

    after: tuple[datetime, str] | None = None
    while True:
        with database.reading() as session:
            batch = _batch(session, search, after)
        sound = [(identity, elements) for identity, _, elements in batch if elements]
        near = may_pass(
            [_track(e) for _, e in sound], place.latitude_deg, place.longitude_deg, place.distance_km
        )
        for (identity, elements), may in zip(sound, near, strict=True):
            if may:
                apart = _distance(_content(elements), place.latitude_deg, place.longitude_deg)
                if apart <= place.distance_km:
                    yield identity, apart
        if len(batch) < BATCH:
            return
        after = batch[-1][1], batch[-1][0]


def _batch(
    session: Session, search: Search, after: tuple[datetime, str] | None
) -> list[tuple[str, datetime, dict[str, Any]]]:
    asked = search.rows().with_only_columns(Prediction.id, Prediction.at, Prediction.elements)
    if after is not None:
        asked = asked.where(tuple_(Prediction.at, Prediction.id) > after)
    rows = session.execute(asked.order_by(Prediction.at, Prediction.id).limit(BATCH))
    return [(identity, at, elements) for identity, at, elements in rows]


def _track(elements: dict[str, Any]) -> Any:
    from reduction.geometry.nearby import Track

    besselian, star = elements["elements"], elements["star"]
    return Track(
        besselian["epoch_ns"],
        besselian["x_earth_radii"],
        besselian["y_earth_radii"],
        star["ra_hours"],
        star["dec_deg"],
        elements["body"]["diameter_km"],
    )


def _content(elements: dict[str, Any]) -> str:
    """What a path follows from, as text: the key of what was computed."""
    star, body = elements["star"], elements["body"]
    kept = {
        "elements": {k: elements["elements"][k] for k in ("epoch_ns", "x_earth_radii", "y_earth_radii")},
        "star": {k: star[k] for k in ("ra_hours", "dec_deg")},
        "body": {k: body[k] for k in ("diameter_km", "distance_au")},
    }
    return json.dumps(kept, sort_keys=True)


@lru_cache(maxsize=REMEMBERED)
def _distance(content: str, latitude_deg: float, longitude_deg: float) -> float:
    from reduction.geometry.nearby import path_distance_km
    from reduction.geometry.prediction import Prediction as Predicted
    from reduction.geometry.skyplane import sky_plane

    plane = sky_plane(Predicted.model_validate_json(content))
    return path_distance_km(plane, latitude_deg, longitude_deg)
