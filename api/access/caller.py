"""Who calls: by a session's cookie, an API key, a node's ticket, as the local operator, or nobody."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from fastapi import Request
from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from api.access.matrix import BY_LEVEL, Level, Standing
from api.database.tables import now
from api.database.transactions import Database
from api.nodes import tickets
from api.people.tables import ApiKey, LoginSession, Person
from api.problems import RefusedError
from api.settings import ServiceSettings
from api.uploads.protocol import PREFIX
from api.uploads.tables import Upload

KEY_HEADER = "X-API-Key"
CSRF_HEADER = "X-CSRF-Token"
COOKIE = "umbra_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
KEY_PREFIX = "umbra_"
FORM_CSRF = "form_csrf"
"""Where a request's scope has what a form sends in place of `CSRF_HEADER`."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
SIGNED = "/api/v1/unsubscribe/"
"""Addresses below it prove what they may do: who asks, and from which site, adds nothing."""
LOOKED_AT = timedelta(minutes=1)
"""How exactly it is kept when a key or a session was last used."""

HANDING = frozenset({"GET", "HEAD", "PATCH"})
"""What a node may do, to the upload that its ticket names."""

Means = Literal["session", "key", "node", "operator", "nobody"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request.

    Attributes
    ----------
    person : str or None
        Id of the account.
    credential : str or None
        Id of the session or of the API key; name of the upload node.
    scopes : frozenset of str
        What the API key may be used for.
    request : str
        Id of the request.
    standing : Standing
        What they are, whatever they look at.
    """

    means: Means
    person: str | None = None
    credential: str | None = None
    scopes: frozenset[str] = frozenset()
    standing: Standing = Standing.ANYONE
    request: str = ""

    @property
    def known(self) -> str:
        """Id of the account, of a caller who has one."""
        assert self.person is not None, "an operation of account holders was opened to others"
        return self.person


def new_secret() -> str:
    """256 random bits, as text."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What is kept of a secret: its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_of(secret: str) -> str:
    """What a page must send beside the session's cookie when it changes something."""
    return hmac.new(secret.encode(), b"umbra csrf", hashlib.sha256).hexdigest()


def cookie_name(settings: ServiceSettings) -> str:
    """Name of the session's cookie."""
    return SECURE_COOKIE if settings.secure else COOKIE


def caller_of(request: Request, database: Database, settings: ServiceSettings) -> Caller:
    """Tell who sent a request.

    Raises
    ------
    RefusedError
        401: the key or the session is not, or no longer, good. 403: another site's page sent it.
    """
    found = _found(request, database, settings)
    return replace(found, request=request.scope.get("state", {}).get("request_id", ""))


def as_reader(request: Request) -> Request:
    """The request as if it only read: to tell who sent it, where nothing is done."""
    return Request({**request.scope, "method": "GET"})


def _found(request: Request, database: Database, settings: ServiceSettings) -> Caller:
    if request.url.path.startswith(SIGNED):
        return Caller("nobody")
    key = request.headers.get(KEY_HEADER)
    if key is not None:
        return _by_key(key, database)
    ticket = request.headers.get(tickets.HEADER)
    if ticket is not None:
        return _by_ticket(ticket, request, database, settings)
    if request.method not in SAFE:
        _same_site(request)
    secret = request.cookies.get(cookie_name(settings))
    if secret is not None:
        caller = _by_session(secret, database)
        if caller is not None:
            _meant(request, secret)
            return caller
    if settings.local and _is_local(request):
        with database.reading() as session:
            if not has_accounts(session):
                return Caller("operator", standing=Standing.ANYONE | Standing.OPERATOR)
    return Caller("nobody")


def _by_key(key: str, database: Database) -> Caller:
    with database.reading() as session:
        found = session.execute(
            select(ApiKey, Person)
            .join(Person, Person.id == ApiKey.person)
            .where(ApiKey.digest == digest_of(key))
        ).one_or_none()
    at = now()
    if found is None or not _lives(found[1]) or found[0].revoked or _over(found[0].expires, at):
        raise RefusedError(401, f"{KEY_HEADER}: no such key, or no longer; make a new one in your account")
    row, person = found
    if row.used is None or at - row.used > LOOKED_AT:
        with database.writing() as session:
            session.execute(update(ApiKey).where(ApiKey.id == row.id).values(used=at))
    standing = BY_LEVEL[Level(person.level)]
    return Caller("key", person.id, row.id, frozenset(row.scopes), standing)


def _by_ticket(text: str, request: Request, database: Database, settings: ServiceSettings) -> Caller:
    """Whose upload a node hands over: for this one upload, and no other address."""
    node = tickets.node_of(text)
    if node not in {one.name for one in settings.upload_nodes}:
        raise tickets.TicketError("is of no node of this service")
    key = tickets.key_of(settings.node_secret.get_secret_value(), node)
    ticket = tickets.verified(text, key, "hand")
    if request.scope["path"] != f"{PREFIX}/{ticket.upload}" or request.method not in HANDING:
        raise RefusedError(403, f"{tickets.HEADER}: is for the bytes of one upload, and nothing else")
    with database.reading() as session:
        row = session.get(Upload, ticket.upload)
        person = None if row is None else session.get_one(Person, row.person)
    if row is None or person is None:
        raise RefusedError(404, "no such upload, or not yours to see")
    if row.details.get("node") != node:
        raise RefusedError(410, "this upload comes another way by now")
    if not _lives(person):
        raise tickets.TicketError("is of somebody whose account is closed")
    return Caller("node", person.id, node, standing=BY_LEVEL[Level(person.level)])


def _by_session(secret: str, database: Database) -> Caller | None:
    """The caller of a session; None if it has ended: then they are nobody, who may log in."""
    with database.reading() as session:
        found = session.execute(
            select(LoginSession, Person)
            .join(Person, Person.id == LoginSession.person)
            .where(LoginSession.digest == digest_of(secret))
        ).one_or_none()
    at = now()
    if found is None or not _lives(found[1]) or _over(found[0].expires, at):
        return None
    row, person = found
    if at - row.seen > LOOKED_AT:
        with database.writing() as session:
            session.execute(update(LoginSession).where(LoginSession.id == row.id).values(seen=at))
    return Caller("session", person.id, row.id, standing=BY_LEVEL[Level(person.level)])


def _lives(person: Person) -> bool:
    return person.suspended is None and person.deleted is None


def _over(expires: datetime | None, at: datetime) -> bool:
    return expires is not None and expires <= at


def _same_site(request: Request) -> None:
    """Refuse what a page of another site sends: browsers say so."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        foreign = site not in {"same-origin", "none"}
    else:
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign:
        raise RefusedError(403, "a page of another site sent this; use the service's own, or an API key")


def _meant(request: Request, secret: str) -> None:
    """Refuse a change that has the cookie alone."""
    if request.method in SAFE:
        return
    by_form = request.scope.get("state", {}).get(FORM_CSRF, "")
    sent = request.headers.get(CSRF_HEADER, by_form)
    if not hmac.compare_digest(sent.encode(), csrf_of(secret).encode()):
        raise RefusedError(403, f"{CSRF_HEADER} is missing or wrong; log-in and GET /account tell it")


def _is_local(request: Request) -> bool:
    """Whether a request comes from this machine, and not through a proxy."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def has_accounts(session: Session) -> bool:
    """Whether anybody ever had an account here: then there is no operator."""
    return bool(session.scalar(select(exists().where(Person.id.is_not(None)))))
