"""What is asked and told of campaigns."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from api.campaigns.prediction_views import PredictionView
from api.equipment.places import RoughPlace
from api.words import Email, Name, Words
from reduction.plan import Settings

State = Literal["open", "closed"]
Identity = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class CampaignBody(Settings):
    """A call for observations of a prediction.

    Attributes
    ----------
    name : str or None
        By default the object and the day.
    observers_reduce : bool
        Whether observers may reduce their own recordings.
    embargo : datetime or None
        From when participants may see chords, limb and light curves; without one they are for staff and
        the event responsible alone.
    message : str
        Is put into the e-mail to the observers.
    tell : bool
        Whether everyone who wants calls gets that e-mail.
    """

    prediction: Identity
    name: Name | None = None
    observers_reduce: bool = False
    embargo: AwareDatetime | None = None
    message: Words = ""
    tell: bool = True


class CampaignChange(Settings):
    """What is to be changed of a campaign; what is left out stays.

    `embargo`: from then on participants see chords, limb and light curves; a date that has come publishes
    them now, null keeps them for the team.
    """

    name: Name | None = None
    observers_reduce: bool | None = None
    embargo: AwareDatetime | None = None
    state: State | None = None


class ResponsibleView(Settings):
    """Who answers for a campaign."""

    person: str
    name: str
    appointed: datetime


class CampaignView(Settings):
    """A campaign, its prediction, and who answers for it."""

    id: str
    name: str
    state: State
    observers_reduce: bool
    embargo: datetime | None
    opened: datetime
    closed: datetime | None
    prediction: PredictionView
    responsibles: tuple[ResponsibleView, ...]


class AppointmentBody(Settings):
    """Who is to answer for a campaign: the id of an account, or its e-mail address."""

    person: Identity | None = None
    email: Email | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.person is None) == (self.email is None):
            raise ValueError("give person, or email")
        return self


class ParticipantView(Settings):
    """Somebody who observes, as the other participants see them: the place is rounded.

    Attributes
    ----------
    place : RoughPlace
        The station to 0.01 degrees and 100 m.
    """

    name: str
    affiliation: str
    station: str
    status: str
    place: RoughPlace


class AuthorView(Settings):
    """A participant for the publication.

    Attributes
    ----------
    consent : bool
        They agreed to be named.
    roles, stations : tuple of str
        As their observations state.
    """

    name: str
    affiliation: str
    orcid: str | None
    consent: bool
    roles: tuple[str, ...]
    stations: tuple[str, ...]


class AuthorList(Settings):
    """Participants for the publication, by name."""

    items: tuple[AuthorView, ...]


class CallsBody(Settings):
    """Whether one wants an e-mail when a campaign is opened."""

    wanted: bool


class FeedView(Settings):
    """The address of one's calendar: told now and never again; whoever has it reads the calendar."""

    url: str
