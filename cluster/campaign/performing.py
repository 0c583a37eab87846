"""One order, from its payload to a published result: what a worker does, wherever it runs."""

import os
import shutil
import socket
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.campaign.account import KIND, Account
from cluster.campaign.digests import state_of
from cluster.campaign.estimate import afterwards
from cluster.campaign.orders import Work
from cluster.campaign.prefetch import Brought, fetched
from cluster.recording import reduce_to_folder
from cluster.requests import ReductionRequest
from cluster.store import Store, open_store
from ingest.scratch import scratch_folder
from reduction.errors import DataError, RequestError, UmbraError
from reduction.result import ReductionResult
from reduction.run import this_machine
from reduction.scan import Progress
from reduction.timing import utc_text
from reduction.version import VERSION

if TYPE_CHECKING:
    from cluster.crew import Crew

STACKS = "stacks"
"""Folder in scratch with the recordings that a crew decodes, by the key of the result."""

FORGOTTEN_S = 7 * 86400.0
"""A stack that nobody came back to for so long is removed."""


def perform(
    work: Work,
    job: str,
    attempt: int,
    scratch: Path | None = None,
    progress: Progress | None = None,
    crew: "Crew | None" = None,
    brought: Brought | None = None,
) -> Account:
    """Reduce a recording and publish its results in the store, with a log of the attempt.

    Parameters
    ----------
    work : Work
    job : str
    attempt : int
        The fencing token: what an earlier attempt publishes later does not replace anything.
    scratch : Path, optional
        Folder for what is unpacked, converted and written before it is published; every node that takes
        part sees it where a `crew` is given. What a crew has decoded there is still used after its leader
        died.
    progress, crew
        As `reduce_to_folder`.
    brought : Brought, optional
        Has what was brought of the store already.

    Raises
    ------
    UmbraError
        As `reduce_to_folder` and the store; `DataError` where files changed meanwhile. The log tells it.
    """
    began, used = time.monotonic(), time.process_time()
    store = open_store(work.store)
    log = _Log(job, attempt, work)
    try:
        if store.find(KIND, work.key) is None:
            done, place = _reduce(work, store, attempt, scratch, log, log.watching(progress), crew, brought)
        else:
            log.say("the store has this result already")
            done, place = None, log.keep(store)
    except UmbraError as error:
        log.say(f"{type(error).__name__}: {error}")
        with suppress(UmbraError):
            log.keep(store)
        raise
    except BaseException:
        log.say(traceback.format_exc())
        with suppress(UmbraError):
            log.keep(store)
        raise
    wall, cpu = time.monotonic() - began, time.process_time() - used
    if done is None:
        return Account(work.key, 0, wall, cpu, place, known=True)
    learned = (done.format, done.estimated_s)
    return Account(work.key, done.frames, wall, cpu, place, False, done.wall_s, done.cpu_s, *learned)


@dataclass(frozen=True, slots=True)
class _Reduced:
    """A reduction: frames, and the time that it took."""

    frames: int
    wall_s: float
    cpu_s: float
    format: str
    estimated_s: float


def _reduce(
    work: Work,
    store: Store,
    attempt: int,
    scratch: Path | None,
    log: "_Log",
    progress: Progress,
    crew: "Crew | None",
    brought: Brought | None,
) -> tuple[_Reduced, str]:
    """Reduce into scratch, look whether the files stayed as they were, publish; where the log is kept."""
    kept = None if crew is None or scratch is None else scratch / STACKS / work.key
    with scratch_folder(scratch) as room, _stacks(kept) as stacks:
        request = fetched(work.request, store, room, brought)
        if crew is not None and stacks is not None:
            crew = crew.keeping(stacks)
        began, used = time.monotonic(), time.process_time()
        result = reduce_to_folder(request, room / "results", progress=progress, crew=crew, stacks=stacks)
        wall, cpu = time.monotonic() - began, time.process_time() - used
        learned = _learned(request, result) if crew is None else ("", 0.0)
        done = _Reduced(result.source.frames, wall, cpu, *learned)
        if state_of(work.request) != work.state:
            raise DataError(
                f"{work.request.inputs[0]}: its files changed after the campaign was planned; run it "
                "again when they are complete"
            )
        log.say("reduced; publishing")
        with ThreadPoolExecutor(1, "umbra-log") as beside:  # both wait for the disk, or the server
            place = beside.submit(log.keep, store)
            store.publish(KIND, work.key, room / "results", attempt)
        return done, place.result()


def _learned(request: ReductionRequest, result: ReductionResult) -> tuple[str, float]:
    """What the processor time of a reduction is compared with; nothing where a GPU had a part in it."""
    if result.provenance.device != this_machine().device:
        return "", 0.0
    return afterwards(request.inputs, result.source)


@contextmanager
def _stacks(folder: Path | None) -> Iterator[Path | None]:
    """A folder for the stack of one recording, which stays where its process dies, or is told to end."""
    if folder is None:
        yield None
        return
    for other in folder.parent.glob("*"):
        if time.time() - other.stat().st_mtime > FORGOTTEN_S:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    try:
        yield folder
    except (DataError, RequestError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


class _Log:
    """What happened during an attempt, with the time of each line."""

    def __init__(self, job: str, attempt: int, work: Work) -> None:
        self._job, self._attempt = job, attempt
        self._lines: list[str] = []
        self._stage = ""
        self.say(
            f"{work.station}: attempt {attempt} on {socket.gethostname()}, process {os.getpid()}, "
            f"Umbra {VERSION}"
        )
        self.say(f"inputs: {', '.join(work.request.inputs)}; {work.bytes} bytes; result {work.key}")

    def say(self, text: str) -> None:
        """Add a line."""
        self._lines.append(f"{utc_text(time.time_ns(), 3)} {text}")

    def watching(self, progress: Progress | None) -> Progress:
        """A progress callback that notes each stage when it begins."""

        def report(stage: str, done: int, total: int) -> None:
            if stage != self._stage:
                self._stage = stage
                self.say(f"{stage}: {total}")
            if progress is not None:
                progress(stage, done, total)

        return report

    def keep(self, store: Store) -> str:
        """Put the log into the store; where."""
        return str(store.put_log(self._job, self._attempt, "\n".join(self._lines) + "\n"))
