"""Announcements: written by staff, listed for those whom they concern, sent to them by e-mail."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from api.access.caller import Caller
from api.access.matrix import Level, Standing
from api.audit.log import record
from api.campaigns.tables import Campaign, Responsible
from api.database.tables import new_id, now
from api.mail.mailings import LEVELS, mail_to, withdraw
from api.mail.tables import Mailing, Message
from api.notices.tables import Announcement
from api.observations.tables import Observation
from api.people.tables import Person
from api.problems import RefusedError
from api.settings import ServiceSettings
from api.words import Name, Prose
from reduction.errors import RequestError
from reduction.plan import Settings

Identity = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class AnnouncementBody(Settings):
    """What is to be announced: to everyone, or to those of a campaign, or of a level and those above.

    Attributes
    ----------
    send : bool
        By e-mail, too, to those who have not refused announcements.
    """

    subject: Name
    text: Prose
    campaign: Identity | None = None
    level: Level | None = None
    send: bool = True

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.campaign is not None and self.level is not None:
            raise ValueError("give campaign or level, not both")
        return self


class AnnouncementView(Settings):
    """What was announced."""

    id: str
    subject: str
    text: str
    campaign: str | None
    level: Level | None
    author: str
    created: datetime
    withdrawn: datetime | None


class AnnouncementProgress(AnnouncementView):
    """An announcement, for staff: how far it is sent.

    Attributes
    ----------
    written : int
        E-mails written so far; `all_written` when there will be no more.
    sent, waiting, failed : int
        What became of those that are still kept: sent ones are for 30 days.
    """

    written: int
    all_written: bool
    sent: int
    waiting: int
    failed: int


def announce(
    session: Session, settings: ServiceSettings, caller: Caller, body: AnnouncementBody
) -> Announcement:
    """Keep an announcement and begin to send it.

    Raises
    ------
    RequestError
        There is no such campaign.
    """
    campaign = None if body.campaign is None else session.get(Campaign, body.campaign)
    if body.campaign is not None and campaign is None:
        raise RequestError("campaign: there is none with this id")
    author = session.get_one(Person, caller.known)
    row = Announcement(
        id=new_id(),
        author=author.id,
        subject=body.subject,
        text=body.text,
        campaign=body.campaign,
        level=None if body.level is None else body.level.value,
        created=now(),
    )
    if body.send:
        audience = "everybody" if campaign is None else f"those who take part in {campaign.name}"
        if body.level is not None and body.level is not Level.OBSERVER:
            audience = "staff" if body.level is Level.STAFF else "superusers"
        values = {"subject": body.subject, "text": body.text, "author": author.name, "audience": audience}
        mailing = mail_to(session, settings, "announcement", values, campaign=body.campaign, level=body.level)
        row.mailing = mailing.id
    session.add(row)
    record(session, caller, "announced", row.id, campaign=body.campaign, level=row.level)
    return row


def take_back(session: Session, caller: Caller, row: Announcement) -> None:
    """Withdraw an announcement: it is listed no more, and what is not sent yet is not sent.

    Raises
    ------
    RefusedError
        409: it was withdrawn before.
    """
    if row.withdrawn is not None:
        raise RefusedError(409, "it was withdrawn before")
    row.withdrawn = now()
    unsent = 0 if row.mailing is None else withdraw(session, row.mailing)
    record(session, caller, "announcement withdrawn", row.id, unsent=unsent)


def concerning(caller: Caller) -> Select[Announcement]:
    """Announcements for a caller; staff see all, those withdrawn too."""
    rows = select(Announcement)
    if Standing.STAFF in caller.standing:
        return rows
    mine = caller.known
    observed = select(Observation.campaign).where(Observation.person == mine)
    managed = select(Responsible.campaign).where(Responsible.person == mine)
    return rows.where(
        Announcement.withdrawn.is_(None),
        or_(Announcement.level.is_(None), Announcement.level == LEVELS[0].value),
        or_(
            Announcement.campaign.is_(None),
            Announcement.campaign.in_(observed),
            Announcement.campaign.in_(managed),
        ),
    )


def views(session: Session, rows: Sequence[Announcement]) -> tuple[AnnouncementView, ...]:
    """What is told of announcements."""
    authors = select(Person.id, Person.name).where(Person.id.in_({row.author for row in rows}))
    names: dict[str, str] = dict(session.execute(authors).all())
    return tuple(AnnouncementView.model_validate(_fields(row, names[row.author])) for row in rows)


def _fields(row: Announcement, author: str) -> dict[str, object]:
    kept = ("id", "subject", "text", "campaign", "level", "created", "withdrawn")
    return {**{name: getattr(row, name) for name in kept}, "author": author}


def progress(session: Session, row: Announcement) -> AnnouncementProgress:
    """How far an announcement is."""
    author = session.get_one(Person, row.author).name
    mailing = None if row.mailing is None else session.get_one(Mailing, row.mailing)
    counted = select(Message.state, func.count()).where(Message.mailing == row.mailing)
    states = {} if mailing is None else dict(session.execute(counted.group_by(Message.state)).all())
    return AnnouncementProgress.model_validate(
        {
            **_fields(row, author),
            "written": 0 if mailing is None else mailing.told,
            "all_written": mailing is None or mailing.finished is not None,
            **{state: states.get(state, 0) for state in ("sent", "waiting", "failed")},
        }
    )
