"""Pages of sites: where one observes from."""

from typing import Annotated, Any

from fastapi import Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, DatabaseDep, IdPath
from api.equipment import site_routes
from api.equipment.keeping import is_used
from api.equipment.tables import Site
from api.equipment.views import SiteBody, SiteView
from api.problems import RefusedError
from api.web.forms import FORM_ERRORS, Form, FormDep, FormError
from api.web.pages import Visit, VisitDep, page_router
from api.web.typed import angle, corrected
from reduction.angles import sexagesimal_text

LISTED = 100
PAGE, ONE = "equipment/sites.html", "equipment/site.html"
NUMBERS = ("height_m", "sigma_m")
ANGLES = (("latitude_deg", "NS"), ("longitude_deg", "EW"))
LOOK_UP = "look_up"

router = page_router()


@router.get("/sites")
def sites(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.LIST_EQUIPMENT)],
    retired: bool = False,
    cursor: Cursor = None,
) -> Response:
    """All of one's sites, and the form for one more."""
    return visit.page(PAGE, **_listed(visit, permit, retired, cursor))


@router.post("/sites")
def add_site(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.MAKE_EQUIPMENT)],
    database: DatabaseDep,
    form: FormDep,
) -> Response:
    """Add a site; or look up the code of an observatory, and fill in its place."""
    listing = visit.permit(Operation.LIST_EQUIPMENT)
    try:
        if form.text(LOOK_UP):
            return visit.page(PAGE, **_listed(visit, listing), **_looked_up(form, listing))
        site_routes.add_site(_body(form), permit, database)
    except FORM_ERRORS as error:
        return visit.again(PAGE, form, _of_code(form, error), **_listed(visit, listing))
    return visit.back("/sites", "saved")


@router.get("/sites/{site_id}")
def one_site(
    site_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.SEE_EQUIPMENT)],
    database: DatabaseDep,
) -> Response:
    """A site: the form to change it, or, once it is part of a record, what it is."""
    return visit.page(ONE, **_one(visit, site_routes.see_site(site_id, permit, database)))


@router.post("/sites/{site_id}")
def change_site(
    site_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.CHANGE_EQUIPMENT)],
    database: DatabaseDep,
    form: FormDep,
) -> Response:
    """Change a site that no observation has used."""
    view = site_routes.see_site(site_id, permit, database)
    try:
        if form.text(LOOK_UP):
            listing = visit.permit(Operation.LIST_EQUIPMENT)
            return visit.page(ONE, **_one(visit, view), **_looked_up(form, listing))
        site_routes.change_site(site_id, _body(form), permit, database)
    except FORM_ERRORS as error:
        return visit.again(ONE, form, _of_code(form, error), **_one(visit, view))
    return visit.back("/sites", "saved")


@router.post("/sites/{site_id}/retire")
def retire_site(
    site_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.CHANGE_EQUIPMENT)],
    database: DatabaseDep,
) -> Response:
    """Take a site out of use."""
    site_routes.retire_site(site_id, permit, database)
    return visit.back("/sites", "removed")


def _body(form: Form) -> SiteBody:
    """What was typed. Raises `FormError`."""
    changed: dict[str, list[str] | None] = {LOOK_UP: None}
    wrong: dict[str, str] = {}
    for name, letters in ANGLES:
        text = form.text(name)
        if text:
            try:
                changed[name] = [angle(text, letters)]
            except ValueError as error:
                wrong[name] = str(error)
    if wrong:
        raise FormError(wrong)
    return corrected(form, NUMBERS, **changed).read(SiteBody)


def _looked_up(form: Form, permit: Permit) -> dict[str, Any]:
    """What was typed, with the place of the code. Raises `RefusedError`: there is none."""
    known = site_routes.see_observatory(form.text("code"), permit)
    place = {
        "code": known.code,
        "name": form.text("name") or known.name,
        "latitude_deg": f"{known.latitude_deg:.6f}",
        "longitude_deg": f"{known.longitude_deg:.6f}",
        "height_m": f"{known.height_m:.0f}",
        "sigma_m": f"{known.sigma_m:.0f}",
    }
    return {"typed": form.typed | place, "known": known}


def _of_code(form: Form, error: Exception) -> Exception:
    """An unknown code is told at its field."""
    if form.text(LOOK_UP) and isinstance(error, RefusedError) and error.problem.status == 404:
        return FormError({"code": str(error)})
    return error


def _listed(visit: Visit, permit: Permit, retired: bool = False, cursor: str | None = None) -> dict[str, Any]:
    page = site_routes.list_sites(permit, visit.database, retired, LISTED, cursor)
    return {"sites": [(one, *_sexagesimal(one)) for one in page.items], "next": page.next, "retired": retired}


def _sexagesimal(view: SiteView) -> tuple[str, str]:
    return sexagesimal_text(view.latitude_deg, 1), sexagesimal_text(view.longitude_deg, 1, 3)


def _one(visit: Visit, view: SiteView) -> dict[str, Any]:
    with visit.database.reading() as session:
        row = session.get_one(Site, view.id)
        used, own = is_used(session, row), row.person == visit.caller.person
    values = {
        name: "" if value is None else f"{value:.10g}" if isinstance(value, float) else value
        for name, value in view.model_dump(exclude={"notes", "created", "retired"}).items()
    }
    return {"view": view, "values": values, "used": used, "own": own, "sexagesimal": _sexagesimal(view)}
