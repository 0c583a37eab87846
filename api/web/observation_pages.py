"""Pages of observations: what is still to be done, and the report of each."""

from typing import Annotated, Any

from fastapi import Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.database.tables import now
from api.dependencies import Cursor, DatabaseDep, IdPath
from api.observations import observation_routes, report_routes
from api.observations.progress import Progress, progress_of
from api.observations.report_routes import Form
from api.problems import RefusedError
from api.web import observation_facts, report_form
from api.web.forms import FORM_ERRORS, FormDep
from api.web.pages import VisitDep, page_router

LISTED = 100
LIST, ONE = "observations/observations.html", "observations/observation.html"
CHANGED = (
    "it was changed meanwhile, perhaps by the event responsible. What you typed is below, and not saved: "
    "look at what is stored now in another window, then save to replace it"
)

router = page_router()


@router.get("/observations")
def observations(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.SEE_OWN_OBSERVATIONS)],
    database: DatabaseDep,
    cursor: Cursor = None,
) -> Response:
    """One's observations: what is still to be done first, then what is to come, then the rest."""
    page = observation_routes.list_own(permit, database, None, LISTED, cursor)
    at = now()
    with database.reading() as session:
        found = progress_of(session, page.items, at)
    urgent = [one for one in found if one.tasks and one.tasks != ("prepare",)]
    rest = [one for one in found if one not in urgent]
    return visit.page(
        LIST,
        urgent=sorted(urgent, key=_when, reverse=True),
        coming=sorted((one for one in rest if not one.past), key=_when),
        over=sorted((one for one in rest if one.past), key=_when, reverse=True),
        next=page.next,
        now=at,
    )


def _when(one: Progress) -> Any:
    return one.at, one.view.id


@router.get("/observations/{observation_id}")
def observation(
    observation_id: IdPath, visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_OBSERVATION)]
) -> Response:
    """An observation: report, files, results."""
    known = observation_facts.known_of(visit, observation_id, permit)
    return visit.page(ONE, **observation_facts.page_values(visit, known))


@router.get("/observations/{observation_id}/report")
def report_page(
    observation_id: IdPath, visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_OBSERVATION)]
) -> Response:
    """The report is part of the page."""
    observation_facts.known_of(visit, observation_id, permit)
    return visit.back(f"/observations/{observation_id}#report")


@router.get("/observations/{observation_id}/report.{form}")
def report_file(
    observation_id: IdPath,
    form: Form,
    permit: Annotated[Permit, may(Operation.SEE_OBSERVATION)],
    database: DatabaseDep,
) -> Response:
    """The report in a form, as the API makes it; a page says why, where it cannot be made."""
    return report_routes.report(observation_id, form, permit, database)


@router.post("/observations/{observation_id}")
def change_observation(
    observation_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.CHANGE_OBSERVATION)],
    database: DatabaseDep,
    form: FormDep,
) -> Response:
    """Save the report."""
    known = observation_facts.known_of(visit, observation_id, permit)
    try:
        body = report_form.read(form, known.view, known.near)
        versions = observation_facts.versions_for(known, form.text(report_form.SEEN))
        changing = Permit(visit.caller, Operation.CHANGE_OBSERVATION, versions)
        observation_routes.change(observation_id, body, changing, database)
    except FORM_ERRORS as error:
        values = observation_facts.page_values(visit, observation_facts.known_of(visit, observation_id))
        values["consent"] = form.text("consent") == "true"
        return visit.again(ONE, form, _changed(error), **values)
    return visit.back(f"/observations/{observation_id}", "report_saved")


def _changed(error: Exception) -> Exception:
    """That somebody else changed it, in words for people."""
    if isinstance(error, RefusedError) and error.problem.status == 412:
        return RefusedError(412, CHANGED)
    return error


@router.post("/observations/{observation_id}/leave")
def leave_observation(
    observation_id: IdPath,
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.CHANGE_OBSERVATION)],
    database: DatabaseDep,
) -> Response:
    """Withdraw a station of which nothing was uploaded."""
    observation_routes.leave(observation_id, permit, database)
    return visit.back("/observations", "left")
