"""Who shares the work on one recording: this process alone, or tasks of Ray, a bounded number at a time."""

import pickle
import secrets
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cluster.edition import edition
from cluster.location import Location
from cluster.stopping import DiedError, StoppedError
from ingest.convert import Partition, Progress, Writer
from ingest.ranged import Ranged, ranged
from reduction.errors import UmbraError
from reduction.pictures import IntegratedStack, Pictures
from reduction.run import SegmentRunner, in_process
from reduction.scan import Look, Looker, look_here
from reduction.segment import Segment
from reduction.stack import FrameSource, Stack
from reduction.survey import Survey
from reduction.view import Recipe, View

if TYPE_CHECKING:
    from ray import ObjectRef, ObjectRefGenerator

QUEUE_PER_WORKER = 2
"""Spans under way for each worker: one that runs, one that waits; the bound on memory."""

POLL_S = 0.2


class Crew(Protocol):
    """Shares the work on one recording."""

    def keeping(self, folder: Path) -> "Crew":
        """The same, with what is done kept in a folder: whoever comes after a death does not do it again."""
        ...

    def writer(self) -> Writer | None:
        """What decodes a recording into a stack; None: the process that asks."""
        ...

    def looker(self, location: Location) -> Looker:
        """What looks at all frames of the recording at `location`, in pass 1."""
        ...

    def segments(self, location: Location) -> SegmentRunner:
        """What runs pass 2 of the recording at `location`."""
        ...


class Alone:
    """All work is done by this process."""

    def keeping(self, _folder: Path) -> "Alone":
        """Nothing is kept of a process that dies."""
        return self

    def writer(self) -> Writer | None:
        """Nothing but the process that asks."""
        return None

    def looker(self, _location: Location) -> Looker:
        """It looks at the frames on all its cores."""
        return look_here

    def segments(self, _location: Location) -> SegmentRunner:
        """It measures the segments."""
        return in_process


@dataclass(frozen=True, slots=True, eq=False)
class Measuring:
    """What every segment of one recording needs, besides its span."""

    location: Location
    pictures: Pictures | None
    survey: Survey
    recipe: Recipe
    block: int
    kept: Path | None


@dataclass(frozen=True, slots=True, eq=False)
class Looking:
    """The same of pass 1's look at all frames."""

    location: Location
    pictures: Pictures | None
    block: int
    kept: Path | None


@dataclass(frozen=True, slots=True, eq=False)
class Decoding:
    """The same of a recording that is decoded into a stack."""

    source: Ranged
    stack: Path
    shard: int


def _unbound(_what: str) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True, eq=False)
class Tasks:
    """Tasks of Ray for the spans of one recording.

    Attributes
    ----------
    ray : module
        Initialised: in a driver, or in a worker, whose tasks these then are.
    workers : int
        How many run at once.
    retries : int
        How often one is begun again when its worker dies.
    memory_bytes : int
        What each declares to need.
    in_use : callable
        Keeps Ray from being shut down meanwhile.
    stopped : callable
        Whether all work is to end.
    """

    ray: Any
    workers: int
    retries: int
    memory_bytes: int = 0
    in_use: Callable[[str], AbstractContextManager[None]] = _unbound
    stopped: Callable[[], bool] = field(default=lambda: False)

    @property
    def options(self) -> dict[str, Any]:
        """What a task declares."""
        declared: dict[str, Any] = {"max_retries": self.retries}
        return declared | ({"memory": self.memory_bytes} if self.memory_bytes else {})

    def in_order(
        self, task: str, shared: object, spans: Sequence[tuple[int, int]], name: str
    ) -> Generator[Any]:
        """Values of one of `cluster.tasks` for each span, in order.

        At most `QUEUE_PER_WORKER` for each worker are under way or wait to be taken; a reader that is slow
        keeps more from being begun.

        Raises
        ------
        UmbraError
            As the task; `DiedError` where workers die again and again, `StoppedError` when it is stopped.
        """
        from cluster import tasks

        pending: deque[tuple[int, int, ObjectRef[Any]]] = deque()
        waiting = deque(spans)
        identity = secrets.token_hex(16)
        content = pickle.dumps(shared, protocol=5)
        with self.in_use(name):
            remote = getattr(tasks, task).options(**self.options)
            work = self.ray.put(content)
        try:
            while waiting or pending:
                with self.in_use(name):
                    while waiting and len(pending) < QUEUE_PER_WORKER * self.workers:
                        start, stop = waiting.popleft()
                        pending.append((start, stop, remote.remote(edition(), identity, work, start, stop)))
                start, stop, ref = pending[0]
                value = self.value(ref, f"{name}: frames {start} to {stop - 1}")
                pending.popleft()
                yield value
        finally:
            self.cancel([ref for _, _, ref in pending])

    def values(
        self, stream: "ObjectRefGenerator[Any]", what: str, meanwhile: Callable[[], None]
    ) -> Generator[Any]:
        """Values of a task that yields several, as they come; raises as `value`."""
        try:
            while True:
                with self.in_use(what):
                    while not self.ray.wait([stream], timeout=POLL_S, fetch_local=False)[0]:
                        self._go_on(what)
                        meanwhile()
                    ref = next(stream, None)
                if ref is None:
                    return
                yield self.value(ref, what)
        finally:
            self.cancel([stream.completed()])

    def value(self, ref: "ObjectRef[Any]", what: str, meanwhile: Callable[[], None] | None = None) -> Any:
        """Value of a task; errors of Umbra as themselves."""
        errors = self.ray.exceptions
        with self.in_use(what):
            ended: list[Any] = []
            while not ended:
                self._go_on(what)
                ended, _ = self.ray.wait([ref], timeout=POLL_S)
                if meanwhile is not None:
                    meanwhile()
            try:
                return self.ray.get(ref)
            except errors.RayTaskError as error:
                if isinstance(error.cause, UmbraError):
                    raise error.cause from None
                raise
            except errors.RayError as error:
                raise DiedError(
                    f"{what}: its worker died ({type(error).__name__}) as often as it was tried, maybe for "
                    "lack of memory; use fewer workers, and see Ray's logs in /tmp/ray/session_latest/logs"
                ) from error

    def _go_on(self, what: str) -> None:
        if self.stopped():
            raise StoppedError(f"{what}: stopped before it was done; reduce it again")

    def cancel(self, refs: "Sequence[ObjectRef[Any]]") -> None:
        """End tasks that nobody waits for any more.

        Not by force: that ends the driver, too, when the task is just about to finish (Ray 2.60).
        """
        with suppress(StoppedError), self.in_use("tasks"):  # closing ends them all
            for ref in refs:
                if not self.ray.wait([ref], timeout=0)[0]:
                    self.ray.cancel(ref)


