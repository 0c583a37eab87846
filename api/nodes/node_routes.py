"""Routes of an upload node: tus, by the code of the service; a ticket says who may."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api.database.tables import now
from api.dependencies import DatabaseDep, IdPath
from api.nodes import holding, tickets
from api.nodes.handing import Handing
from api.nodes.holding import HeldView
from api.nodes.settings import NodeSettings
from api.nodes.tables import Held
from api.nodes.tickets import Ticket, TicketError
from api.problems import RefusedError
from api.uploads import answers
from api.uploads.tables import REFUSED
from api.uploads.tus_routes import ReceivingDep
from reduction.version import VERSION

router = APIRouter(prefix="/api/v1")


async def settings_of(request: Request) -> NodeSettings:
    """Settings of the node."""
    settings: NodeSettings = request.app.state.settings
    return settings


NodeDep = Annotated[NodeSettings, Depends(settings_of)]


async def ticket_of(request: Request, settings: NodeDep) -> Ticket:
    """What the ticket of a request says; good for the upload of its address alone.

    Raises
    ------
    TicketError
        There is none, or not for this.
    """
    text = request.headers.get(tickets.HEADER)
    if text is None:
        raise TicketError("is missing; the service gives it: POST /api/v1/uploads/ID/tickets")
    ticket = tickets.verified(text, settings.key.get_secret_value(), "send")
    if request.path_params.get("upload_id", ticket.upload) != ticket.upload:
        raise TicketError("is for another upload")
    return ticket


TicketDep = Annotated[Ticket, Depends(ticket_of)]


@router.options("/uploads", status_code=204)
def capabilities(response: Response, settings: NodeDep) -> None:
    """Tell version, extensions, largest file and checksums, in headers."""
    answers.tell_capabilities(response, settings.quota)


@router.post("/uploads", status_code=201, response_class=Response)
async def create(
    request: Request, ticket: TicketDep, database: DatabaseDep, settings: NodeDep, receiving: ReceivingDep
) -> Response:
    """Begin what the ticket is for; once more: find it."""

    def make(length: int) -> Held:
        return holding.begun(database, ticket, length, settings, receiving)

    return await answers.begin(request, receiving, make)


@router.head("/uploads/{upload_id}", response_class=Response)
def offset(ticket: TicketDep, upload_id: IdPath, database: DatabaseDep) -> Response:
    """Tell in `Upload-Offset` how many bytes are safe here."""
    del ticket
    row = holding.found(database, upload_id)
    if row.state == REFUSED:
        raise RefusedError(410, row.problem)
    return answers.offset_of(row, "")


@router.patch("/uploads/{upload_id}", status_code=204, response_class=Response)
async def append(ticket: TicketDep, upload_id: IdPath, request: Request, receiving: ReceivingDep) -> Response:
    """Append the body. The answer means that the bytes are on this disk."""
    del ticket
    return await answers.take_body(request, receiving, upload_id)


@router.delete("/uploads/{upload_id}", status_code=204, response_class=Response)
def terminate(ticket: TicketDep, upload_id: IdPath, database: DatabaseDep, settings: NodeDep) -> Response:
    """Forget an unfinished upload and its bytes here; the service is told by the observer."""
    del ticket
    holding.forget(database, settings.folder, upload_id)
    return Response(status_code=204)


@router.get("/uploads/{upload_id}")
def show(ticket: TicketDep, upload_id: IdPath, database: DatabaseDep, settings: NodeDep) -> HeldView:
    """Tell how far a file is here, and on its way to the service."""
    del ticket
    return holding.view_of(holding.found(database, upload_id), settings.name)


@router.get("/health")
def health(request: Request, database: DatabaseDep, settings: NodeDep) -> dict[str, Any]:
    """Tell whether the node works; 503 where it does not."""
    handing: Handing = request.app.state.handing
    if not handing.alive:
        raise RefusedError(503, "the thread that hands files over has ended; see the log of the node")
    with database.reading() as session:
        held = holding.used_by(session)
    return {"node": settings.name, "version": VERSION, "at": now(), "held_bytes": held}
