"""What a node does with the rows of its files: begin, tell, end, tidy up."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.orm import Session

from api.database.tables import now
from api.database.transactions import Database
from api.nodes.settings import NodeSettings
from api.nodes.tables import HANDED, Held
from api.nodes.tickets import Ticket
from api.problems import RefusedError
from api.uploads.parts import part_of, parts_in
from api.uploads.receiving import Receiving
from api.uploads.tables import ARRIVING, REFUSED, WHOLE
from reduction.plan import Settings

REMEMBERED = timedelta(days=30)
"""How long it is told of a file that it was handed over."""

HOLDING = (ARRIVING, WHOLE, REFUSED)
LOST = "the disk of the node has lost the file; send it again"


class HeldView(Settings):
    """A file at a node.

    Attributes
    ----------
    state : str
        ``arriving``; ``whole``: kept at the node until the service has it; ``handed``: the service has
        stored it; ``refused``: `problem` says why.
    received, handed : int
        Bytes that are safe at the node; bytes of them that the service was seen to have.
    """

    id: str
    node: str
    name: str
    state: str
    length: int
    received: int
    handed: int
    sha256: str | None
    problem: str


def begun(
    database: Database, ticket: Ticket, length: int, settings: NodeSettings, receiving: Receiving
) -> Held:
    """The file of a ticket: made, or found where it was begun before.

    Raises
    ------
    RefusedError
        400: it has not the length that the service was told. 409: it was refused. 507: no room.
    """
    if length != ticket.length:
        raise RefusedError(400, f"Upload-Length: the service was told {ticket.length} bytes, not {length}")
    with database.writing() as session:
        row = session.get(Held, ticket.upload)
        if row is None:
            _require_room(session, length, settings)
            row = Held(
                id=ticket.upload, name=ticket.name, length=length, received=0, promised=ticket.sha256,
                state=ARRIVING if length else WHOLE, created=now(), changed=now(), expires=receiving.expiry(),
            )  # fmt: skip
            session.add(row)
            session.flush()
        elif row.state == REFUSED and row.problem == LOST:
            row.state, row.received, row.sha256, row.problem = ARRIVING, 0, None, ""
            row.expires = receiving.expiry()
        elif row.state == REFUSED:
            raise RefusedError(409, row.problem)
    return row


def _require_room(session: Session, length: int, settings: NodeSettings) -> None:
    used = used_by(session)
    if used + length > settings.quota:
        raise RefusedError(
            507,
            f"this node has room for {max(0, settings.quota - used)} bytes; send to the service itself, or "
            "here when others were handed over",
            {"Retry-After": "600"},
        )


def used_by(session: Session) -> int:
    """Bytes of all files that there is room kept for."""
    total = select(func.coalesce(func.sum(Held.length), 0)).where(Held.state.in_(HOLDING))
    return int(session.scalars(total).one())


def found(database: Database, identity: str) -> Held:
    """A file that the node knows. Raises `RefusedError` (404)."""
    with database.reading() as session:
        row = session.get(Held, identity)
    if row is None:
        raise RefusedError(404, "no such upload at this node; begin it by POST")
    return row


def view_of(row: Held, node: str) -> HeldView:
    """Return what the observer sees."""
    return HeldView(
        id=row.id,
        node=node,
        name=row.name,
        state=row.state,
        length=row.length,
        received=row.received,
        handed=row.handed,
        sha256=row.sha256,
        problem=row.problem,
    )


def forget(database: Database, folder: Path, identity: str) -> None:
    """Forget an unfinished file and its bytes.

    Raises
    ------
    RefusedError
        404: there is none. 409: it has all its bytes, and goes to the service.
    """
    found(database, identity)
    ended = delete(Held).where(Held.id == identity, Held.state.in_((ARRIVING, REFUSED)))
    with database.writing() as session:
        done: CursorResult[tuple[()]] = session.connection().execute(ended)
    if done.rowcount != 1:
        raise RefusedError(409, "the file has arrived, and goes to the service; remove it there")
    part_of(folder, identity).unlink(missing_ok=True)


def tidy(database: Database, folder: Path, days: int) -> None:
    """Forget files for which nothing came for too long, those long handed over, and bytes that nobody has.

    Raises
    ------
    ResourceError
        The database fails.
    """
    at = now()
    with database.writing() as session:
        session.execute(delete(Held).where(Held.state == ARRIVING, Held.expires <= at))
        session.execute(delete(Held).where(Held.state == HANDED, Held.changed <= at - REMEMBERED))
        session.execute(delete(Held).where(Held.state == REFUSED, Held.changed <= at - timedelta(days=days)))
    present = dict(parts_in(folder))
    with database.reading() as session:
        kept = set(session.scalars(select(Held.id).where(Held.state != HANDED)))
    for identity in present.keys() - kept:
        present[identity].unlink(missing_ok=True)
