"""`GET /api/predictions`: the search of the paper's listing 1."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns.importing import campaign_of
from api.campaigns.prediction_views import PredictionView, prediction_view
from api.campaigns.search import SearchDep, count_and_page
from api.dependencies import DatabaseDep
from api.problems import responses
from reduction.plan import Settings

PAGE = 100
"""Predictions of a page."""
LAST = 1_000_000

router = APIRouter(prefix="/api", tags=["predictions"])


class PredictionPage(Settings):
    """A page of a search. This schema is stable: names of fields stay.

    Attributes
    ----------
    count : int
        Predictions on all pages.
    page, pages : int
        The first page is 1; `pages` is 0 where nothing was found.
    """

    count: int
    page: int
    pages: int
    items: tuple[PredictionView, ...]


@router.get(
    "/predictions", responses=responses(401, 403, 422, 503), summary="Search predictions, page by page"
)
def search_predictions(
    permit: Annotated[Permit, may(Operation.SEE_PREDICTIONS)],
    database: DatabaseDep,
    search: SearchDep,
    page: Annotated[int, Query(ge=1, le=LAST)] = 1,
) -> PredictionPage:
    """Search by dates, magnitude of the star, object, and place; ordered by time.

    With latitude, longitude and distance: predictions whose shadow touches the ground within that distance
    of the place, one sigma of the prediction not included; each item has its `distance_km`.
    A page after the last is empty.
    """
    del permit
    count, found = count_and_page(database, search, (page - 1) * PAGE, PAGE)
    with database.reading() as session:
        campaigns = campaign_of(session, [row.id for row, _ in found])
    items = tuple(prediction_view(row, campaigns.get(row.id), apart) for row, apart in found)
    return PredictionPage(count=count, page=page, pages=-(-count // PAGE), items=items)
