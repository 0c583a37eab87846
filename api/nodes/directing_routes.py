"""Routes of the service: which upload nodes there are, and leave to send an upload to one of them."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.database.tables import now
from api.database.transactions import Database
from api.dependencies import DatabaseDep, IdPath, SettingsDep
from api.equipment.tables import Site
from api.nodes import tickets
from api.nodes.known import NodeName, UploadNode, by_distance, known
from api.nodes.tickets import Ticket
from api.observations.tables import Observation
from api.problems import responses
from api.settings import ServiceSettings
from api.uploads.protocol import PREFIX
from api.uploads.receiving import arriving
from api.uploads.tables import Upload
from reduction.errors import RequestError
from reduction.plan import Settings

DAYS = 30
"""How long the service waits for an upload that a node is to bring: line and service may both be away."""

router = APIRouter(prefix="/api/v1", tags=["uploads"])


class NodeView(Settings):
    """An upload node, and how far it is from the place that was asked about, km."""

    name: str
    url: str
    region: str
    latitude_deg: float | None
    longitude_deg: float | None
    distance_km: float | None = None


class Nodes(Settings):
    """All of them; the nearest first, where a place was told."""

    items: tuple[NodeView, ...]


class Direction(Settings):
    """By which node an upload shall come; without a name, by that which is nearest to the station."""

    node: NodeName | None = None


class TicketView(Settings):
    """Leave to send.

    Attributes
    ----------
    node, url : str
        Which node, and where it is.
    location : str
        Where the bytes of the upload go, once it was begun there by POST.
    ticket : str
        To be sent as ``Upload-Ticket`` with each request to the node.
    expires : datetime
        Of the ticket; then ask for another.
    """

    node: str
    url: str
    location: str
    ticket: str
    expires: datetime


def node_view(node: UploadNode, distance_km: float | None) -> NodeView:
    """Return what people see of a node."""
    return NodeView(
        name=node.name,
        url=node.url,
        region=node.region,
        latitude_deg=node.latitude_deg,
        longitude_deg=node.longitude_deg,
        distance_km=None if distance_km is None else round(distance_km, 1),
    )


@router.get("/nodes", responses=responses(401, 422), summary="Upload nodes")
def list_nodes(
    permit: Annotated[Permit, may(Operation.SEE_UPLOAD_SERVICE)],
    settings: SettingsDep,
    latitude_deg: Annotated[float | None, Query(ge=-90, le=90, description="WGS 84.")] = None,
    longitude_deg: Annotated[float | None, Query(ge=-180, le=360, description="East positive.")] = None,
) -> Nodes:
    """List the nodes by which uploads may come; the nearest first, where both coordinates are given."""
    del permit
    if (latitude_deg is None) != (longitude_deg is None):
        raise RequestError("latitude_deg, longitude_deg: give both, or neither")
    if latitude_deg is None or longitude_deg is None:
        return Nodes(items=tuple(node_view(node, None) for node in settings.upload_nodes))
    near = by_distance(settings.upload_nodes, latitude_deg, longitude_deg)
    return Nodes(items=tuple(node_view(node, distance) for node, distance in near))


@router.post(
    "/uploads/{upload_id}/tickets",
    status_code=201,
    responses=responses(401, 403, 404, 409, 410, 412, 422, 503),
    summary="Send an upload by a node",
)
def direct(
    upload_id: IdPath,
    body: Direction,
    permit: Annotated[Permit, may(Operation.UPLOAD)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> TicketView:
    """Give leave to send an upload, which was begun here, to a node; it brings the bytes here by itself.

    Once more: a new ticket for the same. For another node: what the first one has is not waited for.
    """
    return directed(database, permit, settings, upload_id, body.node)


def directed(
    database: Database, permit: Permit, settings: ServiceSettings, upload_id: str, name: str | None
) -> TicketView:
    """Let an upload come by a node.

    Raises
    ------
    RefusedError
        404: no such upload, or not theirs. 409, 410: it is whole, or has expired.
    RequestError
        There is no such node, or none at all.
    """
    with database.writing() as session:
        row = session.get(Upload, upload_id)
        whose = None if row is None else session.get(Observation, row.observation)
        observation = permit.over(session, whose, "upload")
        assert row is not None
        node = _chosen(session, settings.upload_nodes, observation, name)
        arriving(row)
        row.details = {**row.details, "node": node.name}
        row.expires = max(row.expires, now() + timedelta(days=DAYS))
        record(session, permit.caller, "upload directed", row.id, node=node.name)
    expires = int(time.time()) + 3600 * tickets.HOURS
    ticket = Ticket(
        purpose="send", node=node.name, upload=row.id, length=row.length, name=row.name, sha256=row.sha256,
        expires=expires,
    )  # fmt: skip
    key = tickets.key_of(settings.node_secret.get_secret_value(), node.name)
    return TicketView(
        node=node.name,
        url=node.url,
        location=f"{node.url}{PREFIX}/{row.id}",
        ticket=tickets.signed(ticket, key),
        expires=datetime.fromtimestamp(expires, UTC),
    )


def _chosen(
    session: Session, nodes: Sequence[UploadNode], observation: Observation, name: str | None
) -> UploadNode:
    """The node of a name, or the nearest one."""
    if name is not None:
        return known(nodes, name)
    if not nodes:
        raise RequestError("node: this service has no upload nodes; send to itself")
    site = session.get_one(Site, observation.site)
    return by_distance(nodes, site.latitude_deg, site.longitude_deg)[0][0]
