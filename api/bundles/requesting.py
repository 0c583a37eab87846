"""Requests for a campaign's data: made once, told to those who should know, kept while they are good."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from api.access.caller import Caller
from api.access.matrix import Level
from api.audit.log import record
from api.bundles.plan import Plan
from api.bundles.planning import Absent, Planned
from api.bundles.tables import DataPlan, DataRequest
from api.campaigns.tables import Campaign
from api.database.tables import new_id, now
from api.mail.outbox import tell
from api.observations.tables import ObservationFile
from api.people.tables import Person
from api.problems import RefusedError
from api.settings import ServiceSettings

GOOD_FOR = timedelta(days=14)
MOST_TOLD = 10


def require_all(absent: list[Absent]) -> None:
    """Refuse an archive with a hole that nobody has agreed to.

    Raises
    ------
    RefusedError
        409: files are lost.
    """
    lost = [f"{one.station}: {one.name} {one.why}" for one in absent if one.lost]
    if lost:
        more = f" and {len(lost) - MOST_TOLD} more" if len(lost) > MOST_TOLD else ""
        raise RefusedError(
            409,
            f"{'; '.join(lost[:MOST_TOLD])}{more}. Have the store restored, or ask by missing=list for "
            "the rest and a list of these",
        )


def note_files(session: Session, planned: Planned) -> None:
    """Keep what was found out about files."""
    at = now()
    for identity, crc32 in planned.crc32.items():
        sound = {"crc32": crc32, "damaged": None}
        session.execute(update(ObservationFile).where(ObservationFile.id == identity).values(**sound))
    for identity in planned.damaged:
        session.execute(update(ObservationFile).where(ObservationFile.id == identity).values(damaged=at))
        record(session, None, "file damaged", identity)


def live_request(
    session: Session, caller: Caller, campaign: str, digest: str | None = None
) -> DataRequest | None:
    """The caller's newest request for a campaign that is still good; of one archive, if it is named."""
    asked = select(DataRequest).where(
        DataRequest.campaign == campaign, DataRequest.person == caller.known, DataRequest.expires > now()
    )
    if digest is not None:
        asked = asked.where(DataRequest.digest == digest)
    newest = asked.order_by(DataRequest.created.desc(), DataRequest.id.desc()).limit(1)
    return session.scalars(newest).one_or_none()


def make_request(
    session: Session,
    settings: ServiceSettings,
    caller: Caller,
    campaign: Campaign,
    planned: Planned,
    results: bool,
) -> DataRequest:
    """Keep a request, and tell it to who asked and to the superusers.

    What is long to compute, the plan's `content`, is at hand by then.
    """
    at, plan = now(), planned.plan
    row = DataRequest(
        id=new_id(),
        campaign=campaign.id,
        person=caller.known,
        results=results,
        digest=plan.digest,
        size=plan.layout.size,
        files=len(plan.entries),
        absent={"files": [_told(one) for one in planned.absent]},
        created=at,
        expires=at + GOOD_FOR,
    )
    session.add(row)
    session.flush()
    session.add(DataPlan(request=row.id, content=plan.content))
    record(
        session, caller, "event data requested", campaign.id,
        data_request=row.id, files=row.files, size=row.size, results=results,
    )  # fmt: skip
    _tell(session, settings, row, campaign, plan)
    return row


def _told(one: Absent) -> dict[str, Any]:
    return {"station": one.station, "name": one.name, "why": one.why, "lost": one.lost}


def _tell(
    session: Session, settings: ServiceSettings, row: DataRequest, campaign: Campaign, plan: Plan
) -> None:
    asker = session.get_one(Person, row.person)
    told: dict[str, Any] = {
        "campaign": campaign.name,
        "file": plan.name,
        "id": row.id,
        "files": row.files,
        "size": f"{row.size / 1e6:.1f} MB",
        "absent": len(row.absent["files"]),
        "until": f"{row.expires:%Y-%m-%d %H:%M} UTC",
    }
    tell(session, settings, "data_requested", asker, **told)
    admins = select(Person).where(
        Person.level == Level.SUPERUSER.value, Person.deleted.is_(None), Person.suspended.is_(None)
    )
    for person in session.scalars(admins.where(Person.id != asker.id)):
        tell(session, settings, "data_given", person, asker=asker.name, email=asker.email or "", **told)


def forget_old(session: Session) -> None:
    """Remove the plans of requests that are over; that they were made stays known."""
    over = select(DataRequest.id).where(DataRequest.expires <= now())
    session.execute(delete(DataPlan).where(DataPlan.request.in_(over)))
