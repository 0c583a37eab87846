"""Accounts, and what proves that one is meant: sessions, keys, one-time tokens."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Owned, Place, Sha256, Short, Table


class Person(Table):
    """An account. A deleted one keeps its id alone, which observations and the audit log refer to.

    Attributes
    ----------
    email : str or None
        As it was typed; `email_key` is the form by which it is found.
    suspended : datetime or None
        Since when a superuser keeps them out.
    """

    __tablename__ = "person"
    id: Mapped[Id] = mapped_column(primary_key=True)
    email: Mapped[Line | None]
    email_key: Mapped[Line | None] = mapped_column(unique=True)
    name: Mapped[Line]
    affiliation: Mapped[Line] = mapped_column(default="")
    orcid: Mapped[str | None] = mapped_column(String(19))
    level: Mapped[Short]
    password: Mapped[Line | None]
    created: Mapped[datetime]
    suspended: Mapped[datetime | None]
    deleted: Mapped[datetime | None]
    __table_args__ = (Index(None, "created", "id"),)

    @property
    def concern_person(self) -> str:
        """Everybody is their own."""
        return self.id

    @property
    def concern_campaign(self) -> None:
        """No campaign's."""


class Registration(Table):
    """An account that is asked for; it is made when the address is proven, by who knows the password."""

    __tablename__ = "registration"
    id: Mapped[Id] = mapped_column(primary_key=True)
    digest: Mapped[Sha256] = mapped_column(unique=True)
    email: Mapped[Line]
    name: Mapped[Line]
    affiliation: Mapped[Line]
    orcid: Mapped[str | None] = mapped_column(String(19))
    password: Mapped[Line]
    created: Mapped[datetime]
    expires: Mapped[datetime] = mapped_column(index=True)


class LoginSession(Owned, Table):
    """A browser or program that is logged in."""

    __tablename__ = "login_session"
    id: Mapped[Id] = mapped_column(primary_key=True)
    digest: Mapped[Sha256] = mapped_column(unique=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"), index=True)
    agent: Mapped[Line]
    created: Mapped[datetime]
    seen: Mapped[datetime]
    expires: Mapped[datetime]


class ApiKey(Owned, Table):
    """A key for programs; `start` is its visible beginning."""

    __tablename__ = "api_key"
    id: Mapped[Id] = mapped_column(primary_key=True)
    digest: Mapped[Sha256] = mapped_column(unique=True)
    start: Mapped[Short]
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[Line]
    scopes: Mapped[list[Any]]
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]
    used: Mapped[datetime | None]


class Token(Table):
    """What an e-mail carries to prove that it arrived; good once.

    `purpose` is ``reset``, or ``email`` (a new address, in `value`).
    """

    __tablename__ = "token"
    id: Mapped[Id] = mapped_column(primary_key=True)
    digest: Mapped[Sha256] = mapped_column(unique=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"), index=True)
    purpose: Mapped[Short]
    value: Mapped[Line | None]
    created: Mapped[datetime]
    expires: Mapped[datetime]
    used: Mapped[datetime | None]


class Attempt(Table):
    """An attempt that counts until an instant; `key` is the SHA-256 of what was tried and from where."""

    __tablename__ = "counted_attempt"
    place: Mapped[Place]
    key: Mapped[Sha256]
    until: Mapped[datetime] = mapped_column(index=True)
    __table_args__ = (Index(None, "key", "until"),)
