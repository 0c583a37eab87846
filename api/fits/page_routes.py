"""The page of a campaign: its stations' light curves and times, in order across the shadow."""

import dataclasses
from typing import Any

from fastapi import APIRouter, Response

from api.campaigns.tables import Campaign
from api.database.transactions import Database
from api.dependencies import DatabaseDep, IdPath
from api.fits.chord_routes import MaySee, chords_of
from api.fits.chords import ChordList, ChordView
from api.fits.service import FittingDep
from api.problems import responses
from api.results.cache import ResultCache
from api.results.result_routes import PAGE_POLICY
from api.results.service import ReducingDep
from api.results.tables import Result
from api.results.views import PREFIX
from cluster.campaign.outcomes import Outcome, read_outcome
from cluster.campaign.report import Failure, report_page
from reduction.errors import UmbraError

PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}},
    **responses(401, 403, 404, 422, 503),
}
router = APIRouter(prefix=PREFIX, tags=["chords and limb"])


@router.get(
    "/campaigns/{campaign_id}/report.html",
    response_class=Response,
    responses=PAGE,
    summary="Light curves of a campaign on a page",
)
def report(
    campaign_id: IdPath, permit: MaySee, database: DatabaseDep, fitting: FittingDep, reducing: ReducingDep
) -> Response:
    """Return a page with every light curve, D and R, of the results that count, ordered across the shadow."""
    found = chords_of(campaign_id, permit, database, fitting)
    with database.reading() as session:
        name = session.get_one(Campaign, campaign_id).name
    outcomes, failures = _outcomes(found, keys_of(database, found), reducing.cache)
    headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "private, no-cache"}
    page = report_page(name, outcomes, failures, False, served=True)
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)


def keys_of(database: Database, found: ChordList) -> dict[str, str]:
    """Keys in the store of the results that count, by their ids."""
    shown = [one.result.id for one in found.items if one.result is not None]
    with database.reading() as session:
        return {identity: session.get_one(Result, identity).key for identity in shown}


def _outcomes(
    found: ChordList, keys: dict[str, str], cache: ResultCache
) -> tuple[list[Outcome], list[Failure]]:
    """Results that are there, and the stations without one."""
    outcomes: list[Outcome] = []
    failures: list[Failure] = []
    for one in found.items:
        if one.result is None:
            failures.append(Failure(one.station, one.state.replace("_", " "), _why(one)))
            continue
        here = f"{PREFIX}/results/{one.result.id}"
        try:
            key = keys[one.result.id]
            outcome = read_outcome(one.station, one.result.version, key, cache.folder(key))
            outcome.curve()
        except UmbraError as error:
            failures.append(Failure(one.station, "damaged", str(error)))
            continue
        link = f"{here}/files/report.html" if found.exact else f"{here}/lightcurve.csv"
        outcomes.append(dataclasses.replace(outcome, link=link))
    return outcomes, failures


def _why(one: ChordView) -> str:
    if one.source == "report" and one.used:
        times = [f"{name} {end.utc}" for name, end in (("D", one.d), ("R", one.r)) if end is not None]
        return f"by the observer's report{': ' if times else ''}{', '.join(times)}"
    return one.why
