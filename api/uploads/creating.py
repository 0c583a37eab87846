"""A new upload: whether there is room for it, and for whom."""

from pathlib import Path

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from api.access.permit import Permit
from api.audit.log import record
from api.database.tables import new_id, now
from api.observations.tables import WITHDRAWN, Observation, ObservationFile
from api.people.tables import Person
from api.problems import RefusedError
from api.settings import ServiceSettings
from api.uploads.headers import Metadata
from api.uploads.receiving import Receiving
from api.uploads.tables import ARRIVING, REFUSED, WHOLE, Upload

MOST_OPEN = 200
"""Unfinished uploads of a person."""


def begin(
    session: Session,
    permit: Permit,
    metadata: Metadata,
    length: int,
    settings: ServiceSettings,
    receiving: Receiving,
) -> Upload:
    """Make an upload.

    Raises
    ------
    RefusedError
        404: no such observation, or not theirs. 409: too many are unfinished. 413: larger than a file, or
        all files of a person, may be.
    """
    observation = permit.over(session, session.get(Observation, metadata.observation), "observation")
    person = permit.caller.known
    session.scalars(select(Person.id).where(Person.id == person).with_for_update()).one()
    _require_room(session, person, length, settings)
    row = Upload(
        id=new_id(), person=person, observation=observation.id, role=metadata.role, name=metadata.name,
        length=length, received=0, sha256=metadata.sha256, details={"metadata": metadata.text},
        state=ARRIVING if length else WHOLE, problem="", created=now(), expires=receiving.expiry(),
    )  # fmt: skip
    session.add(row)
    record(session, permit.caller, "upload begun", row.id, observation=observation.id, length=length)
    return row


def used_by(session: Session, person: str) -> int:
    """Bytes that a person has sent or announced, without what was taken back."""
    total = select(func.coalesce(func.sum(Upload.length), 0))
    gone = exists().where(ObservationFile.id == Upload.file, ObservationFile.state == WITHDRAWN)
    counted = total.where(Upload.person == person, Upload.state != REFUSED, ~gone)
    return int(session.scalars(counted).one())


def _require_room(session: Session, person: str, length: int, settings: ServiceSettings) -> None:
    if length > settings.largest_file:
        raise RefusedError(
            413, f"Upload-Length: a file may have {settings.largest_file} bytes here, not {length}"
        )
    used = used_by(session, person)
    if used + length > settings.quota:
        left = max(0, settings.quota - used)
        raise RefusedError(
            413,
            f"Upload-Length: {length} bytes, and {left} are left of your {settings.quota}; ask the staff",
        )
    unfinished = select(func.count()).where(Upload.person == person, Upload.state == ARRIVING)
    if session.scalars(unfinished).one() >= MOST_OPEN:
        raise RefusedError(409, f"{MOST_OPEN} uploads are unfinished; finish or end some of them")


def folder_of(settings: ServiceSettings) -> Path:
    """Of the files that arrive; made where it is not there."""
    folder = settings.home / "uploads"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
