"""Routes of equipment: telescopes, cameras, time recorders, filters."""

from typing import Annotated

from fastapi import APIRouter
from sqlalchemy import select

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit
from api.equipment import keeping
from api.equipment.kinds import Kind
from api.equipment.tables import Equipment
from api.equipment.views import EquipmentBody, EquipmentView, equipment_view
from api.pages import Page, page_of
from api.people.registration_routes import MOST_BODY_BYTES
from api.problems import responses

router = APIRouter(prefix="/api/v1", tags=["equipment"])


@router.get("/equipment", responses=responses(401, 403, 422, 503), summary="One's equipment")
def list_equipment(
    permit: Annotated[Permit, may(Operation.LIST_EQUIPMENT)],
    database: DatabaseDep,
    kind: Kind | None = None,
    retired: bool = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[EquipmentView]:
    """List one's equipment, newest first; with `retired`, that which is no more in use, too."""
    rows = select(Equipment).where(Equipment.person == permit.caller.known)
    if kind is not None:
        rows = rows.where(Equipment.kind == kind)
    if not retired:
        rows = rows.where(Equipment.retired.is_(None))
    with database.reading() as session:
        found, following = page_of(session, rows, (Equipment.created, Equipment.id), limit, cursor, True)
    return Page(items=tuple(equipment_view(row) for row in found), next=following)


@router.post(
    "/equipment",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 409, 413, 422, 503),
    summary="Register equipment",
)
def add_equipment(
    body: EquipmentBody, permit: Annotated[Permit, may(Operation.MAKE_EQUIPMENT)], database: DatabaseDep
) -> EquipmentView:
    """Register a telescope, camera, time recorder or filter, to be used in any campaign."""
    with database.writing() as session:
        return equipment_view(keeping.add_equipment(session, permit.caller, body.equipment))


@router.get(
    "/equipment/{equipment_id}", responses=responses(401, 403, 404, 422, 503), summary="A piece of equipment"
)
def see_equipment(
    equipment_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_EQUIPMENT)], database: DatabaseDep
) -> EquipmentView:
    """Tell a piece of equipment."""
    with database.reading() as session:
        return equipment_view(permit.over(session, session.get(Equipment, equipment_id), "equipment"))


@router.put(
    "/equipment/{equipment_id}",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 409, 413, 422, 503),
    summary="Change equipment",
)
def change_equipment(
    equipment_id: IdPath,
    body: EquipmentBody,
    permit: Annotated[Permit, may(Operation.CHANGE_EQUIPMENT)],
    database: DatabaseDep,
) -> EquipmentView:
    """Change what no observation has used yet."""
    with database.writing() as session:
        known = session.get(Equipment, equipment_id, with_for_update=True)
        row = permit.over(session, known, "equipment")
        keeping.change_equipment(session, permit.caller, row, body.equipment)
        return equipment_view(row)


@router.delete(
    "/equipment/{equipment_id}",
    status_code=204,
    responses=responses(401, 403, 404, 422, 503),
    summary="Retire equipment",
)
def retire_equipment(
    equipment_id: IdPath, permit: Annotated[Permit, may(Operation.CHANGE_EQUIPMENT)], database: DatabaseDep
) -> None:
    """Take it out of use; what an observation used is kept for the record."""
    with database.writing() as session:
        known = session.get(Equipment, equipment_id, with_for_update=True)
        row = permit.over(session, known, "equipment")
        keeping.retire(session, permit.caller, row)
