"""Announcements, issues, what people are to be told once it has ended, and what went wrong in the service."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Line, Owned, Sha256, Short, Table


class Announcement(Table):
    """What staff tell everyone, those of a campaign, or those of a level and above.

    Attributes
    ----------
    mailing : str or None
        How it goes out by e-mail; None: it is only listed.
    """

    __tablename__ = "announcement"
    id: Mapped[Id] = mapped_column(primary_key=True)
    author: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    subject: Mapped[Line]
    text: Mapped[str] = mapped_column(Text)
    campaign: Mapped[Id | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    level: Mapped[Short | None]
    mailing: Mapped[Id | None] = mapped_column(ForeignKey("mailing.id"))
    created: Mapped[datetime]
    withdrawn: Mapped[datetime | None]
    __table_args__ = (Index(None, "created", "id"),)

    @property
    def concern_person(self) -> str:
        """Who wrote it."""
        return self.author

    @property
    def concern_campaign(self) -> str | None:
        """The campaign that it is for."""
        return self.campaign


class Issue(Owned, Table):
    """What somebody reports to the people who run the service.

    Attributes
    ----------
    campaign, observation, reduction : str or None
        What it is about.
    state : str
        ``open`` or ``closed``.
    """

    __tablename__ = "issue"
    id: Mapped[Id] = mapped_column(primary_key=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    subject: Mapped[Line]
    text: Mapped[str] = mapped_column(Text)
    campaign: Mapped[Id | None] = mapped_column(ForeignKey("campaign.id"))
    observation: Mapped[Id | None]
    reduction: Mapped[Id | None]
    state: Mapped[Short]
    created: Mapped[datetime]
    changed: Mapped[datetime]
    __table_args__ = (Index(None, "created", "id"), Index(None, "person", "created", "id"))


class IssueAnswer(Owned, Table):
    """What was answered to an issue: by staff, or by who reported it."""

    __tablename__ = "issue_answer"
    id: Mapped[Id] = mapped_column(primary_key=True)
    issue: Mapped[Id] = mapped_column(ForeignKey("issue.id"))
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime]
    __table_args__ = (Index(None, "issue", "created", "id"),)


class Owed(Owned, Table):
    """A thing of whose end somebody is to be told; the row goes in the transaction that tells them.

    Attributes
    ----------
    thing, kind : str
        Id of a ``reduction`` that was asked for alone, of a ``batch``, or of an accepted ``file``.
    """

    __tablename__ = "owed"
    thing: Mapped[Id] = mapped_column(primary_key=True)
    kind: Mapped[Short]
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    created: Mapped[datetime]
    __table_args__ = (Index(None, "kind", "person", "created"),)


class Fault(Table):
    """A kind of fault of the service: where it was seen, and how often; nothing of whose request it was.

    Attributes
    ----------
    untold : int
        How often since superusers were told last.
    request : str
        Id of the last request that met it; the service's log has more.
    """

    __tablename__ = "fault"
    signature: Mapped[Sha256] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(Text)
    request: Mapped[Short] = mapped_column(default="")
    first: Mapped[datetime]
    last: Mapped[datetime]
    count: Mapped[int]
    untold: Mapped[int]
    told: Mapped[datetime | None]
