"""Routes of the calendar: a list, and a feed for calendar programs at a secret address."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from api.access.caller import digest_of, new_secret
from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.campaigns.calendar import MEDIA_TYPE, calendar_text
from api.campaigns.campaign_views import CampaignView, FeedView
from api.campaigns.campaigns import campaign_views
from api.campaigns.overview import overview
from api.campaigns.paths import content_of
from api.campaigns.tables import Campaign, Feed, Prediction
from api.database.tables import now
from api.database.transactions import Database
from api.dependencies import DatabaseDep, SettingsDep
from api.people.tables import Person
from api.problems import RefusedError, responses
from reduction.plan import Settings

BEFORE = timedelta(days=90)
"""Past campaigns of the feed."""
MOST = 1000

router = APIRouter(prefix="/api/v1", tags=["campaigns"])


class CalendarView(Settings):
    """Campaigns by the time of their occultation; `complete` is false where there are more than 1000."""

    items: tuple[CampaignView, ...]
    complete: bool


def _between(
    session: Session, first: datetime | None, last: datetime | None
) -> list[tuple[Campaign, Prediction]]:
    rows = select(Campaign, Prediction).join(Prediction, Prediction.id == Campaign.prediction)
    if first is not None:
        rows = rows.where(Prediction.at >= first)
    if last is not None:
        rows = rows.where(Prediction.at <= last)
    found = session.execute(rows.order_by(Prediction.at, Prediction.id).limit(MOST + 1))
    return [(campaign, prediction) for campaign, prediction in found]


@router.get("/calendar", responses=responses(401, 403, 422, 503), summary="Campaigns by date")
def calendar(
    permit: Annotated[Permit, may(Operation.SEE_CAMPAIGNS)],
    database: DatabaseDep,
    start_date: Annotated[date | None, Query(description="First day, UTC; today by default.")] = None,
    end_date: Annotated[date | None, Query(description="Last day, UTC.")] = None,
) -> CalendarView:
    """List campaigns by the time of their occultation."""
    del permit
    first = datetime.combine(start_date or now().date(), time.min, UTC)
    last = None if end_date is None else datetime.combine(end_date, time.max, UTC)
    with database.reading() as session:
        found = _between(session, first, last)
        views = campaign_views(session, [campaign for campaign, _ in found[:MOST]])
    return CalendarView(items=views, complete=len(found) <= MOST)


@router.get(
    "/calendar/paths.geojson",
    response_class=Response,
    responses={
        200: {"content": {"application/geo+json": {"schema": {"type": "object"}}}, "description": "Paths"},
        **responses(401, 403, 422, 503),
    },
    summary="Paths of open campaigns on one map",
)
def calendar_paths(
    permit: Annotated[Permit, may(Operation.SEE_CAMPAIGNS)],
    database: DatabaseDep,
    start_date: Annotated[date | None, Query(description="First day, UTC; today by default.")] = None,
    end_date: Annotated[date | None, Query(description="Last day, UTC.")] = None,
) -> Response:
    """Centre lines of the campaigns that are open, the first 40 by time; the path of each alone is finer."""
    del permit
    first = datetime.combine(start_date or now().date(), time.min, UTC)
    last = None if end_date is None else datetime.combine(end_date, time.max, UTC)
    with database.reading() as session:
        found = [
            (campaign, prediction)
            for campaign, prediction in _between(session, first, last)
            if campaign.state == "open" and prediction.elements
        ]
        views = campaign_views(session, [campaign for campaign, _ in found])
        contents = [content_of(prediction) for _, prediction in found]
    document = overview(list(zip(views, contents, strict=True)))
    return Response(json.dumps(document, ensure_ascii=False), media_type="application/geo+json")


@router.post(
    "/calendar/address",
    status_code=201,
    responses=responses(401, 403, 503),
    summary="Make the address of one's calendar",
)
def make_feed(
    permit: Annotated[Permit, may(Operation.MAKE_FEED)], database: DatabaseDep, settings: SettingsDep
) -> FeedView:
    """Make a secret address for calendar programs, which cannot log in; an earlier one ends."""
    secret = new_secret()
    person = permit.caller.known
    with database.writing() as session:
        session.execute(delete(Feed).where(Feed.person == person))
        session.add(Feed(person=person, digest=digest_of(secret), created=now()))
        record(session, permit.caller, "calendar address made", person)
    return FeedView(url=f"{settings.url}/api/v1/calendar/{secret}/campaigns.ics")


def has_feed(permit: Permit, database: Database) -> bool:
    """Whether the caller has an address for calendar programs."""
    with database.reading() as session:
        return session.get(Feed, permit.caller.known) is not None


@router.delete(
    "/calendar/address",
    status_code=204,
    responses=responses(401, 403, 503),
    summary="End one's calendar address",
)
def end_feed(permit: Annotated[Permit, may(Operation.MAKE_FEED)], database: DatabaseDep) -> None:
    """End the address of one's calendar."""
    person = permit.caller.known
    with database.writing() as session:
        session.execute(delete(Feed).where(Feed.person == person))
        record(session, permit.caller, "calendar address ended", person)


@router.get(
    "/calendar/{secret}/campaigns.ics",
    response_class=Response,
    responses={
        200: {"content": {"text/calendar": {"schema": {"type": "string"}}}, "description": "iCalendar"},
        **responses(404, 422, 503),
    },
    summary="Campaigns for calendar programs",
)
def feed(
    secret: Annotated[str, Path(max_length=100)],
    permit: Annotated[Permit, may(Operation.SEE_FEED)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Campaigns of the last 90 days and all to come, as iCalendar; the address is the proof of who reads."""
    del permit
    known = (
        select(Feed.person)
        .join(Person, Person.id == Feed.person)
        .where(Feed.digest == digest_of(secret), Person.suspended.is_(None), Person.deleted.is_(None))
    )
    with database.reading() as session:
        if session.scalar(known) is None:
            raise RefusedError(404, "no such calendar")
        found = _between(session, now() - BEFORE, None)[:MOST]
    host = urlsplit(settings.url).hostname or "umbra"
    return Response(calendar_text(found, settings.url, host), media_type=MEDIA_TYPE)
