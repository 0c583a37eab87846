"""Who asked for a campaign's data, and what they were given."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Sha256, Table


class DataRequest(Table):
    """A request for all data of a campaign; what is in its archive was settled when it was made.

    Attributes
    ----------
    results : bool
        With the results of reductions.
    digest : str
        SHA-256 of the plan, from which every byte of the archive follows.
    size, files : int
        Of the archive.
    absent : dict
        ``files``: what is not in it, and why.
    expires : datetime
        Until when it can be downloaded.
    """

    __tablename__ = "data_request"
    id: Mapped[Id] = mapped_column(primary_key=True)
    campaign: Mapped[Id] = mapped_column(ForeignKey("campaign.id"))
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"), index=True)
    results: Mapped[bool]
    digest: Mapped[Sha256]
    size: Mapped[int]
    files: Mapped[int]
    absent: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    expires: Mapped[datetime]
    __table_args__ = (Index(None, "campaign", "created", "id"),)

    @property
    def concern_person(self) -> str:
        """Who asked."""
        return self.person

    @property
    def concern_campaign(self) -> str:
        """Of its campaign."""
        return self.campaign


class DataPlan(Table):
    """What an archive is made of, compressed; it holds observers' addresses, and goes when this ends."""

    __tablename__ = "data_plan"
    request: Mapped[Id] = mapped_column(ForeignKey("data_request.id"), primary_key=True)
    content: Mapped[bytes]
