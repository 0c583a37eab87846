"""Pages of equipment: telescopes, cameras, time recorders, filters."""

from typing import Annotated, Any

from fastapi import Query, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, DatabaseDep, IdPath
from api.equipment import equipment_routes
from api.equipment.keeping import is_used
from api.equipment.kinds import Kind
from api.equipment.tables import Equipment
from api.equipment.views import EquipmentBody, EquipmentView
from api.web.equipment_fields import ABOUT, FIELDS, MODELS, NUMBERS, TITLES, told_of, values_of
from api.web.forms import FORM_ERRORS, Form, FormDep, FormError
from api.web.pages import Visit, VisitDep, page_router
from api.web.typed import corrected

LISTED = 200
PAGE, ONE = "equipment/equipment.html", "equipment/one.html"
KINDS: tuple[Kind, ...] = ("telescope", "camera", "recorder", "filter")

router = page_router()


@router.get("/equipment")
def equipment(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.LIST_EQUIPMENT)],
    retired: bool = False,
    add: Kind | None = None,
    like: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
    cursor: Cursor = None,
) -> Response:
    """All of one's equipment, by kind; the form for one more of the kind `add`, filled in from `like`."""
    values: dict[str, str] = {}
    if like is not None:
        pattern = equipment_routes.see_equipment(like, visit.permit(Operation.SEE_EQUIPMENT), visit.database)
        values, add = values_of(pattern.equipment), pattern.equipment.kind
    return visit.page(PAGE, **_listed(visit, permit, retired, cursor), **_form(add, values))


@router.post("/equipment")
def add_equipment(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.MAKE_EQUIPMENT)],
    database: DatabaseDep,
    form: FormDep,
) -> Response:
    """Add a piece."""
    try:
        equipment_routes.add_equipment(_body(form), permit, database)
    except FORM_ERRORS as error:
        listing = visit.permit(Operation.LIST_EQUIPMENT)
        return visit.again(PAGE, form, error, **_listed(visit, listing), **_form(_kind(form), {}))
    return visit.back("/equipment", "saved")


@router.get("/equipment/{equipment_id}")
def one_equipment(
    equipment_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.SEE_EQUIPMENT)],
    database: DatabaseDep,
) -> Response:
    """A piece: the form to change it, or, once it is part of a record, what it is."""
    view = equipment_routes.see_equipment(equipment_id, permit, database)
    return visit.page(ONE, **_one(visit, view))


@router.post("/equipment/{equipment_id}")
def change_equipment(
    equipment_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.CHANGE_EQUIPMENT)],
    database: DatabaseDep,
    form: FormDep,
) -> Response:
    """Change a piece that no observation has used."""
    view = equipment_routes.see_equipment(equipment_id, permit, database)
    try:
        equipment_routes.change_equipment(equipment_id, _body(form), permit, database)
    except FORM_ERRORS as error:
        return visit.again(ONE, form, error, **_one(visit, view))
    return visit.back("/equipment", "saved")


@router.post("/equipment/{equipment_id}/retire")
def retire_equipment(
    equipment_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.CHANGE_EQUIPMENT)],
    database: DatabaseDep,
) -> Response:
    """Take a piece out of use."""
    equipment_routes.retire_equipment(equipment_id, permit, database)
    return visit.back("/equipment", "removed")


def _kind(form: Form) -> Kind | None:
    return next((kind for kind in KINDS if kind == form.text("kind")), None)


def _body(form: Form) -> EquipmentBody:
    """What was typed. Raises `FormError`."""
    kind = _kind(form)
    if kind is None:
        raise FormError({"": "no such kind of equipment"})
    return EquipmentBody(equipment=corrected(form, NUMBERS).read(MODELS[kind]))


def _form(kind: Kind | None, values: dict[str, str]) -> dict[str, Any]:
    """The form for one more."""
    if kind is None:
        return {"add": None}
    return {
        "add": kind,
        "word": TITLES[kind][1],
        "about": ABOUT[kind],
        "fields": FIELDS[kind],
        "values": values,
    }


def _listed(visit: Visit, permit: Permit, retired: bool = False, cursor: str | None = None) -> dict[str, Any]:
    page = equipment_routes.list_equipment(permit, visit.database, None, retired, LISTED, cursor)
    return {
        "groups": [(kind, *TITLES[kind], [_told(v) for v in page.items if _is(v, kind)]) for kind in KINDS],
        "next": page.next,
        "retired": retired,
    }


def _is(view: EquipmentView, kind: Kind) -> bool:
    return view.equipment.kind == kind


def _told(view: EquipmentView) -> tuple[EquipmentView, list[tuple[str, str]]]:
    return view, told_of(view.equipment)


def _one(visit: Visit, view: EquipmentView) -> dict[str, Any]:
    kind = view.equipment.kind
    with visit.database.reading() as session:
        row = session.get_one(Equipment, view.id)
        used, own = is_used(session, row), row.person == visit.caller.person
    return {
        "view": view,
        "word": TITLES[kind][1],
        "fields": FIELDS[kind],
        "values": values_of(view.equipment),
        "told": told_of(view.equipment),
        "used": used,
        "own": own,
    }
