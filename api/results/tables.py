"""Batches of reductions, the reductions, what happened to their jobs, and the versions of their results."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Place, Sha256, Short, Table


class Batch(Table):
    """Reductions that were asked for together.

    Attributes
    ----------
    person : str
        Who asked.
    idempotency_key, digest : str
        What the same request is known by, and what it said.
    """

    __tablename__ = "batch"
    id: Mapped[Id] = mapped_column(primary_key=True)
    campaign: Mapped[Id] = mapped_column(ForeignKey("campaign.id"), index=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    idempotency_key: Mapped[Line | None]
    digest: Mapped[Sha256]
    faults: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("person", "idempotency_key"),
        Index(None, "person", "created", "id"),
    )

    @property
    def concern_person(self) -> str:
        """Who asked for it."""
        return self.person

    @property
    def concern_campaign(self) -> str:
        """All of its reductions are of one."""
        return self.campaign


class Reduction(Table):
    """A reduction that was asked for. `id` is that of its job in the queue.

    Attributes
    ----------
    person, asker : str
        Whose the observation is, and who asked.
    line : int
        Of the batch's manifest; 0 without one.
    request : dict
        As it was asked for, a `api.results.requests.ReductionAsk`.
    key : str
        Of its result in the store: the same recording reduced the same way has the same.
    result : str or None
        Id of the `Result`, once there is one.
    """

    __tablename__ = "reduction"
    id: Mapped[Id] = mapped_column(primary_key=True)
    campaign: Mapped[Id] = mapped_column(ForeignKey("campaign.id"))
    observation: Mapped[Id] = mapped_column(ForeignKey("observation.id"))
    file: Mapped[Id] = mapped_column(ForeignKey("observation_file.id"))
    batch: Mapped[Id | None] = mapped_column(ForeignKey("batch.id"))
    line: Mapped[int]
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    asker: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    idempotency_key: Mapped[Line | None]
    priority: Mapped[int]
    request: Mapped[dict[str, Any]]
    key: Mapped[Sha256]
    created: Mapped[datetime]
    result: Mapped[Id | None] = mapped_column(index=True)
    __table_args__ = (
        UniqueConstraint("asker", "idempotency_key"),
        Index(None, "observation", "created", "id"),
        Index(None, "campaign", "created", "id"),
        Index(None, "batch", "line", "id"),
    )

    @property
    def concern_person(self) -> str:
        """The observer's."""
        return self.person

    @property
    def concern_campaign(self) -> str:
        """Of its campaign."""
        return self.campaign


class Result(Table):
    """A version of an observation's result, never changed; its files are in the store, by `key`."""

    __tablename__ = "result"
    id: Mapped[Id] = mapped_column(primary_key=True)
    campaign: Mapped[Id] = mapped_column(ForeignKey("campaign.id"))
    observation: Mapped[Id] = mapped_column(ForeignKey("observation.id"))
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    reduction: Mapped[Id] = mapped_column(ForeignKey("reduction.id"), index=True)
    version: Mapped[int]
    key: Mapped[Short] = mapped_column(index=True)
    edition: Mapped[Line]
    figures: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    __table_args__ = (UniqueConstraint("observation", "version"), Index(None, "campaign", "created", "id"))

    @property
    def concern_person(self) -> str:
        """The observer's."""
        return self.person

    @property
    def concern_campaign(self) -> str:
        """Of its campaign."""
        return self.campaign


class Transition(Table):
    """A job of the queue came into a state; written by the database itself, in the same transaction.

    Attributes
    ----------
    era : int
        Of PostgreSQL, the transaction's number; of SQLite, which writes one at a time, 0. Those of an era
        below that of every open transaction are all there.
    attempt : int
        How often the job had been begun.
    """

    __tablename__ = "job_transition"
    place: Mapped[Place]
    era: Mapped[int]
    job: Mapped[str] = mapped_column(String(128))
    state: Mapped[Short]
    attempt: Mapped[int]
    at: Mapped[datetime]
    __table_args__ = (Index(None, "job", "era", "place"), Index(None, "era", "place"))
