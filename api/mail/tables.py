"""The outbox."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Place, Short, Table


class Message(Table):
    """An e-mail, sent or to be sent.

    Attributes
    ----------
    message_id : str
        Of the header Message-ID; the same at every attempt.
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
    recipient: Mapped[Line]
    kind: Mapped[Short]
    subject: Mapped[Line]
    text: Mapped[str] = mapped_column(Text)
    secret: Mapped[bool]
    state: Mapped[Short]
    created: Mapped[datetime]
    not_before: Mapped[datetime]
    until: Mapped[datetime | None]
    attempts: Mapped[int]
    sent: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (Index(None, "state", "not_before"),)
