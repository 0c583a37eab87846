"""Routes of the Virtual Observatory: ObsCore by SIA 2.0, DataLink, VOSI; provenance of a result."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import DatabaseDep, IdPath, SettingsDep, StoreDep
from api.problems import responses
from api.results.result_routes import result_of, summary_of
from api.results.service import ReducingDep
from api.results.views import PREFIX
from api.standards import links, vosi
from api.standards.columns import FIELDS, ICRS, UTC
from api.standards.identifiers import authority
from api.standards.obscore import DATALINK, cells, search
from api.standards.provenance import prov_json, told_of
from api.standards.query import asked, described
from api.standards.votable import MEDIA_TYPE, failed, info, quoted, votable
from reduction.errors import RequestError

OBSCORE = "ivo://ivoa.net/std/SIA#query-2.0"
MOST_AT_ONCE = 100
"""Data sets whose links one answer has; who asks for more asks again for the rest."""
LINKS = "ivo://ivoa.net/std/DataLink#links-1.1"
MJD_ORIGIN = "MJD-origin"

router = APIRouter(prefix=PREFIX, tags=["virtual observatory"])
MaySearch = Annotated[Permit, may(Operation.SEARCH_ARCHIVE)]
MayLook = Annotated[Permit, may(Operation.SEE_PROTOCOLS)]
Identifiers = Annotated[list[str], Query(alias="ID", description="obs_publisher_did of data sets.")]
Sent = Annotated[list[str], Form(alias="ID", description="obs_publisher_did of data sets.")]


class TableResponse(Response):
    """For the OpenAPI text."""

    media_type = MEDIA_TYPE


class LinksResponse(Response):
    """For the OpenAPI text."""

    media_type = DATALINK


class XmlResponse(Response):
    """For the OpenAPI text."""

    media_type = vosi.MEDIA_TYPE


_WRONG: dict[int | str, dict[str, Any]] = {
    400: {"description": "A value is wrong; the VOTable says which", "content": {MEDIA_TYPE: {}}}
}


@router.get(
    "/obscore",
    response_class=TableResponse,
    responses={**responses(401, 403, 422, 503), **_WRONG},
    openapi_extra={"parameters": described()},
    summary="Data sets that one may see, as ObsCore (SIA 2.0)",
)
def obscore(request: Request, permit: MaySearch, database: DatabaseDep, settings: SettingsDep) -> Response:
    """Find light curves and recordings by place, time, target and more; a VOTable of ObsCore.

    `QUERY_STATUS` is `OVERFLOW` where there are more rows than `MAXREC`; `next_cursor` then tells where they
    go on.
    """
    try:
        ask = asked(request.query_params.multi_items())
        with database.reading() as session:
            found = search(session, permit.caller, settings, ask)
    except RequestError as error:
        return Response(failed(str(error)), 400, media_type=MEDIA_TYPE)
    before = [
        info("QUERY_STATUS", "OK"),
        info("standardID", OBSCORE),
        info("publisher", authority(settings)),
        f'<COOSYS ID="{ICRS}" system="ICRS"/>',
        f'<TIMESYS ID="{UTC}" timescale="UTC" refposition="TOPOCENTER" timeorigin="{MJD_ORIGIN}"/>',
    ]
    after = []
    if found.next is not None:
        after = [info("next_cursor", found.next), info("QUERY_STATUS", "OVERFLOW")]
    rows = [cells(row) for row in found.rows]
    return Response(votable(FIELDS, rows, before, after, [_service(settings.url)]), media_type=MEDIA_TYPE)


def _service(url: str) -> str:
    """The service that gives the links of each row (DataLink 1.1, 4)."""
    given = {"standardID": LINKS, "accessURL": f"{url}{PREFIX}/datalink"}
    words = "".join(
        f'<PARAM name="{name}" datatype="char" arraysize="*" value={quoted(value)}/>'
        for name, value in given.items()
    )
    return (
        f'<RESOURCE type="meta" utype="adhoc:service" ID="links">{words}<GROUP name="inputParams">'
        '<PARAM name="ID" datatype="char" arraysize="*" value="" ref="obs_publisher_did"/></GROUP></RESOURCE>'
    )


@router.get(
    "/obscore/capabilities", response_class=XmlResponse, responses=responses(422), summary="VOSI capabilities"
)
async def capabilities(permit: MayLook, settings: SettingsDep) -> Response:
    """Tell the protocols, and where they are."""
    del permit
    return Response(vosi.capabilities(settings.url), media_type=vosi.MEDIA_TYPE)


@router.get(
    "/obscore/availability", response_class=XmlResponse, responses=responses(422), summary="VOSI availability"
)
async def availability(permit: MayLook) -> Response:
    """Tell that queries are answered."""
    del permit
    return Response(vosi.availability(True), media_type=vosi.MEDIA_TYPE)


def _shelf(
    permit: Permit, session: Any, settings: SettingsDep, store: StoreDep, reducing: ReducingDep
) -> links.Shelf:
    return links.Shelf(session, permit.caller, settings, store, reducing.cache)


def _linked(rows: Iterable[links.Link], settings: SettingsDep, more: bool = False) -> Response:
    before = [info("QUERY_STATUS", "OK"), info("standardID", LINKS)]
    after = [info("QUERY_STATUS", "OVERFLOW")] if more else []
    content = votable(links.FIELDS, [row.cells(settings) for row in rows], before, after)
    return Response(content, media_type=DATALINK)


@router.get(
    "/datalink",
    response_class=LinksResponse,
    responses=responses(401, 403, 422, 503),
    summary="Links of data sets (DataLink 1.1)",
)
def datalink(
    permit: MaySearch,
    database: DatabaseDep,
    settings: SettingsDep,
    store: StoreDep,
    reducing: ReducingDep,
    identifiers: Identifiers = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Tell what belongs to data sets; what is not there, or not yours to see, is a row with its error."""
    with database.reading() as session:
        shelf = _shelf(permit, session, settings, store, reducing)
        rows = [link for each in identifiers[:MOST_AT_ONCE] for link in links.links_of(shelf, each)]
    return _linked(rows, settings, len(identifiers) > MOST_AT_ONCE)


