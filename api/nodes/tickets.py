"""Tickets: the service's word that somebody may send one upload to a node, and a node's that it is one.

``NODE.CLAIMS.SEAL``: the claims as JSON in base64 for addresses, and the HMAC-SHA256 of all before the last
dot, by a key that the service and that node share. So a node knows who may send what without asking, also
while the service is away; it never sees a password, a session or an API key of anybody.
"""

import base64
import binascii
import hashlib
import hmac
import time
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from api.nodes.known import NodeName
from api.problems import RefusedError
from reduction.plan import Settings

HEADER = "Upload-Ticket"
HOURS = 72
"""How long an observer's ticket is good: over a night and a broken line; then the service gives another."""

HAND_S = 3600
"""How long a node's own is: clocks may be wrong by almost as much."""

LONGEST = 4096
Purpose = Literal["send", "hand"]


class Ticket(Settings):
    """What a ticket says.

    Attributes
    ----------
    purpose : str
        ``send``: an observer to a node; ``hand``: a node to the service. Neither is good for the other.
    node : str
        By which node.
    upload : str
        Id of the one upload, the same at the node as at the service.
    length : int
        Its bytes.
    name : str
        Of the file.
    sha256 : str or None
        Of the file, as the observer promised it.
    expires : int
        POSIX seconds.
    """

    purpose: Purpose
    node: NodeName
    upload: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    length: Annotated[int, Field(ge=0, le=(1 << 62) - 1)]
    name: Annotated[str, Field(max_length=256)] = ""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    expires: int


class TicketError(RefusedError):
    """A ticket that is none, or no longer, or not for this (401)."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, f"{HEADER}: {detail}")


def key_of(secret: str, node: str) -> str:
    """The key of a node, made from the service's secret: what one node knows is of no use at another."""
    return hmac.new(secret.encode(), f"umbra upload node {node}".encode(), hashlib.sha256).hexdigest()


def signed(ticket: Ticket, key: str) -> str:
    """A ticket as it is sent."""
    claims = base64.urlsafe_b64encode(ticket.model_dump_json(exclude_none=True).encode()).decode()
    text = f"{ticket.node}.{claims}"
    return f"{text}.{_seal(text, key)}"


def node_of(text: str) -> str:
    """Which node a ticket says that it is of; nothing is proved by that."""
    return text.partition(".")[0]


def verified(text: str, key: str, purpose: Purpose) -> Ticket:
    """What a ticket says, once its seal is seen to be good.

    Raises
    ------
    TicketError
        It is not.
    """
    told, _, seal = text.rpartition(".")
    if len(text) > LONGEST or not told.isascii() or not seal.isascii():
        raise TicketError("is none of this service")
    if not hmac.compare_digest(seal, _seal(told, key)):
        raise TicketError("is none of this service, or of another node")
    node, _, claims = told.partition(".")
    try:
        ticket = Ticket.model_validate_json(base64.urlsafe_b64decode(claims))
    except (binascii.Error, ValueError, ValidationError):
        raise TicketError("was made by another version of Umbra") from None
    if ticket.node != node or ticket.purpose != purpose:
        raise TicketError("is for something else")
    if ticket.expires <= time.time():
        raise TicketError("has expired; ask the service for a new one")
    return ticket


def _seal(text: str, key: str) -> str:
    made = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
