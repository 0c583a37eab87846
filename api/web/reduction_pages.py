"""Reductions: asking for one, and what becomes of it."""

from typing import Annotated, Any

from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns.tables import Campaign
from api.database.tables import new_id
from api.dependencies import IdPath, StoreDep
from api.observations.tables import Observation, ObservationFile
from api.problems import RefusedError
from api.results import reduction_routes
from api.results.choices import Choices, choices_of
from api.results.reduction_routes import job_logs, job_view, seen_job, team
from api.results.service import ReducingDep
from api.results.tables import Reduction
from api.results.views import DryRunView, JobView, job_views
from api.web import reduction_forms
from api.web.forms import FORM_ERRORS, Form, FormDep
from api.web.pages import Visit, VisitDep, page_router
from api.web.reduction_forms import ReductionForm, devices, typed_of
from api.web.reduction_words import STAGES

EARLIER = 20
"""Reductions of an observation that its page lists."""

ENDED = frozenset({"done", "failed", "cancelled"})
IN_FRAMES = frozenset({"ingest", "scan", "measure"})
"""Stages that count frames."""

router = page_router()
MayReduce = Annotated[Permit, may(Operation.REDUCE)]
MaySee = Annotated[Permit, may(Operation.SEE_REDUCTION)]
MayControl = Annotated[Permit, may(Operation.CONTROL_REDUCTION)]


def _chosen(session: Session, permit: Permit, observation_id: str) -> tuple[Observation, Campaign, Choices]:
    """An observation that the caller may reduce."""
    row = permit.over(session, session.get(Observation, observation_id), "observation")
    campaign = session.get(Campaign, row.campaign)
    assert campaign is not None
    return row, campaign, choices_of(session, row.id)


def _form_values(visit: Visit, permit: Permit, observation_id: str, reducing: ReducingDep) -> dict[str, Any]:
    """What the page of the form is given."""
    with visit.database.reading() as session:
        row, campaign, choices = _chosen(session, permit, observation_id)
        of_team = team(session, permit, row)
        rows = session.scalars(
            select(Reduction)
            .where(Reduction.observation == row.id)
            .order_by(Reduction.created.desc(), Reduction.id)
            .limit(EARLIER + 1)
        ).all()
        jobs = job_views(session, rows[:EARLIER], reducing)
        names = {
            one.id: one.name
            for one in session.scalars(select(ObservationFile).where(ObservationFile.observation == row.id))
        }
    return {
        "observation": row,
        "campaign": campaign,
        "choices": choices,
        "jobs": jobs,
        "more_jobs": len(rows) > EARLIER,
        "names": names,
        "of_team": of_team,
        "options": reduction_forms,
        "devices": devices(reducing.gpus),
        "once": new_id(),
        "checked": None,
    }


@router.get("/observations/{observation_id}/reduce")
def reduce_form(
    observation_id: IdPath, visit: VisitDep, permit: MayReduce, reducing: ReducingDep
) -> Response:
    """Show the form, filled with what the address says: stars of the frame viewer, or an earlier request."""
    values = _form_values(visit, permit, observation_id, reducing)
    asked = dict(visit.request.query_params)
    earlier = [one for one in values["jobs"] if one.id == asked.get("like")]
    typed = typed_of(earlier[0].request) if earlier else asked
    return visit.page("reductions/form.html", **values, typed=typed)


@router.post("/observations/{observation_id}/reduce")
def ask_reduction(
    observation_id: IdPath,
    visit: VisitDep,
    permit: MayReduce,
    store: StoreDep,
    reducing: ReducingDep,
    form: FormDep,
) -> Response:
    """Ask for a reduction; or, by the button `check`, tell what it would be."""
    values = _form_values(visit, permit, observation_id, reducing)
    try:
        filled = form.read(ReductionForm)
        body = filled.body
        if body.file not in {one.id for one in values["choices"].recordings}:
            raise RefusedError(422, "file: is no recording of this observation")
        found = reduction_routes.ask(
            body, Response(), permit, visit.database, store, reducing, filled.once or None
        )
    except FORM_ERRORS as error:
        return visit.again("reductions/form.html", form, error, **values)
    if isinstance(found, DryRunView):
        return visit.page("reductions/form.html", **(values | {"checked": found}), typed=form.typed)
    return visit.back(f"/jobs/{found.id}", "started")


def _job_values(visit: Visit, permit: Permit, job_id: str, reducing: ReducingDep) -> dict[str, Any]:
    """What the page of a job is given."""
    job = job_view(seen_job(job_id, permit, visit.database), visit.database, reducing)
    with visit.database.reading() as session:
        row = session.get(Reduction, job.id)
        observation, campaign = session.get(Observation, job.observation), session.get(Campaign, job.campaign)
        file = session.get(ObservationFile, job.file)
        controls = row is not None and visit.may(Operation.CONTROL_REDUCTION, row, session)
    return {
        "job": job,
        "observation": observation,
        "campaign": campaign,
        "file": file,
        "controls": controls,
        "ended": job.state in ENDED,
        "stages": _stages(job),
        "pace": _pace(job),
        "asked": [(name, told) for name, told in typed_of(job.request).items() if name != "file"],
    }


def _stages(job: JobView) -> list[tuple[str, str]]:
    """Stages and how far they are: done, now, or to come. Nothing is told of a job that does not run."""
    if job.progress is None:
        return []
    names = [name for name, _ in STAGES]
    at = names.index(job.progress.stage) if job.progress.stage in names else 0
    return [(told, "done" if k < at else "now" if k == at else "next") for k, (_, told) in enumerate(STAGES)]


def _pace(job: JobView) -> float | None:
    """Frames a second of the stage that a job is at."""
    told = job.progress
    if told is None or told.stage not in IN_FRAMES or told.seconds <= 0 or told.done <= 0:
        return None
    return told.done / told.seconds


@router.get("/jobs/{job_id}")
def see_job(
    job_id: IdPath, visit: VisitDep, permit: MaySee, store: StoreDep, reducing: ReducingDep
) -> Response:
    """Show how far a reduction is, why it failed, and its logs."""
    values = _job_values(visit, permit, job_id, reducing)
    if visit.is_fragment:
        return visit.fragment("reductions/progress.html", **values)
    attempts = job_logs(values["job"].id, permit, store, reducing)
    return visit.page("reductions/job.html", **values, attempts=attempts)


@router.post("/jobs/{job_id}/cancel")
def cancel(
    job_id: IdPath, visit: VisitDep, permit: MayControl, reducing: ReducingDep, form: FormDep
) -> Response:
    """Cancel a reduction."""
    reduction_routes.cancel_job(job_id, permit, visit.database, reducing)
    return visit.back(_next(form, f"/jobs/{job_id}"), "cancelled")


@router.post("/jobs/{job_id}/retry")
def retry(
    job_id: IdPath, visit: VisitDep, permit: MayControl, reducing: ReducingDep, form: FormDep
) -> Response:
    """Queue a failed or cancelled reduction again."""
    reduction_routes.retry_job(job_id, permit, visit.database, reducing)
    return visit.back(_next(form, f"/jobs/{job_id}"), "retried")


def _next(form: Form, here: str) -> str:
    """Where the form says to go on: a page of this service."""
    return form.text("next") or here
