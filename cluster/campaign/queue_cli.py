"""The verbs that look into a campaign's queue, or steer it: status, cancel, pause, resume, retry-failed."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cluster.campaign.gate import all_jobs, is_plan, station_of
from cluster.campaign.places import open_queue
from cluster.jobs.job import STATES, Job
from cluster.jobs.sql import SqlJobStore
from reduction.command import run_verb
from reduction.errors import RequestError
from reduction.timing import utc_text

Store = Annotated[str, typer.Argument(metavar="STORE", help="The store that the campaign runs into.")]
Campaign = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its name.")]
Jobs = Annotated[
    str | None, typer.Option("--jobs", metavar="URL", help="The queue's database, if not in the store.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one observation stands: its latest job."""

    station: str
    job: Job

    @property
    def plain(self) -> dict[str, Any]:
        """For JSON."""
        job = self.job
        fields = {
            "station": self.station, "state": job.state, "job": job.id, "attempts": job.attempts,
            "deaths": job.deaths, "worker": job.worker, "result": job.result, "failure": job.failure,
            "error": job.error, "cancelling": job.cancelling,
        }  # fmt: skip
        times = {name: getattr(job, name) for name in ("submitted", "started", "finished")}
        return fields | {
            name: None if at is None else utc_text(round(at * 1e9), 3) for name, at in times.items()
        }


def standings(queue: SqlJobStore, campaign: str) -> list[Standing]:
    """The latest job of each observation, in the order of their first ones.

    Raises
    ------
    RequestError
        The queue knows no such campaign.
    """
    latest: dict[str, Standing] = {}
    for job in all_jobs(queue, campaign):
        if not is_plan(job):
            latest[station_of(job)] = Standing(station_of(job), job)
    if not latest:
        raise RequestError(f"campaign {campaign!r}: the queue has no job of it; see to the name")
    return list(latest.values())


@contextmanager
def _opened(store: str, jobs: str | None, campaign: str) -> Iterator[SqlJobStore]:
    """The queue, which has jobs of the campaign."""
    with open_queue(store, jobs, make=False) as queue:
        if not queue.counts(campaign):
            raise RequestError(f"campaign {campaign!r}: the queue has no job of it; see to the name")
        yield queue


def status(arguments: list[str]) -> int:
    """Run `umbra campaign status`; returns the exit code."""
    return run_verb("campaign status", _status, arguments)


def _status(
    store: Store,
    campaign: Campaign,
    jobs: Jobs = None,
    every: Annotated[
        bool, typer.Option("--all", help="A line for each observation, not failures alone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what has become of a campaign's observations."""
    with _opened(store, jobs, campaign) as queue:
        found = standings(queue, campaign)
    counts = Counter(standing.job.state for standing in found)
    if as_json:
        content = {
            "umbra_campaign_status": 1, "campaign": campaign, "total": len(found),
            "counts": {state: counts[state] for state in STATES},
            "observations": [standing.plain for standing in found],
        }  # fmt: skip
        sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        return
    said = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    lines = [f"{campaign}: {len(found)} observations: {said}"]
    for standing in found:
        job = standing.job
        if job.state == "failed":
            lines.append(f"  {standing.station}: failed ({job.failure}): {job.error}")
        elif every or job.state in {"running", "cancelled"}:
            more = ", is to stop" if job.cancelling else ""
            lines.append(f"  {standing.station}: {job.state}{more}")
    sys.stdout.write("\n".join(lines) + "\n")


def cancel(arguments: list[str]) -> int:
    """Run `umbra campaign cancel`; returns the exit code."""
    return run_verb("campaign cancel", _cancel, arguments)


def _cancel(store: Store, campaign: Campaign, jobs: Jobs = None, as_json: AsJson = False) -> None:
    """Cancel all that has not ended: at once what waits, within seconds what runs."""
    _steer(store, jobs, campaign, as_json, "cancelled", lambda queue: queue.cancel(campaign=campaign))


def pause(arguments: list[str]) -> int:
    """Run `umbra campaign pause`; returns the exit code."""
    return run_verb("campaign pause", _pause, arguments)


def _pause(store: Store, campaign: Campaign, jobs: Jobs = None, as_json: AsJson = False) -> None:
    """Let nothing more of a campaign begin; what runs is finished."""
    _steer(store, jobs, campaign, as_json, "held", lambda queue: queue.hold(campaign))


def resume(arguments: list[str]) -> int:
    """Run `umbra campaign resume`; returns the exit code."""
    return run_verb("campaign resume", _resume, arguments)


def _resume(store: Store, campaign: Campaign, jobs: Jobs = None, as_json: AsJson = False) -> None:
    """Let a paused campaign go on."""
    _steer(store, jobs, campaign, as_json, "queued", lambda queue: queue.resume(campaign))


def retry_failed(arguments: list[str]) -> int:
    """Run `umbra campaign retry-failed`; returns the exit code."""
    return run_verb("campaign retry-failed", _retry_failed, arguments)


def _retry_failed(
    store: Store,
    campaign: Campaign,
    jobs: Jobs = None,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="The cancelled ones, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Queue failed observations again; umbra campaign run does them. Their logs are kept."""
    states = {"failed", "cancelled"} if cancelled else {"failed"}

    def work(queue: SqlJobStore) -> int:
        return len(queue.retry([s.job.id for s in standings(queue, campaign) if s.job.state in states]))

    _steer(store, jobs, campaign, as_json, "queued", work)


def _steer(
    store: str, jobs: str | None, campaign: str, as_json: bool, word: str, work: Callable[[SqlJobStore], int]
) -> None:
    """Do something to a queue, and say to how many jobs."""
    with _opened(store, jobs, campaign) as queue:
        count = work(queue)
        counts = Counter(standing.job.state for standing in standings(queue, campaign))
    if as_json:
        sys.stdout.write(json.dumps({"campaign": campaign, word: count, "counts": counts}) + "\n")
    else:
        jobs_text = "1 job" if count == 1 else f"{count} jobs"
        sys.stdout.write(f"{campaign}: {jobs_text} {word}\n")
