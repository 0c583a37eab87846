"""Batches of reductions, the reductions, and the versions of their results."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Short, Table


class Batch(Table):
    """Reductions that were asked for together."""

    __tablename__ = "batch"
    id: Mapped[Id] = mapped_column(primary_key=True)
    campaign: Mapped[Id | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    idempotency_key: Mapped[Line | None]
    created: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("person", "idempotency_key"),
        Index(None, "person", "created", "id"),
    )


class Reduction(Table):
    """A reduction that was asked for; `job` is its id in the queue, the key of its result."""

    __tablename__ = "reduction"
    id: Mapped[Id] = mapped_column(primary_key=True)
    observation: Mapped[Id] = mapped_column(ForeignKey("observation.id"))
    file: Mapped[Id] = mapped_column(ForeignKey("observation_file.id"))
    batch: Mapped[Id | None] = mapped_column(ForeignKey("batch.id"), index=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    job: Mapped[str] = mapped_column(String(128), index=True)
    plan: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    __table_args__ = (Index(None, "observation", "created", "id"),)


class Result(Table):
    """A version of an observation's result, never changed; its files are in the store, by `key`."""

    __tablename__ = "result"
    id: Mapped[Id] = mapped_column(primary_key=True)
    observation: Mapped[Id] = mapped_column(ForeignKey("observation.id"))
    reduction: Mapped[Id] = mapped_column(ForeignKey("reduction.id"), index=True)
    version: Mapped[int]
    key: Mapped[Short] = mapped_column(index=True)
    edition: Mapped[Line]
    figures: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    __table_args__ = (UniqueConstraint("observation", "version"),)