class RayCrew:
    """Tasks of Ray decode, look at, and measure one recording; each worker opens it itself."""

    def __init__(self, tasks: Tasks, kept: Path | None = None) -> None:
        self._tasks = tasks
        self._kept = None if kept is None else kept.absolute()
        self._seen: dict[tuple[int, int], Look] = {}

    def keeping(self, folder: Path) -> "RayCrew":
        """The same; spans that were looked at or measured are kept in the folder, beside the stack."""
        return RayCrew(self._tasks, folder)

    def writer(self) -> Writer:
        """Decode videos whose pictures can be had in ranges, a shard a task; others are not decoded so."""
        return self._write

    def looker(self, location: Location) -> Looker:
        """Look at spans of frames, a task each, unless all were looked at when they were decoded."""

        def run(stack: Stack, spans: Sequence[tuple[int, int]], block: int) -> Iterator[Look]:
            if stack.known_digests is not None and pictures_of(stack) is None:
                whole = joined(self._seen, stack.info.frames)
                if whole is not None:
                    return (part_of(whole, *span) for span in spans)
            work = Looking(location, pictures_of(stack), block, self._kept)
            return self._tasks.in_order("look_at_span_task", work, spans, stack.info.name)

        return run

    def segments(self, location: Location) -> SegmentRunner:
        """Measure segments, a task each, in order."""

        def run(
            found: Survey,
            view: View,
            spans: Sequence[tuple[int, int]],
            block: int,
            done: Callable[[int], None],
        ) -> Iterator[Segment]:
            pictures = pictures_of(view.stack)
            work = Measuring(location, pictures, found, view.recipe, block, self._kept)
            values = self._tasks.in_order("measure_span_task", work, spans, view.stack.info.name)
            with closing(values):
                for (start, stop), segment in zip(spans, values, strict=True):
                    done(stop - start)
                    yield segment

        return run

    def _write(
        self, source: FrameSource, path: Path, partitions: Sequence[Partition], progress: Progress
    ) -> bool:
        recording = ranged(source)
        if recording is None or not partitions:
            return not partitions
        spans, done = [(p.start, p.stop) for p in partitions], 0
        shard = next((p.start // p.number for p in partitions if p.number), partitions[0].stop)
        work = Decoding(recording, path.absolute(), shard)
        values = self._tasks.in_order("decode_span_task", work, spans, source.info.name)
        with closing(values):
            for (start, stop), written in zip(spans, values, strict=True):
                if written is None:
                    return False
                self._seen[start, stop] = written
                done += stop - start
                progress(done, source.info.frames)
        return True


def joined(seen: Mapping[tuple[int, int], Look], frames: int) -> Look | None:
    """What was seen of all `frames` frames, of spans one after the other; None where some are missing."""
    spans = sorted(seen)
    if [0, *(stop for _, stop in spans)] != [*(start for start, _ in spans), frames]:
        return None
    parts = [seen[span] for span in spans]
    highest, lowest, not_finite = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("highest", "lowest", "not_finite")
    )
    return Look(np.empty((0, 32), np.uint8), highest, lowest, not_finite)


def part_of(whole: Look, start: int, stop: int) -> Look:
    """What was seen of frames `start` to `stop` (excluded)."""
    at = slice(start, stop)
    return Look(whole.leaves, whole.highest[at], whole.lowest[at], whole.not_finite[at])


def pictures_of(stack: Stack) -> Pictures | None:
    """How frames become pictures, where a stack shows the pictures of an integrating camera."""
    return stack.pictures if isinstance(stack, IntegratedStack) else None


def as_pictures(stack: Stack, pictures: Pictures | None) -> Stack:
    """The same stack, picture by picture where it is seen so."""
    return stack if pictures is None else IntegratedStack(stack, pictures)
