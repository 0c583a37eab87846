"""Pages of the queue and of the outbox, for staff."""

from typing import Annotated, Any

from fastapi import Query, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import Cursor, IdPath
from api.mail import outbox_routes
from api.mail.outbox_routes import MessageState
from api.results import batch_routes, queue_routes, reduction_routes
from api.results.queue_routes import QueueState
from api.results.service import ReducingDep
from api.web.forms import Form, FormDep
from api.web.navigation import Entry
from api.web.pages import Visit, VisitDep, page_router

router = page_router()
MaySee = Annotated[Permit, may(Operation.SEE_QUEUE)]
MayControl = Annotated[Permit, may(Operation.CONTROL_REDUCTION)]
STATES: tuple[QueueState, ...] = ("running", "queued", "held", "failed", "cancelled", "done")
QUEUE, OUTBOX = "/staff/queue", "/staff/queue/outbox"
ROWS = 30


@router.get(QUEUE)
def queue(
    visit: VisitDep,
    permit: MaySee,
    reducing: ReducingDep,
    state: Annotated[QueueState | None, Query()] = None,
    cursor: Cursor = None,
    batches: Cursor = None,
) -> Response:
    """Show what waits, runs and failed; htmx asks for it again every few seconds."""
    counts = queue_routes.see_queue(permit, visit.database, reducing)
    jobs = queue_routes.list_queue(permit, visit.database, reducing, state, ROWS, cursor)
    asked = queue_routes.list_batches(permit, visit.database, ROWS, batches)
    values: dict[str, Any] = {
        "queue": counts,
        "jobs": jobs,
        "batches": asked,
        "state": state,
        "states": STATES,
    }
    if visit.is_fragment:
        return visit.fragment("staff/queue_live.html", **values)
    return visit.page("staff/queue.html", **values, tabs=_tabs(QUEUE))


def _tabs(here: str) -> list[Entry]:
    return [Entry(path, label, path == here) for path, label in ((QUEUE, "Reductions"), (OUTBOX, "E-mails"))]


@router.post(f"{QUEUE}/jobs/{{job_id}}/cancel")
def cancel_job(
    job_id: IdPath, visit: VisitDep, permit: MayControl, reducing: ReducingDep, form: FormDep
) -> Response:
    """Cancel a reduction."""
    reduction_routes.cancel_job(job_id, permit, visit.database, reducing)
    return _back(visit, form, "cancelled")


@router.post(f"{QUEUE}/jobs/{{job_id}}/retry")
def retry_job(
    job_id: IdPath, visit: VisitDep, permit: MayControl, reducing: ReducingDep, form: FormDep
) -> Response:
    """Try a reduction again."""
    reduction_routes.retry_job(job_id, permit, visit.database, reducing)
    return _back(visit, form, "retried")


@router.post(f"{QUEUE}/batches/{{batch_id}}/cancel")
def cancel_batch(
    batch_id: IdPath, visit: VisitDep, permit: MayControl, reducing: ReducingDep, form: FormDep
) -> Response:
    """Cancel what has not ended of a batch."""
    batch_routes.cancel_batch(batch_id, permit, visit.database, reducing)
    return _back(visit, form, "cancelled")


@router.post(f"{QUEUE}/batches/{{batch_id}}/retry")
def retry_batch(
    batch_id: IdPath, visit: VisitDep, permit: MayControl, reducing: ReducingDep, form: FormDep
) -> Response:
    """Try again what failed of a batch."""
    batch_routes.retry_batch(batch_id, permit, visit.database, reducing)
    return _back(visit, form, "retried")


def _back(visit: Visit, form: Form, done: str) -> Response:
    return visit.back(form.text("next", QUEUE), done)


@router.get(OUTBOX)
def outbox(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.SEE_OUTBOX)],
    state: Annotated[MessageState | None, Query()] = None,
    cursor: Cursor = None,
) -> Response:
    """Show what became of e-mails."""
    found = outbox_routes.list_messages(permit, visit.database, state, None, ROWS, cursor)
    sends = bool(visit.settings.smtp_host)
    return visit.page("staff/outbox.html", found=found, state=state, sends=sends, tabs=_tabs(OUTBOX))
