"""Routes of campaigns."""

from typing import Annotated

from fastapi import APIRouter

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns import campaigns
from api.campaigns.campaign_search import CampaignSearchDep
from api.campaigns.campaign_views import (
    AppointmentBody,
    CallsBody,
    CampaignBody,
    CampaignChange,
    CampaignView,
)
from api.campaigns.tables import Campaign, Prediction
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, SettingsDep
from api.mail import preferences
from api.mail.kinds import Topic
from api.pages import Page, page_of
from api.people.registration_routes import MOST_BODY_BYTES
from api.problems import responses
from reduction.errors import RequestError

router = APIRouter(prefix="/api/v1", tags=["campaigns"])


@router.get("/campaigns", responses=responses(401, 403, 422, 503), summary="Campaigns")
def list_campaigns(
    permit: Annotated[Permit, may(Operation.SEE_CAMPAIGNS)],
    database: DatabaseDep,
    asked: CampaignSearchDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CampaignView]:
    """List campaigns, the last opened first; by state, dates, words of name or object, or only one's own."""
    rows = asked.rows(permit.caller.known)
    with database.reading() as session:
        found, following = page_of(session, rows, (Campaign.opened, Campaign.id), limit, cursor, True)
        return Page(items=campaigns.campaign_views(session, found), next=following)


@router.post(
    "/campaigns",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 409, 413, 422, 503),
    summary="Open a campaign",
)
def open_campaign(
    body: CampaignBody,
    permit: Annotated[Permit, may(Operation.OPEN_CAMPAIGN)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> CampaignView:
    """Make a campaign of a prediction; everyone who wants calls gets an e-mail."""
    with database.writing() as session:
        prediction = session.get(Prediction, body.prediction, with_for_update=True)
        if prediction is None:
            raise RequestError("prediction: there is none with this id")
        row = campaigns.open_campaign(session, settings, permit.caller, prediction, body)
        session.flush()
        return campaigns.campaign_views(session, [row])[0]


@router.get("/campaigns/{campaign_id}", responses=responses(401, 403, 404, 422, 503), summary="A campaign")
def see_campaign(
    campaign_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_CAMPAIGNS)], database: DatabaseDep
) -> CampaignView:
    """Tell a campaign."""
    with database.reading() as session:
        row = permit.over(session, session.get(Campaign, campaign_id), "campaign")
        return campaigns.campaign_views(session, [row])[0]


@router.patch(
    "/campaigns/{campaign_id}",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 413, 422, 503),
    summary="Change or close a campaign",
)
def change_campaign(
    campaign_id: IdPath,
    body: CampaignChange,
    permit: Annotated[Permit, may(Operation.MANAGE_CAMPAIGN)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> CampaignView:
    """Change name, embargo, whether observers reduce their own; close it, or open it again.

    Those who take part in it, or answer for it, get an e-mail.
    """
    with database.writing() as session:
        row = permit.over(session, session.get(Campaign, campaign_id, with_for_update=True), "campaign")
        campaigns.change_campaign(session, settings, permit.caller, row, body)
        return campaigns.campaign_views(session, [row])[0]


@router.post(
    "/campaigns/{campaign_id}/responsibles",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 413, 422, 503),
    summary="Appoint an event responsible",
)
def appoint(
    campaign_id: IdPath,
    body: AppointmentBody,
    permit: Annotated[Permit, may(Operation.APPOINT_RESPONSIBLE)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> CampaignView:
    """Make somebody answer for a campaign; they get an e-mail."""
    with database.writing() as session:
        row = permit.over(session, session.get(Campaign, campaign_id, with_for_update=True), "campaign")
        campaigns.appoint(session, settings, permit.caller, row, body)
        session.flush()
        return campaigns.campaign_views(session, [row])[0]


@router.delete(
    "/campaigns/{campaign_id}/responsibles/{person_id}",
    status_code=204,
    responses=responses(401, 403, 404, 422, 503),
    summary="Withdraw an event responsible",
)
def withdraw(
    campaign_id: IdPath,
    person_id: IdPath,
    permit: Annotated[Permit, may(Operation.APPOINT_RESPONSIBLE)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> None:
    """End an appointment; they get an e-mail."""
    with database.writing() as session:
        row = permit.over(session, session.get(Campaign, campaign_id, with_for_update=True), "campaign")
        campaigns.withdraw(session, settings, permit.caller, row, person_id)


@router.get("/account/calls", responses=responses(401, 403, 422, 503), summary="Whether one wants calls")
def see_calls(permit: Annotated[Permit, may(Operation.SEE_ACCOUNT)], database: DatabaseDep) -> CallsBody:
    """Tell whether one gets an e-mail when a campaign is opened."""
    with database.reading() as session:
        return CallsBody(wanted=preferences.wants(session, permit.caller.known, Topic.CALLS))


@router.put(
    "/account/calls",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 413, 422, 503),
    summary="Choose whether one wants calls",
)
def choose_calls(
    body: CallsBody, permit: Annotated[Permit, may(Operation.CHANGE_ACCOUNT)], database: DatabaseDep
) -> CallsBody:
    """Choose whether one gets an e-mail when a campaign is opened."""
    with database.writing() as session:
        preferences.choose(session, permit.caller.known, Topic.CALLS, body.wanted)
    return body
