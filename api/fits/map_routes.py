"""The map of a campaign: the path of its shadow, and its stations by what they saw."""

from functools import lru_cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response

from api.access.caller import Caller
from api.access.matrix import MATRIX, Operation
from api.access.permit import Permit, may
from api.access.relations import relations
from api.campaigns.authors import participants
from api.campaigns.paths import content_of, map_of
from api.campaigns.tables import Campaign, Prediction
from api.database.transactions import Database
from api.dependencies import DatabaseDep, IdPath
from api.fits.chord_routes import chords_of
from api.fits.fitting import Fitting
from api.fits.service import FittingDep
from api.problems import responses
from api.results.views import PREFIX
from reduction.plan import Settings

MEDIA = {"png": "image/png", "svg": "image/svg+xml"}
PICTURES = 32
STRICT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"

router = APIRouter(prefix=PREFIX, tags=["campaigns"])


class StationOnMap(Settings):
    """A station as the caller may see it; not exact: its place is to 0.01 degrees and 100 m.

    Attributes
    ----------
    state : str
        ``positive``, ``negative``, ``overcast``, ``technical_failure``, ``planned`` or ``unknown``.
    """

    station: str
    observer: str
    state: str
    latitude_deg: float
    longitude_deg: float
    height_m: float
    exact: bool


def may_also(caller: Caller, standing: Any, operation: Operation) -> bool:
    """Whether a caller of a standing to a thing may do something else, too, with it."""
    row = MATRIX[operation]
    by_key = caller.means != "key" or (row.by_key and row.scope in caller.scopes)
    return by_key and bool(standing & row.allowed)


def stations_of(
    campaign_id: str, permit: Permit, database: Database, fitting: Fitting
) -> tuple[StationOnMap, ...]:
    """Stations of a campaign, as far as the caller may know of them; none, if they may not at all.

    Who may see chords is told what came of the data, others what was reported.
    """
    with database.reading() as session:
        campaign = permit.over(session, session.get(Campaign, campaign_id), "campaign")
        standing = permit.caller.standing | relations(session, permit.caller.person, campaign)
        known = may_also(permit.caller, standing, Operation.SEE_PARTICIPANTS)
        people = participants(session, campaign_id) if known else ()
    if may_also(permit.caller, standing, Operation.SEE_CHORDS):
        found = chords_of(campaign_id, Permit(permit.caller, Operation.SEE_CHORDS), database, fitting)
        return tuple(
            StationOnMap(
                station=one.station, observer=one.observer, state=one.state, **one.place.model_dump()
            )
            for one in found.items
        )
    return tuple(
        StationOnMap(
            station=one.station,
            observer=one.name,
            state=one.status,
            **one.place.model_dump(),
            exact=False,
        )
        for one in people
    )


@router.get(
    "/campaigns/{campaign_id}/map.{form}",
    response_class=Response,
    responses={
        200: {
            "description": "The map",
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA.values()},
        },
        **responses(401, 403, 404, 409, 422, 503),
    },
    summary="Path and stations as a map",
)
def campaign_map(
    campaign_id: IdPath,
    form: Annotated[Literal["png", "svg"], Path()],
    permit: Annotated[Permit, may(Operation.SEE_CAMPAIGNS)],
    database: DatabaseDep,
    fitting: FittingDep,
) -> Response:
    """Draw the path over the Earth and near its stations; these as far as the caller may know of them."""
    stations = stations_of(campaign_id, permit, database, fitting)
    with database.reading() as session:
        campaign = session.get_one(Campaign, campaign_id)
        content = content_of(session.get_one(Prediction, campaign.prediction))
    headers = {"Content-Security-Policy": STRICT, "Cache-Control": "private, no-cache"}
    return Response(_drawn(content, stations, form), media_type=MEDIA[form], headers=headers)


@lru_cache(maxsize=PICTURES)
def _drawn(content: str, stations: tuple[StationOnMap, ...], form: Literal["png", "svg"]) -> bytes:
    shown = tuple(
        (one.station, one.state.replace("_", " "), one.latitude_deg, one.longitude_deg, one.height_m)
        for one in stations
    )
    return map_of(content, shown, form)
