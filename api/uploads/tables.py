"""Uploads on their way."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Sha256, Short, Table

ARRIVING, WHOLE, STORED, REFUSED = "arriving", "whole", "stored", "refused"
STATES = (ARRIVING, WHOLE, STORED, REFUSED)
"""Bytes are missing; all are here; in the store, as a file of the observation; not what was promised."""


class Arriving:
    """Columns of a file that arrives in pieces: what `Receiving` reads and moves on.

    Attributes
    ----------
    received : int
        Bytes that are acknowledged: on disk, in this order, before this number says so.
    length : int
        Bytes it shall have.
    state : str
        `ARRIVING`, `WHOLE`, and what follows.
    expires : datetime
        Until when it waits for its next byte.
    """

    id: Mapped[Id] = mapped_column(primary_key=True)
    length: Mapped[int]
    received: Mapped[int]
    state: Mapped[Short]
    expires: Mapped[datetime]


class Upload(Arriving, Table):
    """A file of an observation that arrives in pieces.

    Attributes
    ----------
    sha256 : str or None
        As the client promised, or as it was found once whole.
    details : dict
        ``metadata``: as the client wrote it; ``node``: the upload node that it comes by.
    state : str
        One of `STATES`.
    problem : str
        Why it was refused.
    """

    __tablename__ = "upload"
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    observation: Mapped[Id] = mapped_column(ForeignKey("observation.id"), index=True)
    role: Mapped[Short]
    name: Mapped[Line]
    sha256: Mapped[Sha256 | None]
    details: Mapped[dict[str, Any]]
    problem: Mapped[Line] = mapped_column(default="")
    created: Mapped[datetime]
    file: Mapped[Id | None] = mapped_column(ForeignKey("observation_file.id"))
    __table_args__ = (Index(None, "person", "created", "id"), Index(None, "state", "expires"))


class Discarded(Table):
    """Bytes in the store that something has let go of; they are removed once nothing refers to them.

    Attributes
    ----------
    since : datetime
        When they were last let go of.
    """

    __tablename__ = "discarded"
    sha256: Mapped[Sha256] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(index=True)
