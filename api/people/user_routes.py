"""Routes of superusers: accounts of others, and the audit log."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.tables import Entry
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit, SettingsDep
from api.pages import Page, page_of
from api.people import accounts
from api.people.registration_routes import MOST_BODY_BYTES
from api.people.tables import Person
from api.people.views import LevelBody, SuspensionBody, UserView, user_view
from api.problems import responses
from api.words import Words, email_key
from reduction.plan import Settings

router = APIRouter(prefix="/api/v1", tags=["users"])
Id = Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")]


class EntryView(Settings):
    """An entry of the audit log."""

    place: int
    at: datetime
    actor: str | None
    means: str
    action: str
    thing: str | None
    request: str | None
    details: dict[str, Any]


def _user(session: Session, permit: Permit, identity: str) -> Person:
    return permit.over(session, session.get(Person, identity), "user")


@router.get("/users", responses=responses(401, 403, 422, 503), summary="Accounts")
def list_users(
    permit: Annotated[Permit, may(Operation.SEE_USERS)],
    database: DatabaseDep,
    email: Annotated[Words | None, Query(description="Only the account with this address.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[UserView]:
    """List accounts, newest first."""
    del permit
    rows = select(Person)
    if email is not None:
        rows = rows.where(Person.email_key == email_key(email))
    with database.reading() as session:
        found, following = page_of(session, rows, (Person.created, Person.id), limit, cursor, True)
    return Page(items=tuple(user_view(row) for row in found), next=following)


@router.get("/users/{user_id}", responses=responses(401, 403, 404, 422, 503), summary="An account")
def see_user(
    user_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_USERS)], database: DatabaseDep
) -> UserView:
    """Tell an account."""
    with database.reading() as session:
        return user_view(_user(session, permit, user_id))


@router.put(
    "/users/{user_id}/level",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 409, 413, 422, 503),
    summary="Change a level",
)
def change_level(
    user_id: IdPath,
    body: LevelBody,
    permit: Annotated[Permit, may(Operation.CHANGE_LEVEL)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> UserView:
    """Make somebody observer, staff or superuser; nobody changes their own level."""
    with database.writing() as session:
        person = _user(session, permit, user_id)
        accounts.set_level(session, settings, permit.caller, person, body.level)
        return user_view(person)


@router.put(
    "/users/{user_id}/suspension",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 409, 413, 422, 503),
    summary="Keep an account out",
)
def suspend(
    user_id: IdPath,
    body: SuspensionBody,
    permit: Annotated[Permit, may(Operation.SUSPEND_USER)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> UserView:
    """Keep an account out at once, its keys too, or let it in again."""
    with database.writing() as session:
        person = _user(session, permit, user_id)
        accounts.suspend(session, settings, permit.caller, person, body.suspended)
        return user_view(person)


@router.get("/audit", responses=responses(401, 403, 422, 503), summary="Who did what")
def audit(
    permit: Annotated[Permit, may(Operation.SEE_AUDIT)],
    database: DatabaseDep,
    actor: Id = None,
    thing: Id = None,
    action: Annotated[Words | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[EntryView]:
    """List the audit log, newest first."""
    del permit
    rows = select(Entry)
    for column, wanted in ((Entry.actor, actor), (Entry.thing, thing), (Entry.action, action)):
        if wanted is not None:
            rows = rows.where(column == wanted)
    with database.reading() as session:
        found, following = page_of(session, rows, (Entry.place,), limit, cursor, True)
    fields = EntryView.model_fields
    return Page(
        items=tuple(EntryView(**{name: getattr(row, name) for name in fields}) for row in found),
        next=following,
    )
