"""The first page: what this is, for who is not logged in; else the calendar and the current calls."""

from datetime import timedelta
from typing import Annotated

from fastapi import Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns import calendar_routes
from api.campaigns.campaign_views import CampaignView
from api.database.tables import now
from api.notices.announcement_routes import list_announcements
from api.observations.observation_routes import list_own
from api.web.forms import FormDep
from api.web.pages import Visit, VisitDep, page_router

RECENT = timedelta(days=60)
SHOWN = 12
"""Campaigns to come, and as many past ones, of the first page."""
NEWS = 3

router = page_router()


@router.get("/")
def home(visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_PAGES)]) -> Response:
    """Show what this is, or what comes next."""
    del permit
    if visit.person is None:
        return visit.page("home/welcome.html", operator=visit.may(Operation.REDUCE_FOLDER))
    coming, past, complete = _calendar(visit)
    mine = list_own(visit.permit(Operation.SEE_OWN_OBSERVATIONS), visit.database, None, 200, None)
    news = list_announcements(visit.permit(Operation.SEE_ANNOUNCEMENTS), visit.database, NEWS, None)
    return visit.page(
        "home/home.html",
        coming=coming[:SHOWN],
        more_coming=len(coming) > SHOWN or not complete,
        past=past[:SHOWN],
        more_past=len(past) > SHOWN,
        calls=[one for one in coming if one.state == "open"],
        mine={one.campaign for one in mine.items},
        news=[one for one in news.items if one.withdrawn is None],
        more_news=news.next is not None,
        now=now(),
    )


def _calendar(visit: Visit) -> tuple[list[CampaignView], list[CampaignView], bool]:
    """Campaigns to come, the next first; those of the last weeks, the latest first; whether these are all."""
    at = now()
    permit = visit.permit(Operation.SEE_CAMPAIGNS)
    found = calendar_routes.calendar(permit, visit.database, (at - RECENT).date(), None)
    coming = [one for one in found.items if one.prediction.at >= at]
    past = [one for one in found.items if one.prediction.at < at]
    return coming, past[::-1], found.complete


@router.get("/announcements")
def announcements(
    visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_ANNOUNCEMENTS)], cursor: str | None = None
) -> Response:
    """Show what was announced, the latest first."""
    found = list_announcements(permit, visit.database, 20, cursor)
    return visit.page("home/announcements.html", items=found.items, following=found.next)


@router.get("/calendar")
def calendar_address(visit: VisitDep, permit: Annotated[Permit, may(Operation.MAKE_FEED)]) -> Response:
    """Tell of the address for calendar programs."""
    there = calendar_routes.has_feed(permit, visit.database)
    return visit.page("home/calendar.html", address="", there=there)


@router.post("/calendar")
def make_address(
    visit: VisitDep, permit: Annotated[Permit, may(Operation.MAKE_FEED)], form: FormDep
) -> Response:
    """Make the address, told this once, or end it."""
    if form.text("end"):
        calendar_routes.end_feed(permit, visit.database)
        return visit.back("/calendar", "calendar_ended")
    made = calendar_routes.make_feed(permit, visit.database, visit.settings)
    return visit.page("home/calendar.html", address=made.url, there=True)
