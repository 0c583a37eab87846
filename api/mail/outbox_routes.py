"""Route of the outbox: what became of the service's e-mails, for staff; never what they say."""

import re
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import select

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, DatabaseDep, Limit
from api.mail.tables import Message
from api.pages import Page, page_of
from api.problems import responses
from reduction.plan import Settings

router = APIRouter(prefix="/api/v1", tags=["notices"])

MessageState = Literal["waiting", "sent", "failed"]


class MessageView(Settings):
    """An e-mail on its way.

    Attributes
    ----------
    number : int
        As of ``umbra mail list``.
    to : str
        The address, of its part before the @ the first letter alone.
    attempts : int
        How often it was tried.
    next : datetime or None
        When it is tried again; null unless it waits.
    error : str or None
        What the mail server said last, or why it was not reached.
    """

    number: int
    kind: str
    to: str
    state: MessageState
    created: datetime
    attempts: int
    next: datetime | None
    sent: datetime | None
    error: str | None


@router.get("/outbox", responses=responses(401, 403, 422, 503), summary="What became of e-mails")
def list_messages(
    permit: Annotated[Permit, may(Operation.SEE_OUTBOX)],
    database: DatabaseDep,
    state: MessageState | None = None,
    kind: Annotated[str | None, Query(pattern=r"^[a-z_]{1,40}$", description="Name of a template.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[MessageView]:
    """List e-mails, newest first: those that wait, that failed and why, that were sent within 30 days."""
    del permit
    rows = select(Message)
    for column, wanted in ((Message.state, state), (Message.kind, kind)):
        if wanted is not None:
            rows = rows.where(column == wanted)
    with database.reading() as session:
        found, following = page_of(session, rows, (Message.place,), limit, cursor, True)
        return Page(items=tuple(_view(row) for row in found), next=following)


def _view(row: Message) -> MessageView:
    to = rough_address(row.recipient)
    named = re.compile(re.escape(row.recipient), re.IGNORECASE)
    return MessageView.model_validate(
        {
            "number": row.place,
            "kind": row.kind,
            "to": to,
            "state": row.state,
            "created": row.created,
            "attempts": row.attempts,
            "next": row.not_before if row.state == "waiting" else None,
            "sent": row.sent,
            "error": None if row.error is None else named.sub(lambda _: to, row.error),
        }
    )


def rough_address(address: str) -> str:
    """An address by which a mistake in its domain can be found, and not its owner."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}\u2026@{domain}"
