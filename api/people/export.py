"""All that is kept of a person, for them: each area adds its part."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from api.audit.tables import Entry
from api.bundles.tables import DataRequest
from api.campaigns.tables import Feed, Responsible
from api.database.tables import Table
from api.equipment.tables import Equipment, Site
from api.mail.tables import Message, Unwanted
from api.notices.tables import Issue, IssueAnswer
from api.observations.tables import Observation, ObservationFile
from api.people.tables import ApiKey, LoginSession, Person
from api.uploads.tables import Upload
from api.webhooks.tables import Webhook

HIDDEN = frozenset({"password", "digest", "email_key", "unsubscribe", "secret"})
TOLD = "text"
"""Of e-mails alone it is hidden: it may carry a secret."""


def row_of(row: Table) -> dict[str, Any]:
    """A row as it is kept, without what is a secret or a form of one."""
    columns = inspect(type(row)).columns
    hidden = HIDDEN | ({TOLD} if isinstance(row, Message) else set())
    return {column.key: getattr(row, column.key) for column in columns if column.key not in hidden}


def _of(table: Any) -> Callable[[Session, str], list[dict[str, Any]]]:
    """Rows of a table with a column `person`."""

    def rows(session: Session, person: str) -> list[dict[str, Any]]:
        return [row_of(row) for row in session.scalars(select(table).where(table.person == person))]

    return rows


def _entries(session: Session, person: str) -> list[dict[str, Any]]:
    found = session.scalars(select(Entry).where(Entry.actor == person).order_by(Entry.place))
    return [row_of(row) for row in found]


def _files(session: Session, person: str) -> list[dict[str, Any]]:
    theirs = select(ObservationFile).join(Observation, Observation.id == ObservationFile.observation)
    return [row_of(row) for row in session.scalars(theirs.where(Observation.person == person))]


PARTS: dict[str, Callable[[Session, str], list[dict[str, Any]]]] = {
    "sessions": _of(LoginSession),
    "keys": _of(ApiKey),
    "mail": _of(Message),
    "equipment": _of(Equipment),
    "sites": _of(Site),
    "observations": _of(Observation),
    "files": _files,
    "uploads": _of(Upload),
    "appointments": _of(Responsible),
    "calendar": _of(Feed),
    "data_requests": _of(DataRequest),
    "unwanted": _of(Unwanted),
    "webhooks": _of(Webhook),
    "issues": _of(Issue),
    "issue_answers": _of(IssueAnswer),
    "actions": _entries,
}
"""Kind of things -> what there is of a person."""


def everything_of(session: Session, person: Person) -> dict[str, Any]:
    """Return all that is kept of a person, by kind."""
    parts = {name: part(session, person.id) for name, part in PARTS.items()}
    return {"account": row_of(person), **parts}
