"""What a person is to a thing."""

from datetime import datetime
from typing import Protocol

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from api.access.matrix import Standing
from api.campaigns.tables import Campaign, Responsible
from api.database.tables import now
from api.observations.tables import Observation


class Concern(Protocol):
    """A thing that is somebody's, or part of a campaign, or both."""

    @property
    def concern_person(self) -> str | None:
        """Id of its owner."""
        ...

    @property
    def concern_campaign(self) -> str | None:
        """Id of its campaign."""
        ...


def relations(session: Session, person: str | None, thing: Concern) -> Standing:
    """Tell what `person` is to `thing`."""
    found = Standing(0)
    if person is None:
        return found
    owner, campaign = thing.concern_person == person, thing.concern_campaign
    if owner:
        found |= Standing.OWNER
    if campaign is None:
        return found
    if session.get(Responsible, (campaign, person)) is not None:
        found |= Standing.RESPONSIBLE
    part = exists().where(Observation.campaign == campaign, Observation.person == person)
    known = select(Campaign.observers_reduce, Campaign.embargo, part).where(Campaign.id == campaign)
    row = session.execute(known).one_or_none()
    if row is None:
        return found
    observers_reduce, embargo, takes_part = row
    if takes_part:
        found |= Standing.PARTICIPANT
        if results_open(embargo):
            found |= Standing.READER
    if owner and observers_reduce:
        found |= Standing.OWN_REDUCER
    return found


def results_open(embargo: datetime | None) -> bool:
    """Whether participants may see a campaign's results: from the embargo's end; never without a date."""
    return embargo is not None and embargo <= now()
