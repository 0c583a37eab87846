"""Routes of sites, and of the table of observatories."""

from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy import select

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, DatabaseDep, IdPath, Limit
from api.equipment import keeping
from api.equipment.places import CODE, coded_place
from api.equipment.tables import Site
from api.equipment.views import ObservatoryView, SiteBody, SiteView, site_view
from api.pages import Page, page_of
from api.people.registration_routes import MOST_BODY_BYTES
from api.problems import RefusedError, responses

router = APIRouter(prefix="/api/v1", tags=["equipment"])


@router.get("/sites", responses=responses(401, 403, 422, 503), summary="One's sites")
def list_sites(
    permit: Annotated[Permit, may(Operation.LIST_EQUIPMENT)],
    database: DatabaseDep,
    retired: bool = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[SiteView]:
    """List one's sites, newest first; with `retired`, those no more in use, too."""
    rows = select(Site).where(Site.person == permit.caller.known)
    if not retired:
        rows = rows.where(Site.retired.is_(None))
    with database.reading() as session:
        found, following = page_of(session, rows, (Site.created, Site.id), limit, cursor, True)
    return Page(items=tuple(site_view(row) for row in found), next=following)


@router.post(
    "/sites",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 409, 413, 422, 503),
    summary="Register a site",
)
def add_site(
    body: SiteBody, permit: Annotated[Permit, may(Operation.MAKE_EQUIPMENT)], database: DatabaseDep
) -> SiteView:
    """Register a place to observe from, to be used in any campaign."""
    columns = keeping.placed(body)
    with database.writing() as session:
        row = keeping.add_site(session, permit.caller, columns)
    return site_view(row)


@router.get("/sites/{site_id}", responses=responses(401, 403, 404, 422, 503), summary="A site")
def see_site(
    site_id: IdPath, permit: Annotated[Permit, may(Operation.SEE_EQUIPMENT)], database: DatabaseDep
) -> SiteView:
    """Tell a site, exactly: its owner, and staff."""
    with database.reading() as session:
        row = permit.over(session, session.get(Site, site_id), "site")
    return site_view(row)


@router.put(
    "/sites/{site_id}",
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 404, 409, 413, 422, 503),
    summary="Change a site",
)
def change_site(
    site_id: IdPath,
    body: SiteBody,
    permit: Annotated[Permit, may(Operation.CHANGE_EQUIPMENT)],
    database: DatabaseDep,
) -> SiteView:
    """Change a site that no observation has used yet."""
    columns = keeping.placed(body)
    with database.writing() as session:
        row = permit.over(session, session.get(Site, site_id, with_for_update=True), "site")
        keeping.change(session, permit.caller, row, columns)
    return site_view(row)


@router.delete(
    "/sites/{site_id}",
    status_code=204,
    responses=responses(401, 403, 404, 422, 503),
    summary="Retire a site",
)
def retire_site(
    site_id: IdPath, permit: Annotated[Permit, may(Operation.CHANGE_EQUIPMENT)], database: DatabaseDep
) -> None:
    """Take it out of use; what an observation used is kept for the record."""
    with database.writing() as session:
        row = permit.over(session, session.get(Site, site_id, with_for_update=True), "site")
        keeping.retire(session, permit.caller, row)


@router.get(
    "/observatories/{code}", responses=responses(401, 403, 404, 422, 503), summary="An IAU observatory"
)
def see_observatory(
    code: Annotated[str, Path(max_length=100)],
    permit: Annotated[Permit, may(Operation.LIST_EQUIPMENT)],
) -> ObservatoryView:
    """Tell the place of an observatory code, by the installed table, which may lack new ones."""
    del permit
    known = coded_place(code.upper()) if CODE.match(code.upper()) else None
    if known is None:
        raise RefusedError(
            404, "no fixed place with this code in the installed table; give the site its place"
        )
    return ObservatoryView(
        code=code.upper(),
        name=known.name,
        latitude_deg=known.latitude_deg,
        longitude_deg=known.longitude_deg,
        height_m=known.height_m,
        sigma_m=known.sigma_m,
        note=known.note,
    )
