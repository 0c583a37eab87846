"""Put e-mails into the outbox, in the transaction of what they tell."""

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.orm import Session

from api.database.tables import new_id, now
from api.mail.tables import Message
from api.people.tables import Person
from api.settings import ServiceSettings

if TYPE_CHECKING:
    from datetime import datetime

SECRET = frozenset({"activation", "reset", "address"})
"""Kinds that carry a one-time token."""
LONGEST_SUBJECT = 200


def post(
    session: Session,
    settings: ServiceSettings,
    kind: str,
    recipient: str,
    person: str | None = None,
    **values: "str | int | float | datetime | list[str]",
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
        What the template needs; `url`, the service's address, is there always.
    """
    written = _templates().get_template(f"{kind}.txt").render(url=settings.url, **values)
    subject, _, text = written.partition("\n")
    identity = new_id()
    at = now()
    message = Message(
        message_id=f"<{identity}@{urlsplit(settings.url).hostname}>",
        person=person,
        recipient=recipient,
        kind=kind,
        subject=" ".join(subject.removeprefix("Subject:").split())[:LONGEST_SUBJECT],
        text=text.strip() + "\n",
        secret=kind in SECRET,
        state="waiting",
        created=at,
        not_before=at,
        attempts=0,
    )
    session.add(message)
    return message


def tell(
    session: Session,
    settings: ServiceSettings,
    kind: str,
    person: Person,
    **values: "str | int | float | datetime | list[str]",
) -> None:
    """Write an e-mail to the owner of an account; a deleted one gets none."""
    if person.email is not None:
        post(session, settings, kind, person.email, person.id, name=person.name, **values)


@cache
def _templates() -> Environment:
    """Plain text: nothing to escape; a value that is missing is an error."""
    return Environment(
        loader=PackageLoader("api.mail"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
