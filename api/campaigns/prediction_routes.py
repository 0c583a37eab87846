"""Routes of predictions: one by one, and from files."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns import importing
from api.campaigns.importing import Existing, ImportView, campaign_of
from api.campaigns.prediction_files import MOST_BYTES, Contents, read_csv, read_json, read_xml
from api.campaigns.prediction_views import (
    PredictionBody,
    PredictionDetail,
    PredictionView,
    columns_of,
    prediction_detail,
    prediction_view,
)
from api.campaigns.search import SearchDep
from api.campaigns.tables import Prediction
from api.database.transactions import Database
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit
from api.pages import Page, page_of
from api.problems import RefusedError, responses
from reduction.errors import RequestError

MOST_BODY_BYTES = 64 * 1024

router = APIRouter(prefix="/api/v1", tags=["predictions"])


def _file_of(*media_types: str) -> dict[str, Any]:
    """The body of an import, for the OpenAPI text."""
    text = {"schema": {"type": "string"}}
    content: dict[str, Any] = {kind: {"schema": {}} if "json" in kind else text for kind in media_types}
    return {"requestBody": {"required": True, "content": content}}


async def _bytes(request: Request) -> bytes:
    return await request.body()


FileBody = Annotated[bytes, Depends(_bytes)]
ExistingQuery = Annotated[
    Existing, Query(description="What becomes of predictions whose occ_id is there already.")
]
DryRun = Annotated[bool, Query(description="Check everything, write nothing.")]


@router.get("/predictions", responses=responses(401, 403, 422, 503), summary="Predictions")
def list_predictions(
    permit: Annotated[Permit, may(Operation.SEE_PREDICTIONS)],
    database: DatabaseDep,
    search: SearchDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PredictionView]:
    """List predictions by time; the same search as `/api/predictions`, which alone searches by place."""
    del permit
    if search.place is not None:
        raise RequestError("latitude, longitude, distance: are for GET /api/predictions")
    with database.reading() as session:
        found, following = page_of(session, search.rows(), (Prediction.at, Prediction.id), limit, cursor)
        campaigns = campaign_of(session, [row.id for row in found])
    return Page(items=tuple(prediction_view(row, campaigns.get(row.id)) for row in found), next=following)


@router.post(
    "/predictions",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 409, 413, 422, 503),
    summary="Add a prediction",
)
def add_prediction(
    body: PredictionBody, permit: Annotated[Permit, may(Operation.MANAGE_PREDICTIONS)], database: DatabaseDep
) -> PredictionDetail:
    """Add a prediction: with Besselian elements, or with closest approach, position angle and velocity."""
    columns = columns_of(body)
    with database.writing() as session:
        return prediction_detail(importing.add(session, permit.caller, columns))


@router.post(
    "/predictions/bulk",
    max_body_size=MOST_BYTES,
    responses=responses(401, 403, 413, 415, 422, 503),
    openapi_extra=_file_of("text/csv", "application/json"),
    summary="Add predictions from CSV or JSON",
)
def add_predictions(
    request: Request,
    data: FileBody,
    permit: Annotated[Permit, may(Operation.MANAGE_PREDICTIONS)],
    database: DatabaseDep,
    existing: ExistingQuery = "refuse",
    dry_run: DryRun = False,
) -> ImportView:
    """Add all predictions of a file, at most 10,000, or none: then `errors` tells every fault."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"text/csv", "application/json"}:
        raise RefusedError(415, "send Content-Type: text/csv or application/json")
    contents = read_csv(data) if kind == "text/csv" else read_json(data)
    return import_contents(database, permit, contents, existing, dry_run)


@router.post(
    "/predictions/occelmnt",
    max_body_size=MOST_BYTES,
    responses=responses(401, 403, 413, 422, 503),
    openapi_extra=_file_of("application/xml"),
    summary="Add predictions from occelmnt XML",
)
def add_occelmnt(
    data: FileBody,
    permit: Annotated[Permit, may(Operation.MANAGE_PREDICTIONS)],
    database: DatabaseDep,
    existing: ExistingQuery = "refuse",
    dry_run: DryRun = False,
    partial: Annotated[bool, Query(description="Leave out events that cannot be read, with a note.")] = False,
) -> ImportView:
    """Add all predictions of an XML file of Occult or Occult Watcher Cloud, or none."""
    contents = read_xml(data, strict=not partial)
    return import_contents(database, permit, contents, existing, dry_run)


def import_contents(
    database: Database, permit: Permit, contents: Contents, existing: Existing, dry_run: bool
) -> ImportView:
    """Keep what a file holds; raises as `importing.prepared` and `importing.import_all`."""
    ready = importing.prepared(contents)
    with database.writing() as session:
        return importing.import_all(session, permit.caller, ready, existing, dry_run, contents.notes)


@router.get(
    "/predictions/{prediction_id}", responses=responses(401, 403, 404, 422, 503), summary="A prediction"
)
def see_prediction(
    prediction_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_PREDICTIONS)], database: DatabaseDep
) -> PredictionDetail:
    """Tell a prediction, with its elements."""
    with database.reading() as session:
        row = prediction_of(session, prediction_id)
        permit.unchanged(session, row)
        return prediction_detail(row, campaign_of(session, [row.id]).get(row.id))


@router.put(
    "/predictions/{prediction_id}",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 409, 413, 422, 503),
    summary="Replace a prediction",
)
def change_prediction(
    prediction_id: IdPath,
    body: PredictionBody,
    permit: Annotated[Permit, may(Operation.MANAGE_PREDICTIONS)],
    database: DatabaseDep,
) -> PredictionDetail:
    """Replace a prediction, as when a better orbit is known."""
    columns = columns_of(body)
    with database.writing() as session:
        row = prediction_of(session, prediction_id)
        permit.unchanged(session, row)
        importing.change(session, permit.caller, row, columns)
        return prediction_detail(row, campaign_of(session, [row.id]).get(row.id))


@router.delete(
    "/predictions/{prediction_id}",
    status_code=204,
    responses=responses(401, 403, 404, 409, 422, 503),
    summary="Remove a prediction",
)
def remove_prediction(
    prediction_id: IdPath,
    permit: Annotated[Permit, may(Operation.MANAGE_PREDICTIONS)],
    database: DatabaseDep,
) -> None:
    """Remove a prediction that became no campaign."""
    with database.writing() as session:
        row = prediction_of(session, prediction_id, lock=True)
        permit.unchanged(session, row)
        importing.remove(session, permit.caller, row)


def prediction_of(session: Session, identity: str, lock: bool = False) -> Prediction:
    """Return the prediction with an id.

    Raises
    ------
    RefusedError
        404: there is none.
    """
    row = session.get(Prediction, identity, with_for_update=lock)
    if row is None:
        raise RefusedError(404, "no such prediction")
    return row
