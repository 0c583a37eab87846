"""The outbox as a queue: taken for a while, then sent, put off, or given up."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from api.database.tables import now
from api.mail.tables import Message

LEASE = timedelta(minutes=2)
"""How long a sender that fell silent keeps a message from others."""
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
GIVEN_UP = timedelta(days=3)
KEPT = timedelta(days=30)
"""How long sent messages are kept."""


def _due(at: datetime) -> ColumnElement[bool]:
    free = or_(Message.until.is_(None), Message.until <= at)
    return and_(Message.state == "waiting", Message.not_before <= at, free)


def waits(session: Session) -> bool:
    """Whether something is to be sent now."""
    return bool(session.scalar(select(exists().where(_due(now())))))


def take(session: Session, most: int, lease: timedelta = LEASE) -> list[Message]:
    """Take up to `most` messages, oldest first, for a time; those of mailings after all others."""
    at = now()
    rows = select(Message).where(_due(at)).order_by(Message.mailing.is_not(None), Message.place).limit(most)
    taken = list(session.scalars(rows.with_for_update(skip_locked=True)))
    for message in taken:
        message.until = at + lease
        message.attempts += 1
    return taken


def _mine(message: Message) -> tuple[ColumnElement[bool], ...]:
    return (
        Message.place == message.place,
        Message.attempts == message.attempts,
        Message.state == "waiting",
    )


def sent(session: Session, message: Message) -> None:
    """Keep that the server accepted a message; a one-time token in it is blanked."""
    values: dict[str, object] = {"state": "sent", "sent": now(), "until": None, "error": None}
    if message.secret:
        values["text"] = ""
    session.execute(update(Message).where(*_mine(message)).values(**values))


def put_off(session: Session, message: Message, why: str) -> None:
    """Try a message again later; after three days no more."""
    at = now()
    if at - message.created > GIVEN_UP:
        give_up(session, message, why)
        return
    pause = min(FIRST_PAUSE * 2 ** min(message.attempts - 1, 10), LONGEST_PAUSE)
    values = {"not_before": at + pause, "until": None, "error": why}
    session.execute(update(Message).where(*_mine(message)).values(**values))


def give_back(session: Session, message: Message) -> None:
    """Let a message that was not tried be taken again at once."""
    values = {"until": None, "attempts": message.attempts - 1}
    session.execute(update(Message).where(*_mine(message)).values(**values))


def give_up(session: Session, message: Message, why: str) -> None:
    """Keep that a message cannot be sent."""
    values: dict[str, object] = {"state": "failed", "until": None, "error": why}
    if message.secret:
        values["text"] = ""
    session.execute(update(Message).where(*_mine(message)).values(**values))


def again(session: Session, place: int) -> bool:
    """Let a message that failed, or waits for its time, be sent now; False: there is none, or it was sent."""
    waiting = {"state": "waiting", "not_before": now(), "until": None}
    changed = update(Message).where(Message.place == place, Message.state != "sent").values(**waiting)
    return session.execute(changed.returning(Message.place)).first() is not None


def tidy(session: Session) -> None:
    """Remove messages that were sent long ago."""
    session.execute(delete(Message).where(Message.state == "sent", Message.sent < now() - KEPT))
