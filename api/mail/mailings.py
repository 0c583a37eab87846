"""E-mails to many: written into the outbox in portions, so that none waits long for the database."""

from collections.abc import Mapping

from sqlalchemy import Select, delete, or_, select, union
from sqlalchemy.orm import Session

from api.access.matrix import Level
from api.campaigns.tables import Responsible
from api.database.tables import new_id, now
from api.database.transactions import Database
from api.mail.kinds import KINDS
from api.mail.outbox import written
from api.mail.plain import Value, harmless
from api.mail.tables import Mailing, Message, Unwanted
from api.observations.tables import Observation
from api.people.tables import Person
from api.settings import ServiceSettings

PORTION = 200
LEVELS = tuple(Level)
"""Each is also what those before it are."""


def mail_to(
    session: Session,
    settings: ServiceSettings,
    kind: str,
    values: Mapping[str, Value],
    campaign: str | None = None,
    level: Level | None = None,
    besides: str | None = None,
) -> Mailing:
    """Write an e-mail to everyone, to those of a campaign, or of a level and those above.

    The first `PORTION` are in the outbox when this returns; `go_on` writes the others.

    Parameters
    ----------
    campaign : str or None
        Id: to those who have a station in it or answer for it.
    besides : str or None
        Id of a person who is left out: they know.
    """
    mailing = Mailing(
        id=new_id(),
        kind=kind,
        content=harmless(values),
        campaign=campaign,
        level=None if level is None else level.value,
        besides=besides,
        created=now(),
        through="",
        told=0,
    )
    session.add(mailing)
    session.flush()
    _portion(session, settings, mailing)
    return mailing


def go_on(database: Database, settings: ServiceSettings) -> bool:
    """Write a portion of the oldest mailing that is not finished; False: there is none."""
    unfinished = select(Mailing).where(Mailing.finished.is_(None)).order_by(Mailing.created, Mailing.id)
    with database.reading() as session:
        if session.scalar(unfinished.limit(1)) is None:
            return False
    with database.writing() as session:
        mailing = session.scalar(unfinished.limit(1).with_for_update(skip_locked=True))
        if mailing is None:
            return False
        _portion(session, settings, mailing)
    return True


def withdraw(session: Session, identity: str) -> int:
    """End a mailing; how many of its e-mails were still here and are not sent."""
    mailing = session.get(Mailing, identity, with_for_update=True)
    if mailing is None:
        return 0
    at = now()
    mailing.finished = mailing.finished or at
    free = or_(Message.until.is_(None), Message.until <= at)
    waiting = delete(Message).where(Message.mailing == identity, Message.state == "waiting", free)
    return len(session.execute(waiting.returning(Message.place)).all())


def recipients(mailing: Mailing) -> Select[Person]:
    """People whom a mailing is for and who have not been written to, in the order of their ids."""
    rows = select(Person).where(
        Person.deleted.is_(None),
        Person.suspended.is_(None),
        Person.email.is_not(None),
        Person.created <= mailing.created,
        Person.id > mailing.through,
    )
    topic = KINDS[mailing.kind]
    if topic is not None:
        rows = rows.where(Person.id.not_in(select(Unwanted.person).where(Unwanted.topic == topic.value)))
    if mailing.besides is not None:
        rows = rows.where(Person.id != mailing.besides)
    if mailing.campaign is not None:
        rows = rows.where(Person.id.in_(people_of(mailing.campaign)))
    if mailing.level is not None:
        rows = rows.where(Person.level.in_(LEVELS[LEVELS.index(Level(mailing.level)) :]))
    return rows.order_by(Person.id)


def people_of(campaign: str) -> "Select[str]":
    """Ids of those who have a station in a campaign or answer for it."""
    observers = select(Observation.person).where(Observation.campaign == campaign)
    team = select(Responsible.person).where(Responsible.campaign == campaign)
    return select(union(observers, team).subquery().c.person)


def _portion(session: Session, settings: ServiceSettings, mailing: Mailing) -> None:
    """Write to the next ones; in the transaction that keeps how far it got, so that nobody gets it twice."""
    people = list(session.scalars(recipients(mailing).limit(PORTION)))
    for person in people:
        assert person.email is not None
        values = {**mailing.content, "name": person.name}
        written(session, settings, mailing.kind, person.email, person.id, values, mailing.id)
    mailing.told += len(people)
    if people:
        mailing.through = people[-1].id
    if len(people) < PORTION:
        mailing.finished = now()
