"""What the queue holds of a campaign, and whether more of it may be planned."""

import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from typing import Literal

from cluster.jobs.job import Job, Order
from cluster.jobs.store import JobStore

PAGE = 1000
PLAN = "umbra-plan-1"
LEASE_S = 60.0


class Gate:
    """A job that stands for the planning of a campaign: cancelled or held with the others.

    What is not planned yet has no job that could be cancelled or held. So a run has one of its own while it
    plans, which nobody does. That of a run which died stays, unseen: another run cannot tell it from a live
    one's.

    Parameters
    ----------
    queue : JobStore
    campaign : str
    """

    def __init__(self, queue: JobStore, campaign: str) -> None:
        self._queue = queue
        self._id = hashlib.sha256(f"{PLAN}\0{campaign}\0{secrets.token_hex(16)}".encode()).hexdigest()
        self._campaign, self._sent, self._over = campaign, False, False

    def submit(self, orders: Sequence[Order]) -> None:
        """Send orders; where the campaign was cancelled or paused meanwhile, they are so, too."""
        self._queue.submit(orders)
        state = self._queue.get(self._id).state
        if state == "cancelled":
            self._queue.cancel([order.id for order in orders])
        elif state == "held":
            self._queue.hold(self._campaign)

    def state(self, planned: bool) -> Literal["open", "held", "cancelled"]:
        """Whether more may be planned; `planned`: everything is."""
        if self._over:
            return "open"
        if not self._sent:
            self._queue.submit([Order(self._id, json.dumps({"form": PLAN}), campaign=self._campaign)])
            self._sent = True
            return "open"
        if planned:
            for claim in self._queue.claim("planning", LEASE_S, jobs=[self._id]):
                self._queue.finish(claim, "planned")
            self._over = True
            return "open"
        state = self._queue.get(self._id).state
        if state == "cancelled":
            return "cancelled"
        return "held" if state == "held" else "open"


def is_plan(job: Job) -> bool:
    """Whether a job stands for planning, and is no observation's."""
    return PLAN in job.payload and not station_of(job)


def all_jobs(queue: JobStore, campaign: str) -> Iterator[Job]:
    """Every job of a campaign, by place."""
    after = 0
    while found := queue.jobs(campaign, after=after, limit=PAGE):
        yield from found
        after = found[-1].place


def station_of(job: Job) -> str:
    """Whose job it is; empty where the payload is of no campaign."""
    try:
        return str(json.loads(job.payload)["station"])
    except (ValueError, KeyError, TypeError):
        return ""
