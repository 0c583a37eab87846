"""Webhooks, and what is sent to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Owned, Place, Short, Table

WAITING, SENT, FAILED = "waiting", "sent", "failed"


class Webhook(Owned, Table):
    """An address that is told of events.

    Attributes
    ----------
    events : list of str
        Kinds of events.
    secret : str
        What requests are signed with: kept as it is, for it signs every one; told to its owner once.
    """

    __tablename__ = "webhook"
    id: Mapped[Id] = mapped_column(primary_key=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[Any]]
    secret: Mapped[Line]
    created: Mapped[datetime]
    __table_args__ = (Index(None, "person", "created", "id"),)


class Delivery(Table):
    """An event that is sent, or to be sent, to a webhook.

    Attributes
    ----------
    id : str
        The same at every attempt.
    content : str
        The body: what is signed is these bytes.
    until : datetime or None
        Until when a sender has it.
    status : int or None
        What the receiver answered last.
    error : str or None
        Why the last attempt failed.
    """

    __tablename__ = "webhook_delivery"
    place: Mapped[Place]
    id: Mapped[Id] = mapped_column(unique=True)
    webhook: Mapped[Id] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    event: Mapped[Short]
    content: Mapped[str] = mapped_column(Text)
    state: Mapped[Short]
    created: Mapped[datetime]
    not_before: Mapped[datetime]
    until: Mapped[datetime | None]
    attempts: Mapped[int]
    sent: Mapped[datetime | None]
    status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (Index(None, "state", "not_before"), Index(None, "webhook", "place"))


class Followed(Table):
    """How far the ends of jobs were told to webhooks: the position of `api.results.transitions`."""

    __tablename__ = "webhook_followed"
    name: Mapped[Short] = mapped_column(primary_key=True)
    era: Mapped[int]
    place: Mapped[int]
