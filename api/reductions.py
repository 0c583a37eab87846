"""Routes of reductions of the data folder, for the local operator and staff."""

import asyncio
import time
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import FileResponse

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.jobs import FolderReductionBody, Job, Status
from api.problems import Problem, responses
from api.supervisor import Supervisor
from reduction.outputs.page import POLICY
from reduction.plan import Settings
from reduction.version import VERSION

PREFIX = "/api/v1"
FOLDER = f"{PREFIX}/folder"
POLL_S = 0.1
MOST_BODY_BYTES = 256 * 1024
LONGEST_WAIT_S = 60.0
REPORT_POLICY = f"{POLICY}; frame-ancestors 'none'; sandbox"

router = APIRouter(prefix=PREFIX)


async def supervisor_of(request: Request) -> Supervisor:
    """Return the supervisor of the app."""
    supervisor: Supervisor = request.app.state.supervisor
    return supervisor


Jobs = Annotated[Supervisor, Depends(supervisor_of)]
MayReduce = Annotated[Permit, may(Operation.REDUCE_FOLDER)]
MaySee = Annotated[Permit, may(Operation.SEE_FOLDER_JOB)]
MayAsk = Annotated[Permit, may(Operation.SEE_HEALTH)]


class Progress(Settings):
    """How far a stage is."""

    stage: str
    done: int
    total: int


class Links(Settings):
    """Where to go on; results are null until the job is done."""

    self: str
    lightcurve: str | None = None
    summary: str | None = None
    report: str | None = None


class FolderJobView(Settings):
    """A job as clients see it."""

    id: str
    status: Status
    progress: Progress | None
    error: Problem | None
    submitted: datetime
    started: datetime | None
    finished: datetime | None
    result_key: str | None
    links: Links


class Health(Settings):
    """Whether the service works, and what it has to do."""

    status: str
    version: str
    workers: int
    queued: int
    running: int


def view_of(job: Job, jobs: Supervisor) -> FolderJobView:
    """Return what a client sees of a job."""
    report = jobs.report(job.id) if job.status == "running" else None
    base = f"{FOLDER}/reductions/{job.id}"
    links = Links(self=f"{FOLDER}/jobs/{job.id}")
    if job.status == "done":
        links = Links(
            self=links.self,
            lightcurve=f"{base}/lightcurve.csv",
            summary=f"{base}/summary.json",
            report=f"{base}/report.html",
        )
    return FolderJobView(
        id=job.id,
        status=job.status,
        progress=None if report is None else Progress(stage=report[0], done=report[1], total=report[2]),
        error=job.error,
        submitted=job.submitted,
        started=job.started,
        finished=job.finished,
        result_key=job.key,
        links=links,
    )


@router.post(
    "/folder/reductions",
    status_code=202,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 413, 422, 503),
    summary="Ask for a reduction",
)
def submit(
    body: FolderReductionBody,
    response: Response,
    jobs: Jobs,
    _permit: MayReduce,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> FolderJobView:
    """Reduce a recording of the data folder.

    The same request of the same files is the same job, however often it is sent. `Location` is the job.
    """
    job = jobs.submit(body, idempotency_key)
    response.headers["Location"] = f"{FOLDER}/jobs/{job.id}"
    return view_of(job, jobs)


@router.get(
    "/folder/jobs/{job_id}", responses=responses(401, 403, 404, 422, 503), summary="What has become of a job"
)
async def job_status(
    job_id: str,
    request: Request,
    jobs: Jobs,
    _permit: MaySee,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 0,
) -> FolderJobView:
    """Tell a job's state; with `wait`, when it is done or failed, or after so many seconds."""
    job = jobs.get(job_id)
    ends = time.monotonic() + wait
    while not job.ended and time.monotonic() < ends and not jobs.stopping.is_set():
        await asyncio.sleep(POLL_S)
        if await request.is_disconnected():
            break
        job = jobs.get(job_id)
    return view_of(job, jobs)


@router.get(
    "/folder/reductions/{job_id}/lightcurve.csv",
    response_class=FileResponse,
    responses=responses(401, 403, 404, 409, 410, 422, 503),
    summary="The light curve",
)
def lightcurve(job_id: str, jobs: Jobs, _permit: MaySee) -> FileResponse:
    """Return the target's light curve: CSV, one row per sample."""
    return FileResponse(jobs.result(job_id, "lightcurve.csv"), media_type="text/csv; charset=utf-8")


@router.get(
    "/folder/reductions/{job_id}/summary.json",
    response_class=FileResponse,
    responses=responses(401, 403, 404, 409, 410, 422, 503),
    summary="The figures, for programs",
)
def summary(job_id: str, jobs: Jobs, _permit: MaySee) -> FileResponse:
    """Return settings, figures, caveats, verdict and provenance."""
    return FileResponse(jobs.result(job_id, "summary.json"), media_type="application/json")


@router.get(
    "/folder/reductions/{job_id}/report.html",
    response_class=FileResponse,
    responses=responses(401, 403, 404, 409, 410, 422, 503),
    summary="The report, for people",
)
def report(job_id: str, jobs: Jobs, _permit: MaySee) -> FileResponse:
    """Return the report: one page that loads nothing and runs nothing."""
    path = jobs.result(job_id, "report.html")
    headers = {"Content-Security-Policy": REPORT_POLICY}
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/health", summary="Whether the service works")
def health(jobs: Jobs, _permit: MayAsk) -> Health:
    """Tell version and load."""
    return Health(
        status="stopping" if jobs.stopping.is_set() else "ok",
        version=VERSION,
        workers=jobs.workers,
        queued=jobs.count("queued"),
        running=jobs.count("running"),
    )
