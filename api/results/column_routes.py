"""Routes of what draws a light curve: its columns as numbers, and the figure of its event."""

import gzip
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import DatabaseDep, IdPath
from api.problems import responses
from api.results.columns import SCHEMA, columns_of, event_settings, shown
from api.results.result_routes import FOR_EVER, result_of, summary_of
from api.results.service import ReducingDep
from api.results.views import PREFIX
from reduction.errors import RequestError

COLUMNS = "application/vnd.umbra.columns"
FIGURES = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
QUICKLY = 1
"""Level of gzip: noise is hardly made smaller by more."""

router = APIRouter(prefix=PREFIX, tags=["results"])
MayRead = Annotated[Permit, may(Operation.SEE_LIGHT_CURVE)]
Accepted = Annotated[str, Header(alias="Accept-Encoding", include_in_schema=False)]


@router.get(
    "/results/{result_id}/columns.bin",
    response_class=Response,
    responses={
        200: {"description": "Header and columns", "content": {COLUMNS: {}}},
        **responses(401, 403, 404, 422, 503),
    },
    summary="The light curve as columns of numbers",
)
def columns(
    result_id: IdPath,
    permit: MayRead,
    database: DatabaseDep,
    reducing: ReducingDep,
    accepted: Accepted = "",
) -> Response:
    """Return the three curves, stars, fitted light and flags, to be drawn by a program."""
    with database.reading() as session:
        row = result_of(session, permit, result_id)
    folder = reducing.cache.folder(row.key)
    content = columns_of(folder, summary_of(folder))
    packed = takes_gzip(accepted)
    etag = f"{row.key}-{SCHEMA}{'-gzip' if packed else ''}"
    headers = {"Cache-Control": FOR_EVER, "ETag": f'"{etag}"', "Vary": "Accept-Encoding"}
    if packed:
        content = gzip.compress(content, QUICKLY, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=COLUMNS, headers=headers)


def takes_gzip(accepted: str) -> bool:
    """Whether a header Accept-Encoding allows gzip (RFC 9110, 12.5.3)."""
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in {"gzip", "x-gzip"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


@router.get(
    "/results/{result_id}/event.{form}",
    response_class=Response,
    responses={
        200: {"description": "The figure", "content": {kind: {} for kind in FIGURES.values()}},
        **responses(401, 403, 404, 422, 503),
    },
    summary="Figure of the event and its fit",
)
def event_figure(
    result_id: IdPath,
    form: Annotated[Literal["png", "svg", "pdf"], Path()],
    permit: MayRead,
    database: DatabaseDep,
    reducing: ReducingDep,
) -> Response:
    """Draw samples, fitted light, residuals, and each edge enlarged with its intervals."""
    with database.reading() as session:
        row = result_of(session, permit, result_id)
    folder = reducing.cache.folder(row.key)
    summary = summary_of(folder)
    found = shown(folder, summary)
    if found.analysis is None or found.curve is None:
        raise RequestError("no event was looked for in this result; its light curve is lightcurve.png")
    from reduction.events.drawn import drawn
    from reduction.outputs.event_figure import rendered

    model = found.model or drawn(found.curve, found.analysis, event_settings(summary))
    content = rendered(found.curve, found.analysis, model, forms=(form,))[form]
    headers = {
        "Cache-Control": FOR_EVER,
        "ETag": f'"{row.key}-event-{form}"',
        "Content-Disposition": f'inline; filename="event-v{row.version}.{form}"',
    }
    return Response(content, media_type=FIGURES[form], headers=headers)
