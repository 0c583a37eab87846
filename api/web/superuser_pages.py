"""Pages of superusers: accounts of others, and the audit log."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import Response
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from api.access.matrix import Level, Operation
from api.access.permit import Permit, may
from api.campaigns.tables import Campaign, Prediction
from api.dependencies import Cursor, IdPath
from api.equipment.tables import Equipment, Site
from api.notices.issues import Identity
from api.notices.tables import Announcement, Issue
from api.observations.tables import Observation, ObservationFile
from api.people import user_routes
from api.people.tables import Person
from api.people.views import LevelBody, SuspensionBody
from api.uploads.tables import Upload
from api.web.forms import FORM_ERRORS, Form, FormDep
from api.web.pages import Visit, VisitDep, page_router
from api.words import Words
from reduction.plan import Settings

router = page_router()
MaySee = Annotated[Permit, may(Operation.SEE_USERS)]
USERS, AUDIT = "/staff/users", "/staff/audit"
LEVELS = tuple((level.value, level.value) for level in Level)
ROWS = 50


class UserSearch(Settings):
    """Whose account is looked for."""

    email: Words | None = None


class AuditSearch(Settings):
    """What is looked for in the audit log."""

    actor: Identity | None = None
    thing: Identity | None = None
    action: Words | None = None


THINGS: Mapping[InstrumentedAttribute[str], str] = MappingProxyType(
    {
        Person.name: "/staff/users/{}",
        Campaign.name: "/campaigns/{}",
        Prediction.object_name: "/staff/predictions/{}",
        Observation.station: "/observations/{}",
        ObservationFile.name: "/files/{}/view",
        Issue.subject: "/issues/{}",
        Announcement.subject: "/staff/announcements",
        Site.name: "/sites/{}",
        Equipment.name: "/equipment/{}",
        Upload.name: "",
    }
)
"""What people call a thing of the log -> its page, if it has one."""


def _asked(visit: Visit, model: type[Settings]) -> Form:
    """Fields of a search that are not empty."""
    asked = visit.request.query_params
    return Form({name: [asked[name]] for name in model.model_fields if asked.get(name, "").strip()})


@router.get(USERS)
def users(visit: VisitDep, permit: MaySee, cursor: Cursor = None) -> Response:
    """Show accounts, those made last first."""
    form = _asked(visit, UserSearch)
    try:
        email = form.read(UserSearch).email
        found = user_routes.list_users(permit, visit.database, email, ROWS, cursor)
    except FORM_ERRORS as error:
        return visit.again("staff/users.html", form, error, users=(), next=None)
    return visit.page("staff/users.html", typed=form.typed, users=found.items, next=found.next)


@router.get(f"{USERS}/{{user_id}}")
def user(user_id: IdPath, visit: VisitDep, permit: MaySee) -> Response:
    """Show an account, and what can be done to it."""
    found = user_routes.see_user(user_id, permit, visit.database)
    return visit.page("staff/user.html", user=found, levels=LEVELS)


@router.post(f"{USERS}/{{user_id}}/level")
def change_level(
    user_id: IdPath, visit: VisitDep, permit: Annotated[Permit, may(Operation.CHANGE_LEVEL)], form: FormDep
) -> Response:
    """Make somebody observer, staff or superuser."""
    try:
        body = form.read(LevelBody)
        user_routes.change_level(user_id, body, permit, visit.database, visit.settings)
    except FORM_ERRORS as error:
        return _again(visit, user_id, form, error)
    return visit.back(f"{USERS}/{user_id}", "level_changed")


@router.post(f"{USERS}/{{user_id}}/suspension")
def suspend(
    user_id: IdPath, visit: VisitDep, permit: Annotated[Permit, may(Operation.SUSPEND_USER)], form: FormDep
) -> Response:
    """Keep an account out, or let it in again."""
    try:
        body = form.read(SuspensionBody)
        user_routes.suspend(user_id, body, permit, visit.database, visit.settings)
    except FORM_ERRORS as error:
        return _again(visit, user_id, form, error)
    return visit.back(f"{USERS}/{user_id}", "suspended" if body.suspended else "let_in")


def _again(visit: Visit, identity: str, form: Form, error: Exception) -> Response:
    found = user_routes.see_user(identity, visit.permit(Operation.SEE_USERS), visit.database)
    return visit.again("staff/user.html", form, error, user=found, levels=LEVELS)


@router.get(AUDIT)
def audit(
    visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_AUDIT)], cursor: Cursor = None
) -> Response:
    """Show who did what, the last first."""
    form = _asked(visit, AuditSearch)
    try:
        asked = form.read(AuditSearch)
        found = user_routes.audit(
            permit, visit.database, asked.actor, asked.thing, asked.action, ROWS, cursor
        )
    except FORM_ERRORS as error:
        return visit.again("staff/audit.html", form, error, entries=(), next=None, things={})
    ids = {one for entry in found.items for one in (entry.actor, entry.thing) if one is not None}
    ids |= {one for entry in found.items for one in entry.details.values() if isinstance(one, str)}
    values: dict[str, Any] = {"entries": found.items, "next": found.next, "things": _things(visit, ids)}
    return visit.page("staff/audit.html", typed=form.typed, **values)


def _things(visit: Visit, ids: set[str]) -> dict[str, tuple[str, str]]:
    """Name and page of what is known of ids: all of it a superuser may see."""
    found: dict[str, tuple[str, str]] = {}
    with visit.database.reading() as session:
        for name, where in THINGS.items():
            table = name.class_
            for identity, told in session.execute(select(table.id, name).where(table.id.in_(ids))):
                found[identity] = (str(told), where.format(identity))
    return found
