"""E-mails about files."""

from sqlalchemy.orm import Session

from api.mail.outbox import tell
from api.people.tables import Person
from api.settings import ServiceSettings


def tell_refused(session: Session, settings: ServiceSettings, person: str, file: str, problem: str) -> None:
    """Tell whose file it is why it cannot be used."""
    tell(session, settings, "file_refused", session.get_one(Person, person), file=file, problem=problem)
