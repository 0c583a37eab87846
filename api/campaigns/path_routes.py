"""Routes of paths and circumstances."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns.paths import content_of, path_text, station_text
from api.campaigns.prediction_routes import prediction_of
from api.campaigns.prediction_views import predicted_of
from api.database.transactions import Database
from api.dependencies import DatabaseDep, IdPath
from api.equipment.tables import Site
from api.equipment.views import Height, Latitude, Longitude
from api.problems import RefusedError, responses

router = APIRouter(prefix="/api/v1", tags=["predictions"])

Seeing = Annotated[Permit, may(Operation.SEE_PREDICTIONS)]


def _document(media_type: str) -> dict[int | str, dict[str, Any]]:
    schema: dict[str, Any] = {"type": "object"} if "json" in media_type else {"type": "string"}
    found = {"description": "The path", "content": {media_type: {"schema": schema}}}
    return {200: found, **responses(401, 403, 404, 409, 422, 503)}


def _content(database: Database, prediction_id: str) -> str:
    with database.reading() as session:
        row = prediction_of(session, prediction_id)
    return content_of(row)


@router.get(
    "/predictions/{prediction_id}/path",
    response_class=Response,
    responses=_document("application/json"),
    summary="The path in numbers",
)
def path(prediction_id: IdPath, permit: Seeing, database: DatabaseDep) -> Response:
    """Speed, width, uncertainty, longest duration, and which lines meet the Earth."""
    del permit
    return Response(path_text(_content(database, prediction_id), "json"), media_type="application/json")


@router.get(
    "/predictions/{prediction_id}/path.geojson",
    response_class=Response,
    responses=_document("application/geo+json"),
    summary="The path as GeoJSON",
)
def path_geojson(prediction_id: IdPath, permit: Seeing, database: DatabaseDep) -> Response:
    """Centre line, limits, limits moved out by one sigma, and instants (RFC 7946)."""
    del permit
    return Response(
        path_text(_content(database, prediction_id), "geojson"), media_type="application/geo+json"
    )


@router.get(
    "/predictions/{prediction_id}/path.kml",
    response_class=Response,
    responses=_document("application/vnd.google-earth.kml+xml"),
    summary="The path as KML",
)
def path_kml(prediction_id: IdPath, permit: Seeing, database: DatabaseDep) -> Response:
    """The same for globe viewers."""
    del permit
    text = path_text(_content(database, prediction_id), "kml")
    return Response(text, media_type="application/vnd.google-earth.kml+xml")


@router.get(
    "/predictions/{prediction_id}/path.csv",
    response_class=Response,
    responses=_document("text/csv"),
    summary="The path as CSV",
)
def path_csv(prediction_id: IdPath, permit: Seeing, database: DatabaseDep) -> Response:
    """Every point of every line."""
    del permit
    return Response(path_text(_content(database, prediction_id), "csv"), media_type="text/csv")


@router.get(
    "/predictions/{prediction_id}/occelmnt.xml",
    response_class=Response,
    responses=_document("application/xml"),
    summary="The prediction as occelmnt XML",
)
def occelmnt(prediction_id: IdPath, permit: Seeing, database: DatabaseDep) -> Response:
    """The prediction for Occult, Occult Watcher and others."""
    from reduction.geometry.occelmnt_text import write_occelmnt

    del permit
    with database.reading() as session:
        row = prediction_of(session, prediction_id)
    content_of(row)
    predicted = predicted_of(row)
    text = write_occelmnt([] if predicted is None else [predicted])
    return Response(text, media_type="application/xml")


@router.get(
    "/predictions/{prediction_id}/circumstances",
    response_class=Response,
    responses=_document("application/json"),
    summary="What a place may expect",
)
def circumstances(
    prediction_id: IdPath,
    permit: Seeing,
    database: DatabaseDep,
    site: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$", description="One's own site.")] = None,
    latitude: Latitude | None = None,
    longitude: Longitude | None = None,
    height: Height = 0.0,
) -> Response:
    """When, how far from the centre, how long, how likely, how high: for one's own site, or any place."""
    content = _content(database, prediction_id)
    if site is not None:
        with database.reading() as session:
            row = session.get(Site, site)
        if row is None or row.person != permit.caller.person:
            raise RefusedError(404, "no such site, or not yours to see")
        place = (row.name, row.latitude_deg, row.longitude_deg, row.height_m)
    elif latitude is not None and longitude is not None:
        place = ("", latitude, longitude, height)
    else:
        raise RefusedError(422, "give site, or latitude and longitude")
    return Response(station_text(content, *place), media_type="application/json")
