"""The asteroidal occultation report of an observation, in every form."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import DatabaseDep, IdPath
from api.downloads import attachment
from api.observations.reporting import record_of, record_text, stated_of
from api.observations.tables import Observation
from api.problems import responses
from reduction.outputs.page import POLICY

Form = Literal["json", "text", "page", "iota-es", "iota-na", "tt", "occult-xml"]
MEDIA = {
    ".txt": "text/plain; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".xml": "application/xml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
PAGE_POLICY = f"{POLICY}; frame-ancestors 'none'; sandbox"

router = APIRouter(prefix="/api/v1", tags=["observations"])


@router.get(
    "/observations/{observation_id}/report.{form}",
    responses=responses(401, 403, 404, 422, 503),
    response_class=Response,
    summary="The occultation report of an observation",
)
def report(
    observation_id: IdPath,
    form: Annotated[Form, Path(description="As `umbra report --form`; json: the record of them all.")],
    permit: Annotated[Permit, may(Operation.SEE_OBSERVATION)],
    database: DatabaseDep,
) -> Response:
    """Return what the observer stated as an asteroidal occultation report; one form is one event."""
    from reduction.reports.form import FORMS, file_stem

    with database.reading() as session:
        row = permit.over(session, session.get(Observation, observation_id), "observation")
        stated = stated_of(session, row)
    record = record_of(stated)
    if form == "json":
        name, content, media = f"{file_stem(record)}.json", record_text(record), "application/json"
    else:
        filled = FORMS[form].fill(record)[0]
        name, content = filled.name, filled.content
        media = MEDIA[f".{name.rpartition('.')[2]}"]
    headers = {"Content-Disposition": attachment(name)}
    if form == "page":
        headers = {"Content-Security-Policy": PAGE_POLICY}
    return Response(content, media_type=media, headers=headers)
