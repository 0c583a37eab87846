"""The audit log: triggers of the database refuse every change of what is written."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from api.database.tables import Id, Line, Place, Short, Table


class Entry(Table):
    """Something that was done.

    Attributes
    ----------
    actor : str or None
        Id of the person; None is the service itself, the local operator, or somebody unknown (see `means`).
    means : str
        How they came: ``session``, ``key``, ``node``, ``operator``, ``command``,
        ``nobody``.
    thing : str or None
        Id of what it was done to.
    details : dict
        Facts, without names, addresses or secrets.
    """

    __tablename__ = "audit"
    place: Mapped[Place]
    at: Mapped[datetime]
    actor: Mapped[Id | None]
    means: Mapped[Short]
    action: Mapped[Short]
    thing: Mapped[Line | None]
    request: Mapped[Id | None]
    details: Mapped[dict[str, Any]]
    __table_args__ = (
        Index(None, "actor", "place"),
        Index(None, "thing", "place"),
        Index(None, "action", "place"),
    )
