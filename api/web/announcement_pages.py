"""Pages of announcements, for staff."""

from typing import Annotated, Any

from fastapi import Response

from api.access.matrix import Level, Operation
from api.access.permit import Permit, may
from api.campaigns import campaign_routes
from api.campaigns.campaign_search import CampaignSearch
from api.dependencies import Cursor, IdPath
from api.notices import announcement_routes
from api.notices.announcements import AnnouncementBody
from api.web.forms import FORM_ERRORS, Form, FormDep
from api.web.pages import Visit, VisitDep, page_router

router = page_router()
HERE = "/staff/announcements"
ROWS = 20
CAMPAIGNS = 200
"""To choose from; those opened last."""
EVERYONE = "everyone"


@router.get(HERE)
def announcements(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.FOLLOW_ANNOUNCEMENT)],
    cursor: Cursor = None,
) -> Response:
    """Show what was announced, how far it is sent, and a form for more."""
    return visit.page("staff/announcements.html", **_values(visit, permit, cursor))


def _values(visit: Visit, permit: Permit, cursor: str | None = None) -> dict[str, Any]:
    listing, choosing = visit.permit(Operation.SEE_ANNOUNCEMENTS), visit.permit(Operation.SEE_CAMPAIGNS)
    found = announcement_routes.list_announcements(listing, visit.database, ROWS, cursor)
    told = [announcement_routes.follow(one.id, permit, visit.database) for one in found.items]
    everything = CampaignSearch()
    campaigns = campaign_routes.list_campaigns(choosing, visit.database, everything, CAMPAIGNS).items
    audiences = [
        (EVERYONE, "Everyone"),
        (Level.STAFF.value, "Staff and superusers"),
        (Level.SUPERUSER.value, "Superusers"),
        *((one.id, f"Those who take part in {one.name}") for one in campaigns),
    ]
    return {
        "announcements": told,
        "next": found.next,
        "audiences": audiences,
        "campaigns": {one.id: one.name for one in campaigns},
    }


@router.post(HERE)
def announce(visit: VisitDep, permit: Annotated[Permit, may(Operation.ANNOUNCE)], form: FormDep) -> Response:
    """Announce something, by e-mail too unless it is to be listed alone."""
    try:
        body = _body(form)
        announcement_routes.announce(body, Response(), permit, visit.database, visit.settings)
    except FORM_ERRORS as error:
        following = visit.permit(Operation.FOLLOW_ANNOUNCEMENT)
        return visit.again("staff/announcements.html", form, error, **_values(visit, following))
    return visit.back(HERE, "announced")


def _body(form: Form) -> AnnouncementBody:
    """What is announced, to whom `audience` says."""
    audience = form.text("audience", EVERYONE)
    more: dict[str, Any] = {}
    if audience in {Level.STAFF.value, Level.SUPERUSER.value}:
        more["level"] = audience
    elif audience != EVERYONE:
        more["campaign"] = audience
    kept = {name: values for name, values in form.fields.items() if name != "audience"}
    return Form(kept).read(AnnouncementBody, **more)


@router.post(f"{HERE}/{{announcement_id}}/withdraw")
def withdraw(
    announcement_id: IdPath, visit: VisitDep, permit: Annotated[Permit, may(Operation.ANNOUNCE)]
) -> Response:
    """List an announcement no more, and do not send what is not sent yet."""
    announcement_routes.withdraw(announcement_id, permit, visit.database)
    return visit.back(HERE, "announcement_withdrawn")
