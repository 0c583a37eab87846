"""Routes of statistics: counts of the whole archive, for everybody."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.access.matrix import MATRIX, Operation
from api.access.permit import Permit, may
from api.database.transactions import Database
from api.dependencies import DatabaseDep
from api.problems import RefusedError, responses
from api.statistics.counting import count
from api.statistics.figures import Form, Name, drawn
from api.statistics.keeping import Kept
from api.statistics.periods import PATTERN, Period
from api.statistics.sheet import sheet
from api.statistics.views import Busiest, Statistics

MEDIA = {"png": "image/png", "svg": "image/svg+xml"}
STRICT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""Of an SVG that is opened by itself."""
FOR_EVER = float("inf")

router = APIRouter(prefix="/api/v1/statistics", tags=["statistics"])

MaySee = Annotated[Permit, may(Operation.SEE_STATISTICS)]
Bound = Annotated[str, Query(max_length=7, pattern=rf"^$|{PATTERN}", examples=["2021"])]


def period_of(permit: Permit, start: str, end: str) -> Period:
    """The period that a caller asks for.

    Raises
    ------
    RequestError
        It ends before it begins.
    RefusedError
        401: of months, by who has no account. So visitors cannot single out a campaign, nor have very many
        periods counted.
    """
    period = Period(start, end)
    if not period.by_years and permit.caller.person is None:
        raise RefusedError(401, "log in to ask for months; statistics of years are for everybody")
    return period


async def asked(permit: MaySee, start: Bound = "", end: Bound = "") -> Period:
    """First and last year (``2021``) or, with an account, month (``2021-08``), both included."""
    return period_of(permit, start, end)


async def kept_of(request: Request) -> Kept:
    """What was counted and drawn lately, of the app."""
    kept: Kept = request.app.state.statistics
    return kept


PeriodDep = Annotated[Period, Depends(asked)]
KeptDep = Annotated[Kept, Depends(kept_of)]


def counted(database: Database, kept: Kept, period: Period) -> Statistics:
    """Statistics of a period, at most a minute old."""

    def make() -> Statistics:
        with database.reading() as session:
            return count(session, period, kept.gazetteer)

    return kept.get(period, make)


def seen_by(permit: Permit, held: Statistics) -> Statistics:
    """What a caller may see: those without an account are not told which campaign had the most stations."""
    if held.busiest is None or MATRIX[Operation.SEE_CAMPAIGNS].allowed & permit.caller.standing:
        return held
    return held.model_copy(update={"busiest": Busiest(stations=held.busiest.stations)})


@router.get("", responses=responses(401, 403, 422, 503), summary="The archive in numbers")
def statistics(permit: MaySee, period: PeriodDep, database: DatabaseDep, kept: KeptDep) -> Statistics:
    """Count campaigns by outcome, class of the body and month; observers, their countries and equipment.

    Campaigns and reports are those whose occultation is in the period; observers, sites and equipment those
    that were registered in it. Counts alone: places to 1 degree, embargoed campaigns as one more of a kind.
    """
    return seen_by(permit, counted(database, kept, period))


@router.get(
    "/table.csv",
    response_class=Response,
    responses={
        200: {
            "description": "A line for each number",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
        **responses(401, 403, 422, 503),
    },
    summary="The same as CSV",
)
def statistics_csv(permit: MaySee, period: PeriodDep, database: DatabaseDep, kept: KeptDep) -> Response:
    """The same numbers: ``statistic,class,what,number``."""
    del permit
    headers = {"Content-Disposition": 'attachment; filename="statistics.csv"'}
    text = sheet(counted(database, kept, period))
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.get(
    "/figures/{name}.{form}",
    response_class=Response,
    responses={
        200: {
            "description": "The figure",
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA.values()},
        },
        **responses(401, 403, 404, 422, 503),
    },
    summary="A figure of the archive",
)
def statistics_figure(
    name: Name, form: Form, permit: MaySee, period: PeriodDep, database: DatabaseDep, kept: KeptDep
) -> Response:
    """Draw outcomes, classes, observers (a map), countries, apertures, cameras, or campaigns by time.

    Classes of less than 1 % are drawn as one bar, which says how many they are; the numbers have them all.
    """
    del permit
    held = counted(database, kept, period)
    made = kept.get((name, form, held), lambda: drawn(name, held, form), FOR_EVER)
    return Response(made, media_type=MEDIA[form], headers={"Content-Security-Policy": STRICT})
