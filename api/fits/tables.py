"""What the team chose of each station, and the versions of a campaign's limb."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Sha256, Short, Table

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"


class ChordChoice(Table):
    """What the team decided of one station, instead of what is taken by itself.

    Attributes
    ----------
    person : str
        Who decided.
    excluded : bool
        It takes no part in fits.
    source : str
        ``result``, ``curve``, ``report``; empty: as without a choice.
    version : int or None
        Of the station's results; None: the latest good one.
    file : str or None
        The light curve that the observer sent; None: the latest.
    """

    __tablename__ = "chord_choice"
    observation: Mapped[Id] = mapped_column(
        ForeignKey("observation.id", ondelete="CASCADE"), primary_key=True
    )
    campaign: Mapped[Id] = mapped_column(ForeignKey("campaign.id"), index=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    excluded: Mapped[bool]
    source: Mapped[Short]
    version: Mapped[int | None]
    file: Mapped[Id | None] = mapped_column(ForeignKey("observation_file.id"))
    reason: Mapped[Line]
    chosen: Mapped[datetime]


class Fit(Table):
    """A version of a campaign's limb: what it is made from is never changed.

    Attributes
    ----------
    key : str
        Digest of all that decides the numbers; its files are in the store under it.
    person : str
        Who asked.
    request : dict
        As it was asked for, a `api.fits.requests.FitAsk`.
    inputs : dict
        What it is made from: ``campaign.toml``, ``event.xml``, results by name of their folder, stations.
    lease : datetime or None
        Until when whoever computes it is waited for.
    attempts : int
        How often it was begun.
    outcome : dict
        What is told of it: figures of the limb, or why there is none.
    """

    __tablename__ = "fit"
    id: Mapped[Id] = mapped_column(primary_key=True)
    campaign: Mapped[Id] = mapped_column(ForeignKey("campaign.id"))
    version: Mapped[int]
    key: Mapped[Sha256]
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    idempotency_key: Mapped[Line | None]
    request: Mapped[dict[str, Any]]
    inputs: Mapped[dict[str, Any]]
    edition: Mapped[Line]
    state: Mapped[Short]
    lease: Mapped[datetime | None]
    attempts: Mapped[int]
    outcome: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    finished: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("campaign", "version"),
        UniqueConstraint("campaign", "key"),
        UniqueConstraint("person", "idempotency_key"),
        Index(None, "state", "created"),
    )

    @property
    def concern_person(self) -> None:
        """Nobody's."""

    @property
    def concern_campaign(self) -> str:
        """Of its campaign."""
        return self.campaign
