"""What is asked and told of equipment and sites."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from api.equipment.kinds import AnyEquipment
from api.equipment.places import CODE, code_notes
from api.equipment.tables import Equipment, Site
from api.words import Name, Words
from reduction.plan import Settings


def _code(text: str) -> str:
    text = text.strip().upper()
    if not CODE.match(text):
        raise ValueError("is no IAU observatory code such as A84: a digit or letter, then two digits")
    return text


Code = Annotated[str, Field(max_length=10, examples=["A84"]), AfterValidator(_code)]
Latitude = Annotated[float, Field(ge=-90, le=90, description="Geodetic, WGS84, degrees, north positive.")]
Longitude = Annotated[float, Field(ge=-180, le=180, description="WGS84, degrees, east positive.")]
Height = Annotated[float, Field(ge=-500, le=9000, description="Metres above the WGS84 ellipsoid.")]


class SiteBody(Settings):
    """A place to observe from: geodetic, WGS84.

    With the code of an observatory alone, the installed table gives the place, good to metres at best, often
    to a kilometre: the telescope's own place is better.

    Attributes
    ----------
    sigma_m : float or None
        Uncertainty of the place.
    address : str
        Postal address; it appears in the observation's report only.
    """

    name: Name
    code: Code | None = None
    latitude_deg: Latitude | None = None
    longitude_deg: Longitude | None = None
    height_m: Height | None = None
    sigma_m: Annotated[float, Field(ge=0, le=100_000)] | None = None
    address: Words = ""
    country: Annotated[Words, Field(max_length=60)] = ""


class SiteView(Settings):
    """One's site; `notes` tell what is odd about its code."""

    id: str
    name: str
    code: str | None
    latitude_deg: float
    longitude_deg: float
    height_m: float
    sigma_m: float | None
    address: str
    country: str
    created: datetime
    retired: datetime | None
    notes: tuple[str, ...] = ()


class ObservatoryView(Settings):
    """A place of the installed table of observatories."""

    code: str
    name: str
    latitude_deg: float
    longitude_deg: float
    height_m: float
    sigma_m: float
    note: str


class EquipmentView(Settings):
    """A telescope, camera, time recorder or filter of one's own."""

    id: str
    equipment: AnyEquipment
    created: datetime
    retired: datetime | None


class EquipmentBody(Settings):
    """A telescope, camera, time recorder or filter."""

    equipment: AnyEquipment


def equipment_view(row: Equipment) -> EquipmentView:
    """What its owner sees of a piece of equipment."""
    body = EquipmentBody.model_validate({"equipment": {**row.details, "kind": row.kind, "name": row.name}})
    return EquipmentView(id=row.id, equipment=body.equipment, created=row.created, retired=row.retired)


def site_view(row: Site) -> SiteView:
    """What its owner sees of a site."""
    return SiteView(
        id=row.id,
        name=row.name,
        code=row.code,
        latitude_deg=row.latitude_deg,
        longitude_deg=row.longitude_deg,
        height_m=row.height_m,
        sigma_m=row.sigma_m,
        address=row.address,
        country=row.country,
        created=row.created,
        retired=row.retired,
        notes=code_notes(row.code, row.latitude_deg, row.longitude_deg),
    )
