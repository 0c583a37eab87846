"""What a person is to a thing."""

from typing import Protocol

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from api.access.matrix import Standing
from api.campaigns.tables import Campaign, Responsible
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
    if session.scalar(select(part)):
        found |= Standing.PARTICIPANT
    if owner and session.scalar(select(Campaign.observers_reduce).where(Campaign.id == campaign)):
        found |= Standing.OWN_REDUCER
    return found
