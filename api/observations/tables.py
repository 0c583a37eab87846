"""Observations of campaigns, and their files."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Sha256, Short, Table

QUARANTINED, ACCEPTED, REFUSED, FLAGGED, WITHDRAWN = (
    "quarantined",
    "accepted",
    "refused",
    "flagged",
    "withdrawn",
)


class Observation(Table):
    """What one station reports of a campaign.

    Attributes
    ----------
    status : str
        ``planned``, ``positive``, ``negative``, ``overcast``, ``technical_failure`` or ``unknown``.
    report : dict
        The rest of the report form.
    consent, role : bool, str
        Whether, and as what, the observer may be named in a publication.
    """

    __tablename__ = "observation"
    id: Mapped[Id] = mapped_column(primary_key=True)
    campaign: Mapped[Id] = mapped_column(ForeignKey("campaign.id"))
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    site: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    station: Mapped[Line]
    status: Mapped[Short]
    telescope: Mapped[Id | None] = mapped_column(ForeignKey("equipment.id"))
    camera: Mapped[Id | None] = mapped_column(ForeignKey("equipment.id"))
    recorder: Mapped[Id | None] = mapped_column(ForeignKey("equipment.id"))
    filter: Mapped[Id | None] = mapped_column(ForeignKey("equipment.id"))
    report: Mapped[dict[str, Any]]
    consent: Mapped[bool] = mapped_column(default=False)
    role: Mapped[Line] = mapped_column(default="")
    created: Mapped[datetime]
    changed: Mapped[datetime]
    __table_args__ = (
        Index(None, "campaign", "created", "id"),
        Index(None, "person", "created", "id"),
        UniqueConstraint("campaign", "person", "station"),
    )

    @property
    def concern_person(self) -> str:
        """The observer's."""
        return self.person

    @property
    def concern_campaign(self) -> str:
        """Of its campaign."""
        return self.campaign


class ObservationFile(Table):
    """A file of an observation, whole and checked; its bytes are in the store, by `sha256`.

    Attributes
    ----------
    role : str
        ``recording``, ``additional`` or ``roi``.
    member_of : str or None
        The archive that it was unpacked from.
    state : str
        ``quarantined``, ``accepted`` or ``refused`` (`finding` says why); ``flagged``: the team has accepted
        files used no more (``finding["flag"]``); ``withdrawn``: its observer took it back.
    crc32 : int or None
        Of its bytes, for archives; None until they were read for one.
    damaged : datetime or None
        When the store was found to hold other bytes under its name.
    """

    __tablename__ = "observation_file"
    id: Mapped[Id] = mapped_column(primary_key=True)
    observation: Mapped[Id] = mapped_column(ForeignKey("observation.id"))
    member_of: Mapped[Id | None] = mapped_column(ForeignKey("observation_file.id"))
    role: Mapped[Short]
    name: Mapped[Line]
    size: Mapped[int]
    sha256: Mapped[Sha256] = mapped_column(index=True)
    state: Mapped[Short]
    finding: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    crc32: Mapped[int | None]
    damaged: Mapped[datetime | None]
    __table_args__ = (Index(None, "observation", "created", "id"),)
