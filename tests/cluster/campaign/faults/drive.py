"""`umbra` with short leases and pauses, which tells in a file what is begun and ended, and by which process.

Run as ``python -m tests.cluster.campaign.faults.drive TRACE campaign run ...``.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import umbra
from cluster.campaign import hands, performing, supervisor
from cluster.campaign.account import Account
from cluster.store.published import ObjectStore
from cluster.store.records import Commit
from reduction.segment import measure_segment

LEASE_S = 4.0
"""Long enough for a busy machine: it is renewed every `RENEW_S`."""

RENEW_S = 0.5
SHARED_BYTES = 1 << 20
UPLOADED_S = 0.2
"""Between the upload of a result and its commit: long enough to be hit."""

SPAN_S = 0.15
"""The same of a segment, which takes some milliseconds otherwise."""


def tell(trace: str, *words: object) -> None:
    """Add a line, whole or not at all, whoever else writes there."""
    descriptor = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
    finally:
        os.close(descriptor)


def traced(trace: str, work: Callable[..., Any], what: Callable[..., str]) -> Callable[..., Any]:
    """The same work, told of; a function of no module, so that Ray's workers get it with its `trace`."""

    def told(*arguments: Any, **named: Any) -> Any:
        name = what(*arguments)
        tell(trace, "begun", name, os.getpid())
        found = work(*arguments, **named)
        known = isinstance(found, str) and bool(json.loads(found)["known"])
        tell(trace, "known" if known else "ended", name, os.getpid())
        return found

    told.__name__ = told.__qualname__ = work.__name__
    return told


def order(_expected: str, _payload: str, job: str, attempt: int, *_: object) -> str:
    """Name of an order on Ray."""
    return f"{job}/{attempt}"


def span(_survey: object, _view: object, start: int, stop: int, *_: object) -> str:
    """Name of a segment."""
    return f"{start}-{stop}"


def trace_uploads(trace: str) -> None:
    """Have it told when a result is uploaded and not yet committed, and that take a while."""
    uploaded = ObjectStore._uploaded
    if uploaded.__name__ == "told":
        return

    def told(store: ObjectStore, kind: Any, key: str, *arguments: Any) -> Commit:
        commit = uploaded(store, kind, key, *arguments)
        tell(trace, "uploaded", f"{kind}/{key}", os.getpid())
        time.sleep(UPLOADED_S)
        return commit

    ObjectStore._uploaded = told  # type: ignore[method-assign, assignment]  # a step of one method


def trace_tasks(trace: str) -> None:
    """Have the tasks on Ray told of."""
    import ray

    from cluster import tasks

    def traced_order() -> Callable[..., Any]:
        """A worker's own way to do an order, told of; it stays, for the next task of the same worker."""
        kept = vars(tasks)
        if "plain_order" not in kept:
            kept["plain_order"] = tasks.perform_order
            kept["perform_order"] = traced(trace, tasks.perform_order, order)
        return tasks.perform_order

    def measure_span(*arguments: Any) -> Any:
        """The task, by a worker that tells what it measures."""

        def measured(*arguments: Any) -> Any:
            time.sleep(SPAN_S)
            return measure_segment(*arguments)

        vars(tasks)["measure_segment"] = traced(trace, measured, span)
        return tasks.measure_span(*arguments)

    def perform_order(*arguments: Any) -> Any:
        """The task, by a worker whose own tasks tell what they measure."""
        trace_uploads(trace)
        tasks.measure_span_task = ray.remote(num_cpus=tasks.TASK_CPUS)(measure_span)
        return traced_order()(*arguments)

    def perform_orders(*arguments: Any) -> Iterator[Any]:
        """The same of a batch."""
        trace_uploads(trace)
        traced_order()
        yield from tasks.perform_orders(*arguments)

    tasks.perform_order_task = ray.remote(num_cpus=tasks.TASK_CPUS)(perform_order)
    batch = ray.remote(num_cpus=tasks.TASK_CPUS, num_returns="streaming")(perform_orders)
    tasks.perform_orders_task = batch


def trace_here(trace: str) -> None:
    """Have what this process reduces told of."""
    perform = performing.perform

    def told(work: Any, job: str, attempt: int, *arguments: Any, **named: Any) -> Account:
        tell(trace, "begun", f"{job}/{attempt}", os.getpid())
        account = perform(work, job, attempt, *arguments, **named)
        tell(trace, "known" if account.known else "ended", f"{job}/{attempt}", os.getpid())
        return account

    performing.perform = told
    trace_uploads(trace)


def main() -> None:
    """Run the command that follows the trace's name."""
    trace = sys.argv.pop(1)
    Path(trace).touch()
    supervisor.LEASE_S, supervisor.RENEW_S = LEASE_S, RENEW_S
    supervisor.IDLE_S, hands.SHARED_BYTES = 0.3, SHARED_BYTES
    supervisor.AGAIN_S = (0.5, 1.0, 2.0)
    trace_here(trace)
    if "run" in sys.argv and "none" not in sys.argv:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        trace_tasks(trace)
    umbra.main()


if __name__ == "__main__":
    main()
