"""Reductions of a whole campaign: asking for them, and what becomes of them."""

import json
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import Field

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.campaigns.tables import Campaign
from api.database.tables import new_id
from api.dependencies import Cursor, IdPath, StoreDep
from api.observations.tables import Observation, ObservationFile
from api.results import batch_routes
from api.results.choices import campaign_recordings
from api.results.requests import FileId
from api.results.service import ReducingDep
from api.results.tables import Batch
from api.results.views import BatchDryRunView
from api.web import reduction_forms
from api.web.forms import FORM_ERRORS, FormDep
from api.web.pages import Visit, VisitDep, page_router
from cluster.requests import Device, Times
from reduction.errors import RequestError
from reduction.plan import ReductionPlan, Settings

PAGE = 100
STATES = ("queued", "running", "done", "failed", "cancelled")
ENDED = frozenset({"done", "failed", "cancelled"})

router = page_router()
MayReduce = Annotated[Permit, may(Operation.REDUCE)]
MaySee = Annotated[Permit, may(Operation.SEE_REDUCTION)]
MayControl = Annotated[Permit, may(Operation.CONTROL_REDUCTION)]


class BatchForm(Settings):
    """What all reductions of a batch have in common, and of which files."""

    chosen: Annotated[tuple[FileId, ...], Field(min_length=1, max_length=10_000)]
    plan: ReductionPlan = ReductionPlan()
    times: Times = Times()
    calibration: bool = True
    device: Device = "auto"
    priority: int = 0
    act: Literal["start", "check"] = "start"
    once: str = ""

    def manifest(self) -> bytes:
        """A JSON line for each file."""
        common = {"plan", "times", "calibration", "device"}
        said = self.model_dump(mode="json", exclude_defaults=True, include=common)
        return "".join(json.dumps({"file": file, **said}) + "\n" for file in self.chosen).encode()


def _campaign_values(visit: Visit, permit: Permit, campaign_id: str, reducing: ReducingDep) -> dict[str, Any]:
    """What the page of the form is given: recordings of the campaign that are the caller's to reduce."""
    with visit.database.reading() as session:
        of_team = batch_routes.over_campaign(session, permit, campaign_id)
        campaign = session.get(Campaign, campaign_id)
        listed = campaign_recordings(session, campaign_id, None if of_team else permit.caller.known)
    return {
        "campaign": campaign,
        "of_team": of_team,
        "recordings": listed,
        "options": reduction_forms,
        "devices": reduction_forms.devices(reducing.gpus),
        "once": new_id(),
        "checked": None,
        "chosen": None,
    }


@router.get("/campaigns/{campaign_id}/reduce")
def batch_form(campaign_id: IdPath, visit: VisitDep, permit: MayReduce, reducing: ReducingDep) -> Response:
    """Show the recordings of a campaign, those without a result chosen."""
    values = _campaign_values(visit, permit, campaign_id, reducing)
    return visit.page("reductions/campaign.html", **values)


@router.post("/campaigns/{campaign_id}/reduce")
def ask_batch(
    campaign_id: IdPath,
    visit: VisitDep,
    permit: MayReduce,
    store: StoreDep,
    reducing: ReducingDep,
    form: FormDep,
) -> Response:
    """Ask for the reductions that were chosen; or tell what they would be."""
    values = _campaign_values(visit, permit, campaign_id, reducing)
    chosen = form.texts("chosen[]")
    values["chosen"] = set(chosen)
    try:
        if not chosen:
            raise RequestError("choose at least one recording")
        filled = form.read(BatchForm)
        found = batch_routes.ask_batch(
            _as_jsonl(visit.request), Response(), filled.manifest(), permit, visit.database, store, reducing,
            campaign=campaign_id, mode="partial" if len(chosen) > 1 else "atomic", priority=filled.priority,
            dry_run=filled.act == "check", idempotency_key=filled.once or None,
        )  # fmt: skip
    except FORM_ERRORS as error:
        return visit.again("reductions/campaign.html", form, error, **values)
    if isinstance(found, BatchDryRunView):
        return visit.page("reductions/campaign.html", **(values | {"checked": found}), typed=form.typed)
    return visit.back(f"/batches/{found.id}", "batch_started")


def _as_jsonl(request: Request) -> Request:
    """The request with the media type of the manifest that was made of its form."""
    headers = [pair for pair in request.scope["headers"] if pair[0] != b"content-type"]
    return Request({**request.scope, "headers": [*headers, (b"content-type", b"application/jsonl")]})


def _station_names(visit: Visit, jobs: Any) -> dict[str, tuple[str, str]]:
    """Station and name of the recording of each job."""
    with visit.database.reading() as session:
        found = {}
        for job in jobs:
            row, file = session.get(Observation, job.observation), session.get(ObservationFile, job.file)
            found[job.id] = (row.station if row else "", file.name if file else "")
        return found


@router.get("/batches/{batch_id}")
def see_batch(
    batch_id: IdPath,
    visit: VisitDep,
    permit: MaySee,
    reducing: ReducingDep,
    state: Annotated[str, Query(pattern="^(queued|held|running|done|failed|cancelled)?$")] = "",
    cursor: Cursor = None,
) -> Response:
    """Show how far the reductions of a batch are, each with its station."""
    batch = batch_routes.see_batch(batch_id, permit, visit.database)
    jobs = batch_routes.batch_jobs(
        batch_id,
        permit,
        visit.database,
        reducing,
        PAGE,
        cursor,
        state or None,  # type: ignore[arg-type]  # as checked
    )
    with visit.database.reading() as session:
        row = session.get(Batch, batch_id)
        campaign = session.get(Campaign, batch.campaign)
        controls = row is not None and visit.may(Operation.CONTROL_REDUCTION, row, session)
    left = batch.total - sum(batch.counts.get(name, 0) for name in ENDED)
    values: dict[str, Any] = {
        "batch": batch,
        "campaign": campaign,
        "jobs": jobs.items,
        "next": jobs.next,
        "names": _station_names(visit, jobs.items),
        "controls": controls,
        "left": left,
        "states": STATES,
        "state": state,
    }
    template = "reductions/batch_progress.html" if visit.is_fragment else "reductions/batch.html"
    return visit.fragment(template, **values) if visit.is_fragment else visit.page(template, **values)


@router.post("/batches/{batch_id}/cancel")
def cancel_batch(batch_id: IdPath, visit: VisitDep, permit: MayControl, reducing: ReducingDep) -> Response:
    """Cancel all that has not ended."""
    batch_routes.cancel_batch(batch_id, permit, visit.database, reducing)
    return visit.back(f"/batches/{batch_id}", "cancelled")


@router.post("/batches/{batch_id}/retry")
def retry_batch(batch_id: IdPath, visit: VisitDep, permit: MayControl, reducing: ReducingDep) -> Response:
    """Queue what failed again."""
    batch_routes.retry_batch(batch_id, permit, visit.database, reducing)
    return visit.back(f"/batches/{batch_id}", "retried")
