"""Campaigns: opened by a call, changed, closed; who answers for them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.caller import Caller
from api.audit.log import record
from api.campaigns.campaign_views import (
    AppointmentBody,
    CampaignBody,
    CampaignChange,
    CampaignView,
    ResponsibleView,
)
from api.campaigns.prediction_views import prediction_view
from api.campaigns.tables import Campaign, Prediction, Responsible
from api.database.tables import new_id, now
from api.mail.mailings import mail_to
from api.mail.outbox import tell
from api.mail.plain import Value
from api.people.tables import Person
from api.problems import RefusedError
from api.settings import ServiceSettings
from api.words import email_key
from reduction.errors import RequestError


def open_campaign(
    session: Session, settings: ServiceSettings, caller: Caller, prediction: Prediction, body: CampaignBody
) -> Campaign:
    """Make a campaign of a prediction, and call the observers.

    Raises
    ------
    RefusedError
        409: it has one.
    """
    held = session.scalar(select(Campaign.id).where(Campaign.prediction == prediction.id))
    if held is not None:
        raise RefusedError(409, f"this prediction has a campaign already: {held}")
    number = f"({prediction.object_number}) " if prediction.object_number else ""
    campaign = Campaign(
        id=new_id(),
        prediction=prediction.id,
        name=body.name or f"{number}{prediction.object_name}, {prediction.at:%Y-%m-%d}"[:200],
        state="open",
        observers_reduce=body.observers_reduce,
        embargo=None if body.embargo is None else body.embargo.astimezone(UTC),
        opened_by=caller.person,
        opened=now(),
    )
    session.add(campaign)
    if body.tell:
        _call(session, settings, caller, campaign, prediction, body.message)
    record(session, caller, "campaign opened", campaign.id, prediction=prediction.id, called=body.tell)
    return campaign


def _call(
    session: Session,
    settings: ServiceSettings,
    caller: Caller,
    campaign: Campaign,
    prediction: Prediction,
    words: str,
) -> None:
    """Write to everyone who can take part and did not say that they want no calls."""
    star = "" if prediction.star_mag is None else f", star of magnitude {prediction.star_mag:.1f}"
    values = {
        "campaign": campaign.name,
        "at": f"{prediction.at:%Y-%m-%d %H:%M:%S} UTC",
        "star": star,
        "id": campaign.id,
        "author": session.get_one(Person, caller.known).name,
        "words": words,
    }
    session.flush()
    mail_to(session, settings, "call", values)


def change_campaign(
    session: Session, settings: ServiceSettings, caller: Caller, campaign: Campaign, wanted: CampaignChange
) -> None:
    """Change, close or open again a campaign; those whom it concerns are told."""
    fields = wanted.model_fields_set
    told: list[str] = []
    if wanted.name is not None and wanted.name != campaign.name:
        told.append(f"it was called {campaign.name}")
        campaign.name = wanted.name
    if wanted.observers_reduce is not None and wanted.observers_reduce != campaign.observers_reduce:
        campaign.observers_reduce = wanted.observers_reduce
        told.append(
            f"observers may {'now' if wanted.observers_reduce else 'no longer'} reduce their own recordings"
        )
    if "embargo" in fields:
        told += _embargo(campaign, None if wanted.embargo is None else wanted.embargo.astimezone(UTC))
    if wanted.state is not None and wanted.state != campaign.state:
        campaign.state = wanted.state
        campaign.closed = now() if wanted.state == "closed" else None
        told.insert(0, "it is closed" if wanted.state == "closed" else "it is open again")
    record(session, caller, "campaign changed", campaign.id, fields=sorted(fields), state=campaign.state)
    if told:
        session.flush()
        values: dict[str, Value] = {
            "campaign": campaign.name,
            "id": campaign.id,
            "title": told[0],
            "lines": told,
        }
        mail_to(session, settings, "campaign_changed", values, campaign=campaign.id, besides=caller.person)


def _embargo(campaign: Campaign, until: datetime | None) -> list[str]:
    """Set the embargo; what is to be told of it."""
    if until == campaign.embargo:
        return []
    campaign.embargo = until
    if until is None:
        return ["its results are for the team alone until further notice"]
    if until <= now():
        return ["its results are open to all who take part"]
    return [f"its results are for the team alone until {until:%Y-%m-%d %H:%M} UTC"]


def appoint(
    session: Session, settings: ServiceSettings, caller: Caller, campaign: Campaign, body: AppointmentBody
) -> None:
    """Make somebody answer for a campaign.

    Raises
    ------
    RequestError
        There is no such account that can be used.
    """
    rows = select(Person).where(Person.deleted.is_(None), Person.suspended.is_(None))
    if body.email is not None:
        rows = rows.where(Person.email_key == email_key(body.email))
    else:
        rows = rows.where(Person.id == body.person)
    person = session.scalar(rows)
    if person is None:
        raise RequestError("nobody with an account that can be used has this id or address")
    if session.get(Responsible, (campaign.id, person.id)) is not None:
        return
    session.add(
        Responsible(campaign=campaign.id, person=person.id, appointed=now(), appointed_by=caller.person)
    )
    record(session, caller, "responsible appointed", campaign.id, person=person.id)
    tell(session, settings, "responsible", person, campaign=campaign.name, id=campaign.id, appointed="yes")


def withdraw(
    session: Session, settings: ServiceSettings, caller: Caller, campaign: Campaign, person_id: str
) -> None:
    """End an appointment.

    Raises
    ------
    RefusedError
        404: there is none.
    """
    row = session.get(Responsible, (campaign.id, person_id))
    person = session.get(Person, person_id)
    if row is None or person is None:
        raise RefusedError(404, "no such campaign, or not yours to see")
    session.delete(row)
    record(session, caller, "responsible withdrawn", campaign.id, person=person_id)
    tell(session, settings, "responsible", person, campaign=campaign.name, id=campaign.id, appointed="")


def campaign_views(session: Session, rows: Sequence[Campaign]) -> tuple[CampaignView, ...]:
    """What is told of campaigns."""
    asked = [row.prediction for row in rows]
    predictions = {row.id: row for row in session.scalars(select(Prediction).where(Prediction.id.in_(asked)))}
    named: dict[str, list[ResponsibleView]] = {row.id: [] for row in rows}
    pairs = (
        select(Responsible, Person.name)
        .join(Person, Person.id == Responsible.person)
        .where(Responsible.campaign.in_(list(named)))
        .order_by(Responsible.appointed, Person.id)
    )
    for row, name in session.execute(pairs):
        named[row.campaign].append(ResponsibleView(person=row.person, name=name, appointed=row.appointed))
    return tuple(
        CampaignView(
            id=row.id,
            name=row.name,
            state="open" if row.state == "open" else "closed",
            observers_reduce=row.observers_reduce,
            embargo=row.embargo,
            opened=row.opened,
            closed=row.closed,
            prediction=prediction_view(predictions[row.prediction], row.id),
            responsibles=tuple(named[row.id]),
        )
        for row in rows
    )
