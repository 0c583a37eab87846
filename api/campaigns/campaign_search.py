"""Search campaigns: by state, date of the occultation, words of name or object, and who takes part."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import Depends, Query
from sqlalchemy import Select, exists, or_, select

from api.campaigns.campaign_views import State
from api.campaigns.prediction_views import object_key
from api.campaigns.tables import Campaign, Prediction
from api.observations.tables import Observation
from reduction.errors import RequestError


@dataclass(frozen=True, slots=True)
class CampaignSearch:
    """What is searched for; None: anything.

    Attributes
    ----------
    start_date, end_date : date or None
        Of the occultation, UTC, both whole.
    words : str or None
        A part of the campaign's name, or of the object's number and name.
    mine : bool
        Those in which the caller has a station.
    """

    state: State | None = None
    start_date: date | None = None
    end_date: date | None = None
    words: str | None = None
    mine: bool = False

    def rows(self, person: str) -> Select[Campaign]:
        """Campaigns that satisfy all; `person` is the caller."""
        found = select(Campaign).join(Prediction, Prediction.id == Campaign.prediction)
        if self.state is not None:
            found = found.where(Campaign.state == self.state)
        if self.start_date is not None:
            found = found.where(Prediction.at >= datetime.combine(self.start_date, time.min, UTC))
        if self.end_date is not None:
            found = found.where(Prediction.at <= datetime.combine(self.end_date, time.max, UTC))
        if self.words is not None:
            named = Campaign.name.icontains(self.words, autoescape=True)
            key = object_key("", self.words)
            same = Prediction.object_key.contains(key, autoescape=True)
            found = found.where(or_(named, same) if key else named)
        if self.mine:
            part = exists().where(Observation.campaign == Campaign.id, Observation.person == person)
            found = found.where(part)
        return found


def _search(
    state: State | None = None,
    start_date: Annotated[date | None, Query(description="First day of the occultation, UTC.")] = None,
    end_date: Annotated[date | None, Query(description="Last day, UTC, whole.")] = None,
    words: Annotated[
        str | None,
        Query(min_length=1, max_length=200, description="Part of the name, or of the object's."),
    ] = None,
    mine: Annotated[bool, Query(description="Those in which one has a station.")] = False,
) -> CampaignSearch:
    if words is not None and ("\0" in words or not words.isprintable()):
        raise RequestError("words: has a character that cannot be seen")
    return CampaignSearch(state, start_date, end_date, words, mine)


CampaignSearchDep = Annotated[CampaignSearch, Depends(_search)]
