"""What is asked of accounts, and what is told of them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.access.matrix import SCOPES, Level
from api.people.tables import ApiKey, LoginSession, Person
from api.words import Email, Name, Orcid, Password, Secret, Words
from reduction.plan import Settings

Scopes = Annotated[
    tuple[str, ...],
    Field(min_length=1, max_length=len(SCOPES), json_schema_extra={"items": {"enum": list(SCOPES)}}),
]


class Profile(Settings):
    """Who somebody is."""

    name: Name
    affiliation: Words = ""
    orcid: Orcid | None = None


class RegistrationBody(Profile):
    """An account that is asked for."""

    email: Email
    password: Password


class Told(Settings):
    """What happens now."""

    detail: str


class AddressBody(Settings):
    """An e-mail address."""

    email: Email


class ProofBody(Settings):
    """What an e-mail carried, and a password: the chosen one, or at a reset the new one."""

    token: Secret
    password: Password


class TokenBody(Settings):
    """What an e-mail carried."""

    token: Secret


class LogInBody(Settings):
    """Address and password."""

    email: Email
    password: Password


class PasswordBody(Settings):
    """One's password, to confirm."""

    password: Password


class NewPasswordBody(Settings):
    """The old password and the new one."""

    password: Password
    new: Password


class NewAddressBody(Settings):
    """A new address, and the password."""

    email: Email
    password: Password


class ProfileChange(Settings):
    """What is to be changed of a profile; what is left out stays. `orcid` null removes it."""

    name: Name | None = None
    affiliation: Words | None = None
    orcid: Orcid | None = None


class AccountView(Settings):
    """One's own account.

    Attributes
    ----------
    csrf : str or None
        What a browser sends as X-CSRF-Token with every change; null for API keys.
    """

    id: str
    email: str
    name: str
    affiliation: str
    orcid: str | None
    level: Level
    created: datetime
    csrf: str | None = None


class UserView(Settings):
    """An account, as superusers see it."""

    id: str
    email: str | None
    name: str
    affiliation: str
    orcid: str | None
    level: Level
    created: datetime
    suspended: datetime | None
    deleted: datetime | None


class SessionView(Settings):
    """Somewhere that one is logged in."""

    id: str
    agent: str
    created: datetime
    seen: datetime
    expires: datetime
    current: bool


class KeyBody(Settings):
    """An API key that is asked for: its scopes, and for how many days (null: until it is revoked)."""

    name: Name
    scopes: Scopes
    days: Annotated[int, Field(ge=1, le=3650)] | None = 365


class KeyView(Settings):
    """An API key; its secret is told once, when it is made."""

    id: str
    name: str
    start: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    used: datetime | None


class NewKeyView(KeyView):
    """An API key just made: `key` is never told again."""

    key: str


class LevelBody(Settings):
    """A level."""

    level: Level


class SuspensionBody(Settings):
    """Whether an account is kept out."""

    suspended: bool


def account_view(person: Person, csrf: str | None = None) -> AccountView:
    """What one sees of one's own account."""
    return AccountView(
        id=person.id,
        email=person.email or "",
        name=person.name,
        affiliation=person.affiliation,
        orcid=person.orcid,
        level=Level(person.level),
        created=person.created,
        csrf=csrf,
    )


def user_view(person: Person) -> UserView:
    """What superusers see of an account."""
    return UserView(
        id=person.id,
        email=person.email,
        name=person.name,
        affiliation=person.affiliation,
        orcid=person.orcid,
        level=Level(person.level),
        created=person.created,
        suspended=person.suspended,
        deleted=person.deleted,
    )


def session_view(row: LoginSession, current: str | None) -> SessionView:
    """What one sees of a session; `current` is the id of the one that asks."""
    return SessionView(
        id=row.id,
        agent=row.agent,
        created=row.created,
        seen=row.seen,
        expires=row.expires,
        current=row.id == current,
    )


def key_view(row: ApiKey) -> KeyView:
    """What one sees of a key."""
    return KeyView(
        id=row.id,
        name=row.name,
        start=row.start,
        scopes=tuple(row.scopes),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
        used=row.used,
    )
