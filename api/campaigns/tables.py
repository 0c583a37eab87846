"""Predictions, the campaigns that they become by a call, and who answers for one."""

import math
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, validates

from api.database.tables import Id, Line, Owned, Sha256, Short, Table


class Prediction(Table):
    """An occultation that was predicted.

    Attributes
    ----------
    occ_id : str
        The predictor's own identity of it.
    at : datetime
        UTC of geocentric closest approach.
    object_key : str
        By which the object is found: number and name without blanks, signs, accents, capitals.
    star_mag : float or None
        Magnitude of the star.
    elements : dict
        A `reduction.geometry.prediction.Prediction`; empty where there is none.
    star_ra_deg, star_dec_deg : float or None
        The star, J2000 (ICRS), as `elements` has it: set with them, by which it is searched for.
    star_x, star_y, star_z : float or None
        The same as a vector of length 1.
    """

    __tablename__ = "prediction"
    id: Mapped[Id] = mapped_column(primary_key=True)
    occ_id: Mapped[Line] = mapped_column(unique=True)
    source: Mapped[Line]
    object_name: Mapped[Line]
    object_number: Mapped[Short] = mapped_column(default="")
    object_key: Mapped[Line] = mapped_column(index=True)
    object_class: Mapped[Line] = mapped_column(default="")
    star_name: Mapped[Line] = mapped_column(default="")
    star_mag: Mapped[float | None]
    at: Mapped[datetime]
    elements: Mapped[dict[str, Any]]
    star_ra_deg: Mapped[float | None]
    star_dec_deg: Mapped[float | None]
    star_x: Mapped[float | None]
    star_y: Mapped[float | None]
    star_z: Mapped[float | None]
    created: Mapped[datetime]
    changed: Mapped[datetime]
    __table_args__ = (Index(None, "at", "id"),)

    @validates("elements")
    def _star(self, _name: str, elements: dict[str, Any]) -> dict[str, Any]:
        star = (elements or {}).get("star")
        if star is None:
            self.star_ra_deg = self.star_dec_deg = self.star_x = self.star_y = self.star_z = None
            return elements
        self.star_ra_deg, self.star_dec_deg = star["ra_hours"] * 15.0, star["dec_deg"]
        ra, dec = math.radians(self.star_ra_deg), math.radians(self.star_dec_deg)
        self.star_x = math.cos(dec) * math.cos(ra)
        self.star_y, self.star_z = math.cos(dec) * math.sin(ra), math.sin(dec)
        return elements


class Campaign(Table):
    """A call to observe a prediction.

    Attributes
    ----------
    observers_reduce : bool
        Whether observers may reduce their own recordings.
    embargo : datetime or None
        From when participants may see chords, limb and light curves; None: they are the team's alone.
    """

    __tablename__ = "campaign"
    id: Mapped[Id] = mapped_column(primary_key=True)
    prediction: Mapped[Id] = mapped_column(ForeignKey("prediction.id"), unique=True)
    name: Mapped[Line]
    state: Mapped[Short]
    observers_reduce: Mapped[bool] = mapped_column(default=False)
    embargo: Mapped[datetime | None]
    opened_by: Mapped[Id | None] = mapped_column(ForeignKey("person.id"))
    opened: Mapped[datetime]
    closed: Mapped[datetime | None]
    __table_args__ = (Index(None, "opened", "id"),)

    @property
    def concern_person(self) -> None:
        """Nobody's."""

    @property
    def concern_campaign(self) -> str:
        """Itself."""
        return self.id


class Responsible(Table):
    """An appointment: who manages a campaign."""

    __tablename__ = "responsible"
    campaign: Mapped[Id] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    appointed: Mapped[datetime]
    appointed_by: Mapped[Id | None] = mapped_column(ForeignKey("person.id"))


class Feed(Owned, Table):
    """The secret address of a person's calendar: its SHA-256."""

    __tablename__ = "feed"
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"), primary_key=True)
    digest: Mapped[Sha256] = mapped_column(unique=True)
    created: Mapped[datetime]
