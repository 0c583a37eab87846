"""What all tables share: their base, the types of their columns, ids."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer, MetaData, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints are called; migrations refer to them."""


class Instant(TypeDecorator[datetime]):
    """An instant: an aware `datetime`, kept as microseconds of UTC since 1970."""

    impl = BigInteger
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """What Python sees."""
        return datetime

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        """Aware time to microseconds; a time without zone is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value}: a time without its zone")
        return (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        """Microseconds to aware time."""
        return None if value is None else EPOCH + value * MICROSECOND


Id = Annotated[str, mapped_column(String(32))]
"""128 random bits in hex, of `new_id`."""
Short = Annotated[str, mapped_column(String(64))]
Line = Annotated[str, mapped_column(String(256))]
Sha256 = Annotated[str, mapped_column(String(64))]
Place = Annotated[int, mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)]
"""A number that the database counts up; SQLite numbers rows in INTEGER columns alone."""


class Table(DeclarativeBase):
    """Of every table of the service."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own form
        datetime: Instant,
        int: BigInteger().with_variant(Integer(), "sqlite"),
        dict[str, Any]: JSON().with_variant(JSONB(), "postgresql"),
        list[Any]: JSON().with_variant(JSONB(), "postgresql"),
    }


class Owned:
    """Of tables whose rows are a person's (`person`), and of no campaign."""

    if TYPE_CHECKING:
        person: Mapped[Id]

    @property
    def concern_person(self) -> str:
        """Whose it is."""
        return self.person

    @property
    def concern_campaign(self) -> str | None:
        """No campaign's."""
        return None


def new_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_hex(16)


def now() -> datetime:
    """The instant, UTC, in whole microseconds."""
    return datetime.now(UTC)
