"""Routes of one's own account: profile, password, address, sessions, export, deletion."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.caller import Caller, cookie_name, csrf_of
from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.dependencies import AttemptsDep, Cursor, DatabaseDep, IdPath, Limit, SettingsDep
from api.pages import Page, page_of
from api.people import accounts, sessions
from api.people.attempts import Attempts, evenly
from api.people.export import everything_of
from api.people.passwords import check_strength, hashed, matches
from api.people.registration_routes import MOST_BODY_BYTES, SENT
from api.people.tables import LoginSession, Person
from api.people.views import (
    AccountView,
    NewAddressBody,
    NewPasswordBody,
    PasswordBody,
    ProfileChange,
    SessionView,
    TokenBody,
    Told,
    account_view,
    session_view,
)
from api.problems import RefusedError, responses

router = APIRouter(prefix="/api/v1", tags=["account"])


def oneself(session: Session, caller: Caller) -> Person:
    """The caller's account."""
    person = session.get(Person, caller.known)
    if person is None or person.deleted is not None:
        raise RefusedError(401, "this account was deleted")
    return person


def confirm(
    request: Request, attempts: Attempts, database: DatabaseDep, caller: Caller, password: str
) -> None:
    """See that the caller knows the account's password.

    Raises
    ------
    RefusedError
        403: it is another one. 429: too many attempts.
    """
    with database.reading() as session:
        person = oneself(session, caller)
    attempts.count(request, "confirm", person.email)
    right, _ = matches(password, person.password)
    if not right:
        raise RefusedError(403, "password: wrong")


@router.get("/account", responses=responses(401, 403, 503), summary="One's own account")
def see(
    request: Request,
    permit: Annotated[Permit, may(Operation.SEE_ACCOUNT)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> AccountView:
    """Tell the account, and what a browser must send with every change."""
    with database.reading() as session:
        person = oneself(session, permit.caller)
    secret = request.cookies.get(cookie_name(settings), "")
    return account_view(person, csrf_of(secret) if permit.caller.means == "session" else None)


@router.patch(
    "/account",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 413, 422, 503),
    summary="Change one's profile",
)
def change(
    body: ProfileChange,
    permit: Annotated[Permit, may(Operation.CHANGE_ACCOUNT)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> AccountView:
    """Change name, affiliation or ORCID iD; what is left out stays."""
    with database.writing() as session:
        person = oneself(session, permit.caller)
        accounts.change(session, settings, permit.caller, person, body)
        return account_view(person)


@router.put(
    "/account/password",
    status_code=204,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 413, 422, 429, 503),
    summary="Change one's password",
)
def change_password(
    body: NewPasswordBody,
    request: Request,
    permit: Annotated[Permit, may(Operation.CHANGE_PASSWORD)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> None:
    """Change the password; all other sessions end."""
    confirm(request, attempts, database, permit.caller, body.password)
    check_strength(body.new)
    kept = hashed(body.new)
    with database.writing() as session:
        person = oneself(session, permit.caller)
        accounts.set_password(session, settings, permit.caller, person, kept)


@router.post(
    "/account/email",
    status_code=202,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 413, 422, 429, 503),
    summary="Ask for another e-mail address",
)
def ask_address(
    body: NewAddressBody,
    request: Request,
    permit: Annotated[Permit, may(Operation.CHANGE_PASSWORD)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> Told:
    """Ask for another address; an e-mail goes there, and the old one stays until it is answered."""
    confirm(request, attempts, database, permit.caller, body.password)
    attempts.count(request, "address", body.email)
    with evenly(), database.writing() as session:
        person = oneself(session, permit.caller)
        accounts.ask_address(session, settings, permit.caller, person, body.email)
    return SENT


@router.put(
    "/account/email",
    status_code=204,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(403, 409, 413, 422, 429, 503),
    summary="Prove another e-mail address",
)
def prove_address(
    body: TokenBody,
    request: Request,
    permit: Annotated[Permit, may(Operation.PROVE_ADDRESS)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> None:
    """Use another address from now on, with the token that was sent there."""
    attempts.count(request, "prove")
    with database.writing() as session:
        person, email = accounts.redeem(session, body.token, "email")
        assert email is not None
        accounts.set_address(session, settings, permit.caller, person, email)


@router.get("/account/export", responses=responses(401, 403, 503), summary="All that is kept of oneself")
def export(permit: Annotated[Permit, may(Operation.EXPORT_ACCOUNT)], database: DatabaseDep) -> dict[str, Any]:
    """Return everything that the service keeps of the caller, by kind."""
    with database.reading() as session:
        return everything_of(session, oneself(session, permit.caller))


@router.post(
    "/account/deletion",
    status_code=204,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 409, 413, 422, 429, 503),
    summary="Delete one's account",
)
def delete_account(
    body: PasswordBody,
    request: Request,
    response: Response,
    permit: Annotated[Permit, may(Operation.DELETE_ACCOUNT)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> None:
    """Delete the account: what is personal goes, what was contributed to campaigns stays, without a name."""
    confirm(request, attempts, database, permit.caller, body.password)
    with database.writing() as session:
        accounts.erase(session, settings, permit.caller, oneself(session, permit.caller))
    sessions.take_back(response, settings)


@router.get("/sessions", responses=responses(401, 403, 422, 503), summary="Where one is logged in")
def list_sessions(
    permit: Annotated[Permit, may(Operation.SEE_SESSIONS)],
    database: DatabaseDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[SessionView]:
    """List one's sessions."""
    rows = select(LoginSession).where(LoginSession.person == permit.caller.known)
    with database.reading() as session:
        found, following = page_of(
            session, rows, (LoginSession.created, LoginSession.id), limit, cursor, True
        )
    items = tuple(session_view(row, permit.caller.credential) for row in found)
    return Page(items=items, next=following)


@router.delete("/sessions/current", status_code=204, responses=responses(401, 403, 503), summary="Log out")
def log_out(
    response: Response,
    permit: Annotated[Permit, may(Operation.SEE_SESSIONS)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> None:
    """End the session that asks."""
    with database.writing() as session:
        row = session.get(LoginSession, permit.caller.credential)
        if row is not None:
            session.delete(row)
            record(session, permit.caller, "logged out", permit.caller.person)
    sessions.take_back(response, settings)


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    responses=responses(401, 403, 404, 422, 503),
    summary="End a session",
)
def end_session(
    session_id: IdPath, permit: Annotated[Permit, may(Operation.END_SESSION)], database: DatabaseDep
) -> None:
    """End one of one's sessions, on whatever machine."""
    with database.writing() as session:
        row = permit.over(session, session.get(LoginSession, session_id), "session")
        session.delete(row)
        record(session, permit.caller, "session ended", permit.caller.person)
