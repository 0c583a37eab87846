"""What people want to be told by e-mail, and the signed links by which they say so."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from api.access.caller import new_secret
from api.database.tables import Table, now
from api.mail.kinds import Topic
from api.mail.tables import Seal, Unwanted
from api.settings import ServiceSettings

UNSUBSCRIBE = "unsubscribe"


def refused(session: Session, person: str) -> tuple[Topic, ...]:
    """Topics of which a person wants no e-mails."""
    rows = set(session.scalars(select(Unwanted.topic).where(Unwanted.person == person)))
    return tuple(topic for topic in Topic if topic.value in rows)


def wants(session: Session, person: str, topic: Topic) -> bool:
    """Whether a person wants e-mails of a topic."""
    return session.get(Unwanted, (person, topic.value)) is None


def choose(session: Session, person: str, topic: Topic, wanted: bool) -> None:
    """Keep whether a person wants e-mails of a topic."""
    if wanted:
        theirs = delete(Unwanted).where(Unwanted.person == person, Unwanted.topic == topic.value)
        session.execute(theirs)
        return
    row = _insert(session, Unwanted).values(person=person, topic=topic.value, since=now())
    session.execute(row.on_conflict_do_nothing())


def refuse(session: Session, person: str, topics: Collection[Topic]) -> None:
    """Keep that a person wants all e-mails but those of some topics."""
    for topic in Topic:
        choose(session, person, topic, topic not in topics)


def link(session: Session, settings: ServiceSettings, person: str, topic: Topic) -> str:
    """The address by which a person, who needs not be logged in, ends e-mails of a topic."""
    signed = f"{person}.{topic.value}"
    return f"{settings.url}/api/v1/unsubscribe/{signed}.{_signature(_seal(session), signed)}"


def read(session: Session, token: str) -> tuple[str, Topic] | None:
    """Person and topic of the end of such an address; None: this service did not make it."""
    signed, _, signature = token.rpartition(".")
    person, _, topic = signed.partition(".")
    seal = session.get(Seal, UNSUBSCRIBE)
    if seal is None or topic not in set(Topic):
        return None
    if not hmac.compare_digest(signature.encode(), _signature(seal.secret, signed).encode()):
        return None
    return person, Topic(topic)


def _signature(secret: str, signed: str) -> str:
    digest = hmac.new(secret.encode(), f"{UNSUBSCRIBE} {signed}".encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _seal(session: Session) -> str:
    """The service's secret, made at its first use."""
    row = session.get(Seal, UNSUBSCRIBE)
    if row is None:
        fresh = _insert(session, Seal).values(name=UNSUBSCRIBE, secret=new_secret())
        session.execute(fresh.on_conflict_do_nothing())
        row = session.get_one(Seal, UNSUBSCRIBE)
    return row.secret


def _insert(session: Session, table: type[Table]) -> "postgresql.Insert | sqlite.Insert":
    """An insertion that can be told what to do where the row is there."""
    return (postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert)(table)
