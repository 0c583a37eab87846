"""What the queue costs a job: sent, claimed four at a time, ended, one after the other."""

import hashlib
import time
from pathlib import Path

from cluster.jobs.database import Database
from cluster.jobs.job import Order
from cluster.jobs.sql import SqlJobStore

JOBS = 200
AT_ONCE = 4


def queue_costs(scratch: Path) -> dict[str, float]:
    """Milliseconds a job takes of its supervisor by the clock, each database on this machine."""
    found = {"SQLite, ms a job": _cost(str(scratch / "queue.sqlite"))}
    from tests import postgres
    from tests.requirements import found as installed

    if installed("postgres"):
        with postgres.running() as server:
            found["PostgreSQL, ms a job"] = _cost(server.url)
    return found


def _cost(url: str) -> float:
    orders = [Order(hashlib.sha256(str(n).encode()).hexdigest(), "{}", campaign="c") for n in range(JOBS)]
    with SqlJobStore(Database(url)) as queue:
        began = time.perf_counter()
        queue.submit(orders)
        while claims := queue.claim("bench", 60.0, AT_ONCE):
            for claim in claims:
                queue.finish(claim, claim.id)
        return round(1e3 * (time.perf_counter() - began) / JOBS, 3)
