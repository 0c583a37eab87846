"""Put e-mails into the outbox, in the transaction of what they tell."""

from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.orm import Session

from api.database.tables import new_id, now
from api.mail.kinds import ABOUT, KINDS
from api.mail.plain import Value, harmless, line, quoted
from api.mail.preferences import link, wants
from api.mail.tables import Message
from api.people.tables import Person
from api.settings import ServiceSettings

SECRET = frozenset({"activation", "reset", "address"})
"""Kinds that carry a one-time token."""
LONGEST_SUBJECT = 200


def post(
    session: Session,
    settings: ServiceSettings,
    kind: str,
    recipient: str,
    person: str | None = None,
    **values: Value,
) -> Message:
    """Write an e-mail of the template `kind`, for the sender to take.

    Parameters
    ----------
    kind : str
        Name of a template; its first line is the subject.
    recipient : str
        Address.
    person : str or None
        Id of whose it is.
    values
        What the template needs; `url`, the service's address, is there always. Only `text` may have lines.
    """
    return written(session, settings, kind, recipient, person, values)


def written(
    session: Session,
    settings: ServiceSettings,
    kind: str,
    recipient: str,
    person: str | None,
    values: Mapping[str, Value],
    mailing: str | None = None,
) -> Message:
    """Write an e-mail as `post`, perhaps as one of a mailing."""
    topic = KINDS[kind]
    subject, _, text = _templates().get_template(f"{kind}.txt").render(
        url=settings.url, **harmless(values)
    ).partition("\n")  # fmt: skip
    unsubscribe = None if topic is None or person is None else link(session, settings, person, topic)
    if topic is not None and unsubscribe is not None:
        text = f"{text.strip()}\n\n-- \nYou are told of {ABOUT[topic]}.\nNo more of these: {unsubscribe}"
    at = now()
    message = Message(
        message_id=f"<{new_id()}@{urlsplit(settings.url).hostname}>",
        person=person,
        mailing=mailing,
        recipient=recipient,
        kind=kind,
        subject=line(subject.removeprefix("Subject:"))[:LONGEST_SUBJECT],
        text=text.strip() + "\n",
        unsubscribe=unsubscribe,
        secret=kind in SECRET,
        state="waiting",
        created=at,
        not_before=at,
        attempts=0,
    )
    session.add(message)
    return message


def tell(session: Session, settings: ServiceSettings, kind: str, person: Person, **values: Value) -> None:
    """Write an e-mail to the owner of an account: if they have not refused its topic, and still have one."""
    topic = KINDS[kind]
    if person.email is None or (topic is not None and not wants(session, person.id, topic)):
        return
    post(session, settings, kind, person.email, person.id, name=person.name, **values)


@cache
def _templates() -> Environment:
    """Plain text: nothing to escape; a value that is missing is an error."""
    templates = Environment(
        loader=PackageLoader("api.mail"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["quoted"] = quoted
    return templates
