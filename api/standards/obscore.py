"""ObsCore 1.1 over results and recordings: what a caller may see of what a query asks for."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import ColumnElement, Select, exists, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from api.access.caller import Caller
from api.access.matrix import Operation
from api.access.relations import results_open
from api.access.visible import visible
from api.campaigns.prediction_views import object_key
from api.campaigns.tables import Campaign, Prediction
from api.equipment.tables import Equipment
from api.observations.tables import Observation, ObservationFile
from api.pages import page_of
from api.results.tables import Reduction, Result
from api.results.views import PREFIX
from api.settings import ServiceSettings
from api.standards.columns import FIELDS
from api.standards.identifiers import identifier, named
from api.standards.observed import target_name
from api.standards.query import Asked, Interval
from api.standards.regions import anywhere, within
from api.standards.tables import Coverage
from api.standards.votable import Value
from reduction.errors import RequestError

Product = Literal["timeseries", "cube"]
PRODUCTS: tuple[Product, ...] = get_args(Product)
LEVEL: Mapping[Product, int] = {"timeseries": 2, "cube": 0}
RIGHT: Mapping[Product, Operation] = {
    "timeseries": Operation.SEE_LIGHT_CURVE,
    "cube": Operation.SEE_FILES,
}
DATALINK = "application/x-votable+xml;content=datalink"
BYTES = "application/octet-stream"
RECORDINGS: Mapping[str, tuple[str, ...]] = {
    "application/fits": ("fits", "fit", "fts"),
    "application/zip": ("zip",),
    "video/x-msvideo": ("avi",),
    "video/quicktime": ("mov",),
    "video/mp4": ("mp4",),
    "video/x-matroska": ("mkv",),
}
"""Media types of recordings by the ends of their names; others are `BYTES`."""
AT_ONCE = 500

Telescope, Camera, Filter = aliased(Equipment), aliased(Equipment), aliased(Equipment)


class Found(NamedTuple):
    """Rows of ObsCore, and where they go on."""

    rows: list[dict[str, Value]]
    next: str | None


class _Row(NamedTuple):
    """All that a row is made of."""

    result: Result
    file: ObservationFile
    coverage: Coverage | None
    campaign: Campaign
    prediction: Prediction
    station: str
    telescope: str | None
    camera: str | None
    filter: dict[str, Any] | None


def search(session: Session, caller: Caller, settings: ServiceSettings, ask: Asked) -> Found:
    """Light curves first, then recordings, the newest of each first.

    Of an observation's versions the latest of each recording is found; older ones are to be had by their
    identifiers.

    Raises
    ------
    RequestError
        The cursor is none.
    """
    begin, cursor = _begin(ask.cursor)
    rows: list[dict[str, Value]] = []
    for product in PRODUCTS[begin:]:
        if not _wanted(product, ask):
            cursor = None
            continue
        left = ask.records - len(rows)
        wanted = _joined(select(Result)).where(*_conditions(product, caller, settings, ask))
        keys = (Result.created, Result.id)
        found, following = page_of(session, wanted, keys, max(left, 1), cursor, newest_first=True)
        cursor = None
        if found and not left:
            return Found(rows, _cursor(product, ""))
        rows += _rows(session, settings, product, [row.id for row in found])
        if following is not None:
            return Found(rows, _cursor(product, following))
    return Found(rows, None)


def _begin(cursor: str) -> tuple[int, str | None]:
    if not cursor:
        return 0, None
    product, _, inner = cursor.partition(":")
    for place, name in enumerate(PRODUCTS):
        if name == product:
            return place, inner or None
    raise RequestError("CURSOR: none of an answer; give its next_cursor")


def _cursor(product: Product, inner: str) -> str:
    return f"{product}:{inner}"


def _wanted(product: Product, ask: Asked) -> bool:
    kinds = [kind.lower() for kind in ask.texts.get("DPTYPE", ())]
    return (not kinds or product in kinds) and (not ask.levels or LEVEL[product] in ask.levels)


def _joined(rows: Select[Any]) -> Select[Any]:
    return (
        rows.select_from(Result)
        .join(Reduction, Reduction.id == Result.reduction)
        .join(ObservationFile, ObservationFile.id == Reduction.file)
        .join(Observation, Observation.id == Result.observation)
        .join(Campaign, Campaign.id == Result.campaign)
        .join(Prediction, Prediction.id == Campaign.prediction)
        .outerjoin(Coverage, Coverage.result == Result.id)
        .outerjoin(Telescope, Telescope.id == Observation.telescope)
        .outerjoin(Camera, Camera.id == Observation.camera)
        .outerjoin(Filter, Filter.id == Observation.filter)
    )


def _conditions(
    product: Product, caller: Caller, settings: ServiceSettings, ask: Asked
) -> list[ColumnElement[bool]]:
    conditions = [visible(caller, RIGHT[product], Result.person, Result.campaign), _latest()]
    if ask.regions:
        conditions.append(anywhere(ask.regions))
    for name, intervals in ask.intervals.items():
        first, last = _bounds(product, name)
        bounds = [_squared(each) for each in intervals] if name == "FOV" else intervals
        conditions.append(or_(*(within(first, last, each.low, each.high) for each in bounds)))
    for name, texts in ask.texts.items():
        if name != "DPTYPE":
            conditions.append(or_(false(), *(_said(product, settings, name, text) for text in texts)))
    return conditions


def _latest() -> ColumnElement[bool]:
    """That an observation has no later version of the same recording."""
    later, made = aliased(Result), aliased(Reduction)
    same = select(later.id).join(made, made.id == later.reduction)
    return ~exists(
        same.where(
            later.observation == Result.observation,
            later.version > Result.version,
            made.file == Reduction.file,
        ).correlate(Result, Reduction)
    )


def _bounds(product: Product, name: str) -> tuple[Any, Any]:
    """Columns between which the interval of a parameter is looked for; of the field of view, its square."""
    centre, width = (Filter.details[key].as_float() for key in ("centre_nm", "width_nm"))
    side: Any = Coverage.aperture_px * Coverage.aperture_px * 4.0
    if product == "cube":
        side = Coverage.width * Coverage.width + Coverage.height * Coverage.height
    fov = side * Coverage.scale_arcsec * Coverage.scale_arcsec / 3600.0**2
    known: dict[str, tuple[Any, Any]] = {
        "TIME": (Coverage.t_min, Coverage.t_max),
        "BAND": ((centre - width / 2.0) * 1e-9, (centre + width / 2.0) * 1e-9),
        "SPECRP": (centre / width, centre / width),
        "EXPTIME": (Coverage.exposure_s, Coverage.exposure_s),
        "TIMERES": (Coverage.cadence_s, Coverage.cadence_s),
        "SPATRES": (Coverage.fwhm_px * Coverage.scale_arcsec,) * 2,
        "FOV": (fov, fov),
    }
    return known[name]


def _squared(bounds: Interval) -> Interval:
    return Interval(max(bounds.low, 0.0) ** 2, max(bounds.high, 0.0) ** 2)


def _said(product: Product, settings: ServiceSettings, name: str, text: str) -> ColumnElement[bool]:
    """That a data set has a text of the query."""
    both = Telescope.name + ", " + Camera.name
    found: ColumnElement[bool] = false()  # POL: none has any
    if name == "TARGET":
        key = object_key("", text)
        same = [Prediction.object_key == key] if key else []
        number, body = Prediction.object_number, func.lower(Prediction.object_name)
        found = or_(false(), *same, body == text.lower(), (number == text) & (number != ""))
    elif name == "COLLECTION":
        found = Campaign.name == text
    elif name == "FACILITY":
        found = Observation.station == text
    elif name == "INSTRUMENT":
        found = or_(Telescope.name == text, Camera.name == text, both == text)
    elif name == "ID":
        found = _identified(product, settings, text)
    elif name == "FORMAT":
        found = _of_format(product, text)
    return found


def _identified(product: Product, settings: ServiceSettings, text: str) -> ColumnElement[bool]:
    one = named(settings, text)
    if one is None or (one.what == "result") != (product == "timeseries"):
        return false()
    return (Result.id if one.what == "result" else ObservationFile.id) == one.id


def _of_format(product: Product, text: str) -> ColumnElement[bool]:
    wanted = text.lower().replace(" ", "")
    if product == "timeseries":
        return Result.id.is_not(None) if wanted == DATALINK else false()
    named_so = {
        kind: or_(*(ObservationFile.name.ilike(f"%.{ending}") for ending in endings))
        for kind, endings in RECORDINGS.items()
    }
    return ~or_(*named_so.values()) if wanted == BYTES else named_so.get(wanted, false())


def _rows(
    session: Session, settings: ServiceSettings, product: Product, ids: Sequence[str]
) -> list[dict[str, Value]]:
    """Rows of results, in their order."""
    columns = (
        Result, ObservationFile, Coverage, Campaign, Prediction, Observation.station, Telescope.name,
        Camera.name, Filter.details,
    )  # fmt: skip
    found: dict[str, dict[str, Value]] = {}
    for start in range(0, len(ids), AT_ONCE):
        some = _joined(select(*columns)).where(Result.id.in_(ids[start : start + AT_ONCE]))
        for values in session.execute(some):
            row = _Row(*values)
            found[row.result.id] = _told(settings, product, row)
    return [found[identity] for identity in ids]


def _told(settings: ServiceSettings, product: Product, row: _Row) -> dict[str, Value]:
    covers = row.coverage or Coverage(result=row.result.id)
    own = _curve(settings, row, covers) if product == "timeseries" else _recording(settings, row, covers)
    open_now = results_open(row.campaign.embargo)
    body = row.prediction
    telescope = [name for name in (row.telescope, row.camera) if name]
    told: dict[str, Value] = {
        "dataproduct_type": product,
        "calib_level": LEVEL[product],
        "target_name": target_name(body),
        "obs_id": row.result.observation,
        "obs_collection": row.campaign.name,
        "data_rights": "secure" if open_now and product == "timeseries" else "proprietary",
        "s_ra": body.star_ra_deg,
        "s_dec": body.star_dec_deg,
        "s_resolution": _product(covers.fwhm_px, covers.scale_arcsec),
        "t_xel": covers.samples,
        "t_min": covers.t_min,
        "t_max": covers.t_max,
        "t_exptime": covers.exposure_s,
        "t_resolution": covers.cadence_s,
        "facility_name": row.station,
        "instrument_name": ", ".join(telescope) or None,
    }
    return told | _band(row.filter or {}) | own


def _curve(settings: ServiceSettings, row: _Row, covers: Coverage) -> dict[str, Value]:
    radius = _product(covers.aperture_px, covers.scale_arcsec, 1 / 3600.0)
    ra, dec, embargo = row.prediction.star_ra_deg, row.prediction.star_dec_deg, row.campaign.embargo
    placed = radius is not None and ra is not None and dec is not None
    return {
        "obs_title": f"Light curve of {row.station}, version {row.result.version}",
        "obs_creation_date": stamp(row.result.created),
        "obs_publisher_did": identifier(settings, "result", row.result.id),
        "obs_release_date": None if embargo is None else stamp(embargo),
        "access_url": f"{settings.url}{PREFIX}/results/{row.result.id}/links",
        "access_format": DATALINK,
        "access_estsize": _kilobytes(covers.size),
        "s_fov": None if radius is None else 2.0 * radius,
        "s_region": f"Circle ICRS {ra:.8f} {dec:.8f} {radius:.8f}" if placed else None,
        "o_ucd": "phot.flux;arith.ratio",
    }


def _recording(settings: ServiceSettings, row: _Row, covers: Coverage) -> dict[str, Value]:
    width, height = covers.width, covers.height
    diagonal = None if width is None or height is None else math.hypot(width, height)
    return {
        "obs_title": f"Recording of {row.station}: {row.file.name}",
        "obs_creation_date": stamp(row.file.created),
        "obs_publisher_did": identifier(settings, "file", row.file.id),
        "access_url": f"{settings.url}{PREFIX}/files/{row.file.id}/content",
        "access_format": media_type(row.file.name),
        "access_estsize": _kilobytes(row.file.size),
        "s_fov": _product(diagonal, covers.scale_arcsec, 1 / 3600.0),
        "s_xel1": width,
        "s_xel2": height,
        "o_ucd": "phot.count",
    }


def _band(details: Mapping[str, Any]) -> dict[str, Value]:
    centre, width = details.get("centre_nm"), details.get("width_nm")
    if not centre or not width:
        return {"em_xel": 1}
    return {
        "em_xel": 1,
        "em_min": (centre - width / 2.0) * 1e-9,
        "em_max": (centre + width / 2.0) * 1e-9,
        "em_res_power": centre / width,
    }


def _product(*factors: float | None) -> float | None:
    return None if None in factors else math.prod(factor for factor in factors if factor is not None)


def _kilobytes(size: int | None) -> int | None:
    return None if size is None else -(-size // 1000)


def stamp(at: datetime) -> str:
    """An instant as DALI writes it: ISO-8601 of UTC, without a zone."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def media_type(name: str) -> str:
    """Of a recording, by its name."""
    ending = name.rpartition(".")[2].lower()
    return next((kind for kind, endings in RECORDINGS.items() if ending in endings), BYTES)


def cells(row: Mapping[str, Value]) -> list[Value]:
    """A row in the order of the columns."""
    return [row.get(field.name) for field in FIELDS]
