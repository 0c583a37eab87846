"""Sessions of browsers: begun at log-in, under a new secret each time."""

from datetime import timedelta

from fastapi import Request, Response
from sqlalchemy import delete
from sqlalchemy.orm import Session

from api.access.caller import Caller, cookie_name, csrf_of, digest_of, new_secret
from api.audit.log import record
from api.database.tables import new_id, now
from api.people.tables import LoginSession, Person
from api.settings import ServiceSettings

LASTS = timedelta(days=30)
LONGEST_AGENT = 200


def begin(
    session: Session, request: Request, settings: ServiceSettings, caller: Caller, person: Person
) -> str:
    """Log a person in; returns the secret of the cookie. A session that the request came with ends."""
    at = now()
    before = request.cookies.get(cookie_name(settings))
    if before is not None:
        session.execute(delete(LoginSession).where(LoginSession.digest == digest_of(before)))
    session.execute(delete(LoginSession).where(LoginSession.person == person.id, LoginSession.expires < at))
    secret = new_secret()
    agent = "".join(c for c in request.headers.get("user-agent", "") if c.isprintable())
    row = LoginSession(
        id=new_id(),
        digest=digest_of(secret),
        person=person.id,
        agent=agent[:LONGEST_AGENT],
        created=at,
        seen=at,
        expires=at + LASTS,
    )
    session.add(row)
    record(session, caller, "logged in", person.id)
    return secret


def hand(response: Response, settings: ServiceSettings, secret: str) -> str:
    """Give a browser its cookie; returns what it must send beside it."""
    response.set_cookie(
        cookie_name(settings),
        secret,
        max_age=int(LASTS.total_seconds()),
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="lax",
    )
    return csrf_of(secret)


def take_back(response: Response, settings: ServiceSettings) -> None:
    """Let a browser forget its cookie."""
    response.delete_cookie(
        cookie_name(settings), path="/", secure=settings.secure, httponly=True, samesite="lax"
    )
