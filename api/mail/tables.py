"""The outbox, mailings to many, and what people do not want."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Owned, Place, Short, Table


class Mailing(Table):
    """An e-mail to many, written into the outbox in portions: in the order of people's ids, each once.

    Attributes
    ----------
    kind, content : str, dict
        Template, and what it needs.
    campaign, level : str or None
        To those of a campaign, or of a level and those above; both None: to everyone.
    besides : str or None
        Id of a person who needs not be told: they did it.
    through : str
        Id of the last person who was written to.
    told : int
        How many were.
    finished : datetime or None
        When all were, or it was withdrawn.
    """

    __tablename__ = "mailing"
    id: Mapped[Id] = mapped_column(primary_key=True)
    kind: Mapped[Short]
    content: Mapped[dict[str, Any]]
    campaign: Mapped[Id | None]
    level: Mapped[Short | None]
    besides: Mapped[Id | None]
    created: Mapped[datetime]
    through: Mapped[Id]
    told: Mapped[int]
    finished: Mapped[datetime | None]
    __table_args__ = (Index(None, "finished", "created"),)


class Message(Table):
    """An e-mail, sent or to be sent.

    Attributes
    ----------
    message_id : str
        Of the header Message-ID; the same at every attempt.
    mailing : str or None
        The mailing that it is of: such ones wait for those that one person waits for.
    unsubscribe : str or None
        Address that ends e-mails of its topic.
    secret : bool
        It carries a one-time token: its text is blanked when it was sent.
    state : str
        ``waiting``, ``sent`` or ``failed``.
    until : datetime or None
        Until when a sender has it.
    """

    __tablename__ = "message"
    place: Mapped[Place]
    message_id: Mapped[Line] = mapped_column(unique=True)
    person: Mapped[Id | None] = mapped_column(ForeignKey("person.id"), index=True)
    mailing: Mapped[Id | None] = mapped_column(ForeignKey("mailing.id"), index=True)
    recipient: Mapped[Line]
    kind: Mapped[Short]
    subject: Mapped[Line]
    text: Mapped[str] = mapped_column(Text)
    unsubscribe: Mapped[str | None] = mapped_column(Text)
    secret: Mapped[bool]
    state: Mapped[Short]
    created: Mapped[datetime]
    not_before: Mapped[datetime]
    until: Mapped[datetime | None]
    attempts: Mapped[int]
    sent: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (Index(None, "state", "not_before"),)


class Unwanted(Owned, Table):
    """A topic of which a person wants no e-mails."""

    __tablename__ = "unwanted"
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"), primary_key=True)
    topic: Mapped[Short] = mapped_column(primary_key=True)
    since: Mapped[datetime]


class Seal(Table):
    """A secret of the service by which it knows again what it has signed."""

    __tablename__ = "seal"
    name: Mapped[Short] = mapped_column(primary_key=True)
    secret: Mapped[Line]
