"""What is in the outbox."""

from sqlalchemy import select

from api.mail.tables import Message
from tests.api.campaigns.people import Callers


def mails(callers: Callers, who: str, kind: str | None = None) -> list[Message]:
    """E-mails to somebody of the world, oldest first."""
    with callers.world.database.reading() as session:
        rows = select(Message).where(Message.person == callers.world.people[who].id)
        if kind is not None:
            rows = rows.where(Message.kind == kind)
        return list(session.scalars(rows.order_by(Message.place)))
