"""Routes of participants, and of authors for the publication."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns.authors import authors, authors_csv, authors_latex, participants
from api.campaigns.campaign_views import AuthorList, AuthorView, ParticipantView
from api.campaigns.tables import Campaign
from api.database.transactions import Database
from api.dependencies import DatabaseDep, IdPath
from api.problems import responses
from reduction.plan import Settings

router = APIRouter(prefix="/api/v1", tags=["campaigns"])

Listing = Annotated[Permit, may(Operation.LIST_AUTHORS)]
Everyone = Annotated[bool, Query(description="Also those who did not agree to be named.")]


class ParticipantList(Settings):
    """Participants of a campaign, station by station."""

    items: tuple[ParticipantView, ...]


def _text(media_type: str) -> dict[int | str, dict[str, Any]]:
    found = {"description": "The list", "content": {media_type: {"schema": {"type": "string"}}}}
    return {200: found, **responses(401, 403, 404, 422, 503)}


def _authors(database: Database, permit: Permit, campaign: str, everyone: bool) -> tuple[AuthorView, ...]:
    with database.reading() as session:
        permit.over(session, session.get(Campaign, campaign), "campaign")
        return authors(session, campaign, everyone)


@router.get(
    "/campaigns/{campaign_id}/participants",
    responses=responses(401, 403, 404, 422, 503),
    summary="Participants",
)
def list_participants(
    campaign_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_PARTICIPANTS)], database: DatabaseDep
) -> ParticipantList:
    """List who observes, where (rounded to about a kilometre), and what came of it."""
    with database.reading() as session:
        permit.over(session, session.get(Campaign, campaign_id), "campaign")
        return ParticipantList(items=participants(session, campaign_id))


@router.get(
    "/campaigns/{campaign_id}/authors",
    responses=responses(401, 403, 404, 422, 503),
    summary="Participants for the publication",
)
def list_authors(
    campaign_id: IdPath, permit: Listing, database: DatabaseDep, everyone: Everyone = False
) -> AuthorList:
    """List those who agreed to be named: name, affiliation, ORCID iD, role."""
    return AuthorList(items=_authors(database, permit, campaign_id, everyone))


@router.get(
    "/campaigns/{campaign_id}/authors.csv",
    response_class=Response,
    responses=_text("text/csv"),
    summary="The same as CSV",
)
def list_authors_csv(
    campaign_id: IdPath, permit: Listing, database: DatabaseDep, everyone: Everyone = False
) -> Response:
    """The same as CSV."""
    return Response(authors_csv(_authors(database, permit, campaign_id, everyone)), media_type="text/csv")


@router.get(
    "/campaigns/{campaign_id}/authors.tex",
    response_class=Response,
    responses=_text("application/x-tex"),
    summary="The same as LaTeX",
)
def list_authors_latex(campaign_id: IdPath, permit: Listing, database: DatabaseDep) -> Response:
    """The same as LaTeX; only those who agreed."""
    text = authors_latex(_authors(database, permit, campaign_id, False))
    return Response(text, media_type="application/x-tex")
