"""Equipment and sites of observers."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Owned, Short, Table


class Equipment(Owned, Table):
    """A telescope, camera, time recorder or filter (`kind`); `details` by a closed model of each kind."""

    __tablename__ = "equipment"
    id: Mapped[Id] = mapped_column(primary_key=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    kind: Mapped[Short]
    name: Mapped[Line]
    details: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    retired: Mapped[datetime | None]
    __table_args__ = (Index(None, "person", "created", "id"),)


class Site(Owned, Table):
    """A place to observe from: geodetic WGS 84, degrees (east positive), metres above the ellipsoid.

    Attributes
    ----------
    code : str or None
        IAU observatory code.
    address : str
        Postal address; it appears in the observation's report only.
    sigma_m : float or None
        Uncertainty of the place.
    """

    __tablename__ = "site"
    id: Mapped[Id] = mapped_column(primary_key=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    name: Mapped[Line]
    code: Mapped[Short | None]
    latitude_deg: Mapped[float]
    longitude_deg: Mapped[float]
    height_m: Mapped[float]
    sigma_m: Mapped[float | None]
    address: Mapped[Line] = mapped_column(default="")
    country: Mapped[Short] = mapped_column(default="")
    created: Mapped[datetime]
    retired: Mapped[datetime | None]
    __table_args__ = (Index(None, "person", "created", "id"),)
