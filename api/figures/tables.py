"""Figures of a campaign's limb that were uploaded."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Sha256, Short, Table

SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


class LimbFigure(Table):
    """A version of the figure that a campaign's team uploaded; its bytes are in the store, by `sha256`.

    Attributes
    ----------
    person : str
        Who uploaded it.
    name : str
        Of the file as it was sent; empty where nobody said.
    media : str
        ``image/png``, ``image/jpeg`` or ``image/webp``.
    sha256, size, crc32 : str, int, int
        Of the bytes that are kept: decoded and encoded anew.
    width, height : int
        Pixels.
    removed : datetime or None
        When it was taken away, by `removed_by`; its number is never given again.
    """

    __tablename__ = "limb_figure"
    id: Mapped[Id] = mapped_column(primary_key=True)
    campaign: Mapped[Id] = mapped_column(ForeignKey("campaign.id"))
    version: Mapped[int]
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    name: Mapped[Line]
    caption: Mapped[str] = mapped_column(Text)
    media: Mapped[Short]
    sha256: Mapped[Sha256] = mapped_column(index=True)
    size: Mapped[int]
    crc32: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    created: Mapped[datetime]
    removed: Mapped[datetime | None]
    removed_by: Mapped[Id | None] = mapped_column(ForeignKey("person.id"))
    __table_args__ = (UniqueConstraint("campaign", "version"), Index(None, "campaign", "removed"))

    @property
    def concern_person(self) -> None:
        """Nobody's."""

    @property
    def concern_campaign(self) -> str:
        """Of its campaign."""
        return self.campaign


def file_name_of(row: LimbFigure) -> str:
    """Under which a figure is saved."""
    return f"limb-figure-{row.version}.{SUFFIXES[row.media]}"
