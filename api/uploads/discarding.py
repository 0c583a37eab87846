"""Bytes in the store that nobody needs any more: removed when nothing refers to them, and not before.

Who lets go of bytes writes their digest down (`discard`), in the transaction that lets go. After `GRACE` they
are removed, in a transaction that holds that row and finds no reference. Who comes to refer to bytes says so
in its own transaction (`hold`): that takes the row away, and sees that the bytes are there. So either the
reference is seen, or the row is gone, or the bytes are missing and are stored again.
"""

from datetime import timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from api.audit.log import record
from api.bundles.plan import plan_of
from api.bundles.tables import DataPlan, DataRequest
from api.database.tables import now
from api.database.transactions import Database
from api.figures.tables import LimbFigure
from api.observations.tables import WITHDRAWN, ObservationFile
from api.uploads.tables import Discarded
from cluster.store.names import raw_name
from cluster.store.protocol import Store
from reduction.errors import DataError, ResourceError

GRACE = timedelta(minutes=10)
"""Longer than any transaction that refers to bytes lasts."""


def discard(session: Session, sha256: str) -> None:
    """Let go of bytes."""
    row = session.get(Discarded, sha256, with_for_update=True)
    if row is None:
        session.add(Discarded(sha256=sha256, since=now()))
    else:
        row.since = now()


def hold(session: Session, store: Store, sha256: str) -> None:
    """See that bytes which are referred to from now on are there, and stay.

    Raises
    ------
    ResourceError
        They were removed since they were stored.
    """
    row = session.get(Discarded, sha256, with_for_update=True)
    if row is not None:
        session.delete(row)
    if not store.has_raw(sha256):
        raise ResourceError("the same bytes were being removed from the store; send them again")


def remove_discarded(database: Database, store: Store, grace: timedelta = GRACE) -> None:
    """Remove from the store what was let go of long enough ago, and what nothing refers to.

    Raises
    ------
    ResourceError
        The database or the store fails; what is left is removed later.
    """
    with database.reading() as session:
        over = select(Discarded.sha256).where(Discarded.since <= now() - grace)
        found = list(session.scalars(over.order_by(Discarded.since)))
    for sha256 in found:
        with database.writing() as session:
            row = session.get(Discarded, sha256, with_for_update=True)
            if row is None or row.since > now() - grace:
                continue
            if not is_used(session, sha256):
                store.drop_raw(sha256)
                record(session, None, "stored bytes removed", None, sha256=sha256)
            elif requests_with(session, sha256):
                row.since = now()  # of archives, looked at again: they end by themselves
                continue
            session.delete(row)


def is_used(session: Session, sha256: str) -> bool:
    """Whether a file of an observation, a figure or an archive that can be fetched has these bytes."""
    files = exists().where(ObservationFile.sha256 == sha256, ObservationFile.state != WITHDRAWN)
    figures = exists().where(LimbFigure.sha256 == sha256, LimbFigure.removed.is_(None))
    if session.scalar(select(files)) or session.scalar(select(figures)):
        return True
    return bool(requests_with(session, sha256))


def requests_with(session: Session, sha256: str, campaign: str | None = None) -> list[DataRequest]:
    """Requests for event data, still good, whose archive has these bytes; of a campaign, or of any."""
    live = select(DataRequest, DataPlan.content).join(DataPlan, DataPlan.request == DataRequest.id)
    live = live.where(DataRequest.expires > now())
    if campaign is not None:
        live = live.where(DataRequest.campaign == campaign)
    return [row for row, content in session.execute(live) if _holds(content, raw_name(sha256))]


def _holds(content: bytes, name: str) -> bool:
    try:
        return any(entry.store == name for entry in plan_of(content).entries)
    except DataError:  # planned by another version: it cannot be sent any more
        return False
