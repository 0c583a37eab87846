"""What a node keeps of the files that it holds, in a SQLite file of its own."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.database.tables import Instant, Line, Sha256
from api.database.transactions import Database
from api.uploads.tables import ARRIVING, REFUSED, WHOLE, Arriving
from reduction.errors import ResourceError

HANDED = "handed"
STATES = (ARRIVING, WHOLE, HANDED, REFUSED)
"""Bytes are missing; all are on this node's disk; the service has stored them; it does not take them."""

FORM = 1
"""Of these tables; a later one brings them up to date."""


class NodeTable(DeclarativeBase):
    """Of every table of a node."""

    type_annotation_map = {datetime: Instant, int: BigInteger().with_variant(Integer(), "sqlite")}  # noqa: RUF012 - SQLAlchemy's own form


class Held(Arriving, NodeTable):
    """A file that a node takes, holds, or has handed over; its id is that of the upload at the service.

    Attributes
    ----------
    name : str
        As the observer calls the file.
    promised : str or None
        SHA-256, by the observer.
    sha256 : str or None
        As it was found on this disk once all bytes were there.
    handed : int
        Bytes that the service was seen to have.
    problem : str
        Why it is not handed over yet, or was refused.
    created, changed : datetime
        When it was begun; when its bytes were all here, handed over, or refused.
    gone : datetime or None
        Since when the service does not know the upload any more.
    """

    __tablename__ = "held"
    name: Mapped[Line]
    promised: Mapped[Sha256 | None]
    sha256: Mapped[Sha256 | None]
    handed: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime]
    changed: Mapped[datetime]
    gone: Mapped[datetime | None]
    __table_args__ = (Index(None, "state", "created"),)


def prepare(database: Database) -> None:
    """Make the tables where there are none.

    Raises
    ------
    ResourceError
        They were made by a later version.
    """
    with database.writing() as session:
        connection = session.connection()
        form = connection.execute(text("PRAGMA user_version")).scalar_one()
        if form > FORM:
            raise ResourceError(f"{database.name}: made by a later version of Umbra; use that one")
        NodeTable.metadata.create_all(connection)
        connection.execute(text(f"PRAGMA user_version = {FORM}"))
