"""E-mails about limb fits."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.campaigns.tables import Campaign, Responsible
from api.database.tables import now
from api.mail.mailings import mail_to
from api.mail.outbox import tell
from api.mail.plain import Value
from api.people.tables import Person
from api.settings import ServiceSettings


def tell_fit(
    session: Session,
    settings: ServiceSettings,
    campaign: Campaign,
    by: str | None,
    headline: str,
    path: str,
    version: int = 0,
) -> None:
    """Tell of a fit: who asked for it and the event responsibles; once the embargo is over, all participants.

    Parameters
    ----------
    by : str or None
        Id of who asked.
    headline : str
        The figures in one line.
    path : str
        Of the fit, below the service's address.
    """
    values: dict[str, Value] = {
        "campaign": campaign.name,
        "headline": headline,
        "path": path,
        "version": version,
    }
    if campaign.embargo is not None and campaign.embargo <= now():
        mail_to(session, settings, "fit", values, campaign=campaign.id)
        return
    team = set(session.scalars(select(Responsible.person).where(Responsible.campaign == campaign.id)))
    for person in sorted(team | ({by} if by else set())):
        tell(session, settings, "fit", session.get_one(Person, person), **values)


def tell_failed_fit(
    session: Session,
    settings: ServiceSettings,
    campaign: Campaign,
    by: str,
    why: str,
    path: str,
    version: int,
) -> None:
    """Tell who asked for a fit that there will be none. Parameters as of `tell_fit`."""
    person = session.get_one(Person, by)
    values: dict[str, Value] = {"campaign": campaign.name, "why": why, "path": path, "version": version}
    tell(session, settings, "fit_failed", person, **values)
