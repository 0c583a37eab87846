"""Pages of an observation's files: sent by a plain form, listed with what was found in them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, DatabaseDep, IdPath, SettingsDep
from api.observations import observation_routes
from api.uploads import tus_routes
from api.uploads.headers import NAMELESS, ROLES, Metadata, file_name
from api.uploads.tus_routes import ReceivingDep
from api.uploads.unmeasured import take
from api.web import observation_facts
from api.web.forms import FORM_ERRORS, FormError
from api.web.pages import Visit, VisitDep, page_router
from api.web.streamed import Streamed, StreamedDep, StreamedRoute
from reduction.errors import RequestError

FILES, FRAGMENT, ONE = (
    "observations/files.html",
    "observations/files_part.html",
    "observations/observation.html",
)

router = page_router()
streamed_router = APIRouter(route_class=StreamedRoute, include_in_schema=False)
"""Of forms that may be as large as the largest file."""


@streamed_router.post("/observations/{observation_id}/upload")
async def send_files(
    observation_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.UPLOAD)],
    database: DatabaseDep,
    settings: SettingsDep,
    receiving: ReceivingDep,
    streamed: StreamedDep,
) -> Response:
    """Take files of a form without scripts: each is stored, looked at and counted as one that came by tus."""
    await run_in_threadpool(observation_routes.show, observation_id, permit, database)
    sent: list[str] = []
    try:
        role = next((one for one in ROLES if one == streamed.form.text("sent_as", "recording")), None)
        if role is None:
            raise FormError({"sent_as": "choose what the files are"})
        while (name := await streamed.next()) is not None:
            plain = file_name(name)
            if plain is None:
                raise RequestError(f"file: {NAMELESS} is needed")
            metadata = Metadata(observation_id, plain, role, None, "")
            await take(database, permit, metadata, streamed.data(), streamed.left, settings, receiving)
            sent.append(plain)
        if not sent:
            raise FormError({"file": "choose a file first"})
    except FORM_ERRORS as error:
        await streamed.drain()
        return await run_in_threadpool(_again, visit, observation_id, streamed, error, sent)
    return visit.back(f"/observations/{observation_id}#files", "uploaded")


def _again(
    visit: Visit, observation_id: str, streamed: Streamed, error: Exception, sent: list[str]
) -> Response:
    """The page once more, with what is wrong, and what arrived before it."""
    known = observation_facts.known_of(visit, observation_id)
    values = observation_facts.page_values(visit, known) | {"sent": sent, "wrong": "upload"}
    streamed.form.fields.setdefault("file", [""])
    return visit.again(ONE, streamed.form, error, **values)


@router.get("/observations/{observation_id}/upload")
def upload_page(
    observation_id: IdPath, visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_OBSERVATION)]
) -> Response:
    """Where files are sent is part of the observation's page."""
    observation_facts.known_of(visit, observation_id, permit)
    return visit.back(f"/observations/{observation_id}#upload")


@router.post("/observations/{observation_id}/uploads/{upload_id}/end")
def end_upload(
    observation_id: IdPath,
    upload_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.UPLOAD)],
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Forget an unfinished upload."""
    tus_routes.terminate(upload_id, permit, database, settings)
    return visit.back(f"/observations/{observation_id}#upload", "removed")


@router.get("/observations/{observation_id}/files")
def observation_files(
    observation_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.SEE_FILES)],
    database: DatabaseDep,
    seen: Annotated[str, Query(max_length=16)] = "",
    cursor: Cursor = None,
) -> Response:
    """The files, and what was found in each; for htmx nothing (204) while all is as it was `seen`."""
    view = observation_routes.show(observation_id, permit, database)
    values = observation_facts.files(visit, observation_id, cursor)
    if not visit.is_fragment:
        return visit.page(FILES, view=view, **values)
    if seen == values["digest"]:
        return Response(status_code=204)
    return visit.fragment(FRAGMENT, **values)
