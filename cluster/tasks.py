"""The tasks of Umbra on Ray, and nothing else: the only file with ``ray.remote``.

A task is an ordinary function, so it can be called in-process too. Pickled bytes go to the workers, not
arrays: Ray hands arrays over read-only, for which numba would compile every kernel a second time.
"""

import json
import os
import pickle
import time
from dataclasses import dataclass
from pathlib import Path

import ray

from cluster.edition import edition
from cluster.location import Location, reopen
from cluster.recording import ReductionRequest, reduce_to_folder
from reduction.cores import at_most
from reduction.errors import ResourceError
from reduction.scan import Progress
from reduction.segment import Segment, measure_segment
from reduction.survey import Survey
from reduction.view import Recipe, View

PROGRESS_INTERVAL_S = 0.25
TASK_CPUS = 1
"""What a task asks of Ray, and how many threads it works with: Ray does not bind its workers."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What every segment of one recording needs, besides its span."""

    location: Location
    survey: Survey
    recipe: Recipe
    block: int


def check_edition(expected: str) -> None:
    """Refuse work of another edition of Umbra.

    Raises
    ------
    ResourceError
        This worker runs another edition than the one that sends the work.
    """
    if expected != edition():
        raise ResourceError(
            f"the worker runs Umbra {edition()}, the work comes from Umbra {expected}; "
            "install the same version on every node"
        )


_held: dict[str, tuple[Work, View]] = {}
"""The recording that this worker has open, by the digest of its work; at most one."""


def measure_span(expected: str, work_id: str, work: bytes, start: int, stop: int) -> Segment:
    """Measure frames `start` to `stop` (excluded) of the recording of a pickled `Work`.

    Raises
    ------
    ResourceError
        The worker runs another edition of Umbra, or does not see the recording.
    DataError
        The recording changed, or cannot be read.
    """
    check_edition(expected)
    if work_id not in _held:
        for _, old in _held.values():
            old.stack.close()
        _held.clear()
        loaded: Work = pickle.loads(work)
        _held[work_id] = (loaded, View(reopen(loaded.location), loaded.recipe))
    held, view = _held[work_id]
    with at_most(TASK_CPUS):
        return measure_segment(held.survey, view, start, stop, held.block)


def reduce_whole(expected: str, request: str, out: str, overwrite: bool, progress: str) -> str:
    """Reduce a whole recording into the folder `out`; the result's key.

    Parameters
    ----------
    expected : str
        Edition of whoever sends the work.
    request : str
        A `ReductionRequest` as JSON.
    out : str
        Folder of the results, on a file system that the sender sees.
    overwrite : bool
        Replace earlier results.
    progress : str
        File that holds the latest ``[stage, done, total]`` as JSON, replaced in one step.

    Raises
    ------
    UmbraError
        As `reduce_to_folder`, and `ResourceError` for another edition of Umbra.
    """
    check_edition(expected)
    parsed = ReductionRequest.model_validate_json(request)
    with at_most(TASK_CPUS):
        result = reduce_to_folder(parsed, Path(out), overwrite, progress_file(Path(progress)))
    return result.provenance.key


def perform_order(
    expected: str, payload: str, job: str, attempt: int, scratch: str | None, progress: str
) -> str:
    """Reduce a campaign's recording and publish its results in the store; the account, JSON.

    Parameters
    ----------
    expected : str
        Edition of whoever sends the work.
    payload : str
        `cluster.campaign.orders.Work` as JSON.
    job : str
    attempt : int
        The fencing token.
    scratch : str or None
        Folder to work in; this node's folder for temporary files where it is None, or not there.
    progress : str
        As `reduce_whole`; nothing is reported where its folder is not to be seen from here.

    Raises
    ------
    UmbraError
        As `cluster.campaign.performing.perform`, and `ResourceError` for another edition of Umbra.
    """
    from cluster.campaign.orders import work_of
    from cluster.campaign.performing import perform

    check_edition(expected)
    news, room = Path(progress), None if scratch is None else Path(scratch)
    report = progress_file(news) if news.parent.is_dir() else None
    with at_most(TASK_CPUS):
        room = room if room is not None and room.is_dir() else None
        return perform(work_of(payload), job, attempt, room, report).text


def progress_file(path: Path) -> Progress:
    """Return a progress callback that keeps the latest report in a file."""
    last: tuple[str, float] = ("", 0.0)

    def report(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if stage == last[0] and done < total and now - last[1] < PROGRESS_INTERVAL_S:
            return
        last = (stage, now)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_text(json.dumps([stage, done, total]), encoding="utf-8")
        beside.replace(path)

    return report


measure_span_task = ray.remote(num_cpus=TASK_CPUS)(measure_span)
reduce_whole_task = ray.remote(num_cpus=TASK_CPUS)(reduce_whole)
perform_order_task = ray.remote(num_cpus=TASK_CPUS)(perform_order)
