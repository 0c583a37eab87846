"""Routes of chords: what every station of a campaign saw, and what the team decides of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from sqlalchemy import exists, select

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.campaigns.tables import Campaign, Prediction
from api.database.tables import now
from api.database.transactions import Database
from api.dependencies import DatabaseDep, IdPath
from api.downloads import attachment
from api.fits.chord_sheet import MEDIA_TYPE as XLSX
from api.fits.chord_sheet import chords_xlsx
from api.fits.chords import ChordList, ChordView, chord_list, chords_csv
from api.fits.fitting import Fitting
from api.fits.reported import reported
from api.fits.requests import ChoiceBody
from api.fits.service import FittingDep
from api.fits.stations import stated
from api.fits.tables import ChordChoice
from api.observations.tables import Observation, ObservationFile
from api.problems import RefusedError, responses
from api.results.reduction_routes import team
from api.results.tables import Result
from api.results.views import PREFIX
from reduction.errors import RequestError

MOST_BODY_BYTES = 1 << 16
NOT_THERE = "no such observation of this campaign"
CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "The chords", "content": {"text/csv": {"schema": {"type": "string"}}}},
    **responses(401, 403, 404, 422, 503),
}
WORKBOOK: dict[int | str, dict[str, Any]] = {
    200: {"description": "The chords", "content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}},
    **responses(401, 403, 404, 422, 503),
}

router = APIRouter(prefix=PREFIX, tags=["chords and limb"])
MaySee = Annotated[Permit, may(Operation.SEE_CHORDS)]


def chords_of(campaign_id: str, permit: Permit, database: Database, fitting: Fitting) -> ChordList:
    """Chords of a campaign, as the caller may see them."""
    with database.reading() as session:
        campaign = permit.over(session, session.get(Campaign, campaign_id), "campaign")
        exact = team(session, permit, campaign)
        elements = session.get_one(Prediction, campaign.prediction).elements
        rows = reported(session, campaign_id)
    return chord_list(campaign_id, elements, stated(rows, fitting.records), exact)


@router.get(
    "/campaigns/{campaign_id}/chords",
    responses=responses(401, 403, 404, 422, 503),
    summary="Chords of a campaign",
)
def list_chords(campaign_id: IdPath, permit: MaySee, database: DatabaseDep, fitting: FittingDep) -> ChordList:
    """Tell what each station saw: state, version of its result, D and R, ends in the sky plane, length.

    Of each station the latest result counts whose search for events came to an end; where no recording was
    reduced, the contacts of the observer's report; or what the team chose. For participants, once the embargo
    is over, places are rounded, and chords laid from there.
    """
    return chords_of(campaign_id, permit, database, fitting)


@router.get(
    "/campaigns/{campaign_id}/chords.csv", response_class=Response, responses=CSV, summary="The same as CSV"
)
def list_chords_csv(
    campaign_id: IdPath, permit: MaySee, database: DatabaseDep, fitting: FittingDep
) -> Response:
    """The same as CSV, a row for each station."""
    return Response(chords_csv(chords_of(campaign_id, permit, database, fitting)), media_type="text/csv")


@router.get(
    "/campaigns/{campaign_id}/chords.xlsx",
    response_class=Response,
    responses=WORKBOOK,
    summary="The same as an Excel workbook",
)
def list_chords_xlsx(
    campaign_id: IdPath, permit: MaySee, database: DatabaseDep, fitting: FittingDep
) -> Response:
    """The same as a workbook of one sheet."""
    content = chords_xlsx(chords_of(campaign_id, permit, database, fitting))
    headers = {"Content-Disposition": attachment("chords.xlsx")}
    return Response(content, media_type=XLSX, headers=headers)


@router.get(
    "/campaigns/{campaign_id}/chords/{observation_id}",
    responses=responses(401, 403, 404, 422, 503),
    summary="One station's chord",
)
def see_chord(
    campaign_id: IdPath, observation_id: IdPath, permit: MaySee, database: DatabaseDep, fitting: FittingDep
) -> ChordView:
    """Tell one station's chord, as the list does."""
    return _one(chords_of(campaign_id, permit, database, fitting), observation_id)


def _one(found: ChordList, observation_id: str) -> ChordView:
    one = next((one for one in found.items if one.observation == observation_id), None)
    if one is None:
        raise RefusedError(404, NOT_THERE)
    return one


@router.put(
    "/campaigns/{campaign_id}/chords/{observation_id}",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 413, 422, 503),
    summary="Decide what is used of a station",
)
def choose(
    campaign_id: IdPath,
    observation_id: IdPath,
    body: ChoiceBody,
    permit: Annotated[Permit, may(Operation.FIT_CAMPAIGN)],
    database: DatabaseDep,
    fitting: FittingDep,
) -> ChordView:
    """Choose a version of its results or the report, or leave the station out; each with a reason."""
    with database.writing() as session:
        permit.over(session, session.get(Campaign, campaign_id), "campaign")
        row = session.get(Observation, observation_id, with_for_update=True)
        if row is None or row.campaign != campaign_id:
            raise RefusedError(404, NOT_THERE)
        wanted = exists().where(Result.observation == row.id, Result.version == body.version)
        if body.version is not None and not session.scalar(select(wanted)):
            raise RequestError(f"version: the observation has no result {body.version}")
        file = None if body.file is None else session.get(ObservationFile, body.file)
        if body.file is not None and (
            file is None or file.observation != row.id or "events" not in file.finding
        ):
            raise RequestError("file: none of the observation's light curves")
        choice = session.get(ChordChoice, row.id)
        if body.empty:
            if choice is not None:
                session.delete(choice)
        else:
            if choice is None:
                choice = ChordChoice(observation=row.id, campaign=campaign_id)
                session.add(choice)
            choice.person, choice.chosen = permit.caller.known, now()
            choice.excluded, choice.source = body.excluded, body.source or ""
            choice.version, choice.file, choice.reason = body.version, body.file, body.reason
        record(
            session,
            permit.caller,
            "chord chosen",
            row.id,
            campaign=campaign_id,
            excluded=body.excluded,
            source=body.source,
            version=body.version,
        )
    return _one(chords_of(campaign_id, permit, database, fitting), observation_id)