@router.post(
    "/datalink",
    response_class=LinksResponse,
    responses=responses(401, 403, 422, 503),
    summary="Links of data sets, asked for by a form",
)
def datalink_form(
    permit: MaySearch,
    database: DatabaseDep,
    settings: SettingsDep,
    store: StoreDep,
    reducing: ReducingDep,
    identifiers: Sent = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Do the same for more identifiers than an address holds."""
    return datalink(permit, database, settings, store, reducing, identifiers)


@router.get(
    "/results/{result_id}/links",
    response_class=LinksResponse,
    responses=responses(401, 403, 404, 422, 503),
    summary="Links of a result (DataLink 1.1)",
)
def result_links(
    result_id: IdPath,
    permit: Annotated[Permit, may(Operation.SEE_LIGHT_CURVE)],
    database: DatabaseDep,
    settings: SettingsDep,
    store: StoreDep,
    reducing: ReducingDep,
) -> Response:
    """Tell where light curve, recording, stack, figures, report, provenance and cut-outs are."""
    with database.reading() as session:
        row = result_of(session, permit, result_id)
        rows = list(links.result_links(_shelf(permit, session, settings, store, reducing), row))
    return _linked(rows, settings)


@router.get(
    "/results/{result_id}/prov.json",
    responses=responses(401, 403, 404, 422, 503),
    summary="Provenance of a result as W3C PROV-JSON",
)
def provenance(
    result_id: IdPath,
    permit: Annotated[Permit, may(Operation.SEE_RESULT)],
    database: DatabaseDep,
    settings: SettingsDep,
    store: StoreDep,
    reducing: ReducingDep,
) -> dict[str, Any]:
    """Tell recording, stack, plan and light curve, what made them, and for whom.

    The observer is named where they agreed to be.
    """
    with database.reading() as session:
        told = told_of(session, result_of(session, permit, result_id))
    summary = summary_of(reducing.cache.folder(told.row.key))
    commit = store.find("results", told.row.key)
    digests = {} if commit is None else {file.name: file.sha256 for file in commit.files}
    return prov_json(told, summary, digests, settings)
