"""Equipment and sites: added, changed while nothing used them, retired when something did."""

from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from api.access.caller import Caller
from api.audit.log import record
from api.database.tables import new_id, now
from api.equipment.kinds import AnyEquipment
from api.equipment.places import coded_place
from api.equipment.tables import Equipment, Site
from api.equipment.views import SiteBody
from api.observations.tables import Observation
from api.problems import RefusedError
from reduction.errors import RequestError

MOST = 1000
"""Pieces of equipment, and sites, of a person."""


def placed(body: SiteBody) -> dict[str, Any]:
    """Columns of a site; an observatory's place from its code where none is given.

    Raises
    ------
    RequestError
        There is no place, or half of one.
    """
    values = body.model_dump()
    given = body.latitude_deg is not None, body.longitude_deg is not None
    if all(given):
        return values | {"height_m": body.height_m if body.height_m is not None else _height_missing()}
    if any(given) or body.code is None:
        raise RequestError("latitude_deg, longitude_deg: give both, or the code of an observatory")
    known = coded_place(body.code)
    if known is None:
        raise RequestError(f"code {body.code}: no fixed place of the installed table; give its place")
    return values | {
        "latitude_deg": known.latitude_deg,
        "longitude_deg": known.longitude_deg,
        "height_m": known.height_m if body.height_m is None else body.height_m,
        "sigma_m": known.sigma_m if body.sigma_m is None else body.sigma_m,
    }


def _height_missing() -> float:
    raise RequestError("height_m: is needed; metres above the WGS84 ellipsoid, as GPS receivers can tell it")


def _columns(body: AnyEquipment) -> dict[str, Any]:
    details = body.model_dump(mode="json", exclude={"kind", "name"}, exclude_none=True)
    return {"kind": body.kind, "name": body.name, "details": details}


def add_equipment(session: Session, caller: Caller, body: AnyEquipment) -> Equipment:
    """Add a piece of equipment to the caller's.

    Raises
    ------
    RefusedError
        409: they have very many.
    """
    _room(session, Equipment, caller.known)
    row = Equipment(id=new_id(), person=caller.known, created=now(), **_columns(body))
    session.add(row)
    record(session, caller, "equipment added", row.id, kind=row.kind)
    return row


def add_site(session: Session, caller: Caller, columns: dict[str, Any]) -> Site:
    """Add a site to the caller's; raises as `add_equipment`."""
    _room(session, Site, caller.known)
    row = Site(id=new_id(), person=caller.known, created=now(), **columns)
    session.add(row)
    record(session, caller, "site added", row.id)
    return row


def _room(session: Session, table: type[Equipment] | type[Site], person: str) -> None:
    if session.scalars(select(func.count()).select_from(table).where(table.person == person)).one() >= MOST:
        raise RefusedError(409, f"{MOST} already; remove some")


def is_used(session: Session, row: Equipment | Site) -> bool:
    """Whether an observation was made with it, or from there."""
    columns = (
        (Observation.site,)
        if isinstance(row, Site)
        else (Observation.telescope, Observation.camera, Observation.recorder, Observation.filter)
    )
    return bool(session.scalar(select(exists().where(or_(*(column == row.id for column in columns))))))


def change(session: Session, caller: Caller, row: Equipment | Site, columns: dict[str, Any]) -> None:
    """Change what no observation has used.

    Raises
    ------
    RefusedError
        409: it is part of the record, or is retired.
    """
    what = "site" if isinstance(row, Site) else "equipment"
    if row.retired is not None:
        raise RefusedError(409, f"this {what} is retired")
    if is_used(session, row):
        raise RefusedError(
            409,
            f"this {what} is part of an observation's record and stays as it is; add a new one, retire this",
        )
    if columns.get("kind", getattr(row, "kind", None)) != getattr(row, "kind", None):
        raise RefusedError(409, "its kind does not change; add a new one")
    for name, value in columns.items():
        setattr(row, name, value)
    record(session, caller, f"{what} changed", row.id)


def change_equipment(session: Session, caller: Caller, row: Equipment, body: AnyEquipment) -> None:
    """Change a piece of equipment; raises as `change`."""
    change(session, caller, row, _columns(body))


def retire(session: Session, caller: Caller, row: Equipment | Site) -> None:
    """Take it out of use: what an observation used is kept for the record, the rest is removed."""
    what = "site" if isinstance(row, Site) else "equipment"
    if is_used(session, row):
        if row.retired is None:
            row.retired = now()
            record(session, caller, f"{what} retired", row.id)
        return
    session.delete(row)
    record(session, caller, f"{what} removed", row.id)
