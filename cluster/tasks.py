"""The tasks of Umbra on Ray, and nothing else: the only file with ``ray.remote``.

A task is an ordinary function, so it can be called in-process too. Pickled bytes go to the workers, not
arrays: Ray hands arrays over read-only, for which numba would compile every kernel a second time.
"""

import hashlib
import json
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import ray

from cluster.crew import Decoding, Looking, Measuring, RayCrew, Tasks, as_pictures
from cluster.edition import edition
from cluster.location import not_seen, reopen
from cluster.recording import ReductionRequest, reduce_to_folder
from cluster.stopping import RETRIES
from ingest.convert import write_partition
from ingest.durable import put
from reduction.cores import at_most
from reduction.errors import ResourceError, UmbraError
from reduction.outputs.folder import DRAWING
from reduction.scan import Look, Progress, look, look_at
from reduction.segment import Segment, measure_segment
from reduction.stack import Stack
from reduction.view import View

if TYPE_CHECKING:
    from cluster.campaign.orders import Work
    from cluster.campaign.prefetch import Brought

Value = TypeVar("Value")

PROGRESS_INTERVAL_S = 0.25
TASK_CPUS = 1
"""What a task asks of Ray, and how many threads it works with: Ray does not bind its workers."""


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


_held: dict[str, tuple[Any, Stack | None]] = {}
"""What this worker has at hand of the recording that it works on, by an identity; at most one."""


def _of(identity: str, content: bytes) -> tuple[Any, Stack | None]:
    """A pickled `Measuring`, `Looking` or `Decoding`, and the recording opened for it."""
    if identity not in _held:
        for _, old in _held.values():
            if old is not None:
                old.close()
        _held.clear()
        loaded: Measuring | Looking | Decoding = pickle.loads(content)
        stack = None
        if not isinstance(loaded, Decoding):
            stack = as_pictures(reopen(loaded.location), loaded.pictures)
        _held[identity] = (loaded, stack)
    return _held[identity]


def _once(folder: Path | None, name: str, work: Callable[[], Value]) -> Value:
    """What `work` makes, kept in a folder; what is kept there is not made again."""
    if folder is None:
        return work()
    path = folder / name
    try:
        content = path.read_bytes()
        if hashlib.sha256(content[32:]).digest() == content[:32]:
            kept: Value = pickle.loads(content[32:])
            return kept
    except FileNotFoundError:
        pass
    value = work()
    content = pickle.dumps(value, protocol=5)
    try:
        put(path, [hashlib.sha256(content).digest(), content], False)
    except OSError as error:
        raise ResourceError(
            f"{path}: cannot be written: {error.strerror or error}; make room there"
        ) from error
    return value


def measure_span(expected: str, identity: str, work: bytes, start: int, stop: int) -> Segment:
    """Measure samples `start` to `stop` (excluded) of the recording of a pickled `Measuring`.

    Raises
    ------
    ResourceError
        The worker runs another edition of Umbra, or does not see the recording.
    DataError
        The recording changed, or cannot be read.
    """
    check_edition(expected)
    held, stack = _of(identity, work)
    assert stack is not None

    def measured() -> Segment:
        return measure_segment(held.survey, View(stack, held.recipe), start, stop, held.block)

    with at_most(TASK_CPUS):
        return _once(held.kept, f"segment-{start}-{stop}", measured)


def look_at_span(expected: str, identity: str, work: bytes, start: int, stop: int) -> Look:
    """Look at frames `start` to `stop` (excluded) of the recording of a pickled `Looking`.

    Raises as `measure_span`.
    """
    check_edition(expected)
    held, stack = _of(identity, work)
    assert stack is not None
    with at_most(TASK_CPUS):
        return _once(held.kept, f"look-{start}-{stop}", lambda: look(stack, start, stop, held.block))


def decode_span(expected: str, identity: str, work: bytes, start: int, stop: int) -> Look | None:
    """Decode and look at frames `start` to `stop` (excluded), a shard of the stack of a pickled `Decoding`.

    None where they cannot be decoded on their own.

    Raises
    ------
    ResourceError
        The worker runs another edition of Umbra, does not see the recording, or the disk is full.
    DataError
        The recording cannot be read.
    """
    from ingest.video_parallel import NotIndependentError

    check_edition(expected)
    held, _ = _of(identity, work)
    for path in (held.source.path, held.stack):
        if not path.exists():
            raise not_seen(path)
    with at_most(TASK_CPUS):
        try:
            frames = held.source.read_range(start, stop)
        except NotIndependentError:
            return None
        write_partition(held.stack, start // held.shard, frames, durable=False)
        return look_at(frames)


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
    expected: str,
    payload: str,
    job: str,
    attempt: int,
    scratch: str | None,
    progress: str,
    workers: int = 0,
    memory_bytes: int = 0,
    brought: "Brought | None" = None,
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
    workers : int
        How many share the work, by tasks of this one's; 0: this worker does it alone.
    memory_bytes : int
        What each of those tasks declares to need.
    brought : Brought, optional
        Has what was brought of the store already.

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
    crew = RayCrew(Tasks(ray, workers, RETRIES, memory_bytes)) if workers else None
    with at_most(max(TASK_CPUS, workers)):  # who leads does alone what cannot be shared, and they wait for it
        room = room if room is not None and room.is_dir() else None
        return perform(on_given_gpu(work_of(payload)), job, attempt, room, report, crew, brought).text


def perform_orders(
    expected: str, orders: Sequence[tuple[str, str, int, str]], scratch: str | None
) -> Iterator[str | UmbraError]:
    """Do orders one after the other; of each its account, or the error of Umbra that it ended with.

    What the next one reads of the store is brought meanwhile.

    Parameters
    ----------
    orders : sequence of tuple
        Payload, job, attempt and progress of each, as of `perform_order`.

    Raises
    ------
    ResourceError
        The worker runs another edition of Umbra, or its disk is full.
    """
    from cluster.campaign.prefetch import Ahead

    check_edition(expected)
    room = None if scratch is None or not Path(scratch).is_dir() else Path(scratch)
    following = [payload for payload, *_ in orders[1:]]
    with Ahead(room) as ahead:
        for order, after in zip_longest(orders, following):
            payload, job, attempt, progress = order
            mine = ahead.turn(after)
            try:
                account = perform_order(expected, payload, job, attempt, scratch, progress, brought=mine)
            except UmbraError as error:
                yield error
            else:
                yield account


def get_ready(expected: str) -> None:
    """Load what a reduction needs, before there is one to be done.

    Raises
    ------
    ResourceError
        The worker runs another edition of Umbra.
    """
    check_edition(expected)
    for name in ("cluster.campaign.performing", "gpu_kernels._numba", *DRAWING):
        import_module(name)


def on_given_gpu(work: "Work") -> "Work":
    """The same work on the GPU that this task was given: the one that this process sees is its first."""
    if not work.request.device.startswith("cuda") or not ray.get_gpu_ids():
        return work
    return replace(work, request=work.request.model_copy(update={"device": "cuda:0"}))


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
look_at_span_task = ray.remote(num_cpus=TASK_CPUS)(look_at_span)
decode_span_task = ray.remote(num_cpus=TASK_CPUS)(decode_span)
reduce_whole_task = ray.remote(num_cpus=TASK_CPUS)(reduce_whole)
get_ready_task = ray.remote(num_cpus=TASK_CPUS, max_retries=0)(get_ready)
perform_order_task = ray.remote(num_cpus=TASK_CPUS)(perform_order)
perform_orders_task = ray.remote(num_cpus=TASK_CPUS, num_returns="streaming")(perform_orders)
