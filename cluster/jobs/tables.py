"""The queue's tables, for SQLite and PostgreSQL."""

from sqlalchemy import BigInteger, Boolean, Double, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = 1
"""Rises when the tables change."""

PLACE = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows in INTEGER columns alone


class Base(DeclarativeBase):
    """Of every table."""


class Meta(Base):
    """One row: which form the tables have."""

    __tablename__ = "umbra_queue"
    schema: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class JobRow(Base):
    """A job."""

    __tablename__ = "job"
    place: Mapped[int] = mapped_column(PLACE, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(128), unique=True)
    payload: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(String(256))
    campaign: Mapped[str] = mapped_column(String(256))
    priority: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    submitted: Mapped[float] = mapped_column(Double)
    started: Mapped[float | None] = mapped_column(Double)
    finished: Mapped[float | None] = mapped_column(Double)
    not_before: Mapped[float] = mapped_column(Double, default=0.0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    deaths: Mapped[int] = mapped_column(Integer, default=0)
    worker: Mapped[str | None] = mapped_column(String(256))
    until: Mapped[float | None] = mapped_column(Double)
    cancelling: Mapped[bool] = mapped_column(Boolean, default=False)
    result: Mapped[str | None] = mapped_column(Text)
    failure: Mapped[str | None] = mapped_column(String(16))
    error: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (
        Index("job_head", "state", "owner", text("priority DESC"), "place"),
        Index("job_lease", "state", "until"),
        Index("job_campaign", "campaign", "state", "place"),
    )


class OwnerRow(Base):
    """How many jobs an owner was served, in units that a newcomer starts level with."""

    __tablename__ = "owner"
    owner: Mapped[str] = mapped_column(String(256), primary_key=True)
    served: Mapped[int] = mapped_column(BigInteger)


class AttemptRow(Base):
    """One time a job was begun."""

    __tablename__ = "attempt"
    job: Mapped[str] = mapped_column(String(128), ForeignKey("job.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    worker: Mapped[str] = mapped_column(String(256))
    started: Mapped[float] = mapped_column(Double)
    finished: Mapped[float | None] = mapped_column(Double)
    outcome: Mapped[str] = mapped_column(String(16), default="")
    error: Mapped[str | None] = mapped_column(Text)
    log: Mapped[str | None] = mapped_column(Text)
