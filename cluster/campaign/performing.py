"""One order, from its payload to a published result: what a worker does, wherever it runs."""

import os
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cluster.campaign.account import KIND, Account
from cluster.campaign.digests import state_of
from cluster.campaign.orders import Work
from cluster.location import Location
from cluster.recording import ReductionRequest, reduce_to_folder
from cluster.store import Store, open_store
from ingest.scratch import scratch_folder
from reduction.errors import DataError, UmbraError
from reduction.run import SegmentRunner
from reduction.scan import Progress
from reduction.timing import utc_text
from reduction.version import VERSION


def perform(
    work: Work,
    job: str,
    attempt: int,
    scratch: Path | None = None,
    progress: Progress | None = None,
    spread: Callable[[Location], SegmentRunner] | None = None,
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
        part sees it where `spread` is given.
    progress, spread
        As `reduce_to_folder`.

    Raises
    ------
    UmbraError
        As `reduce_to_folder` and the store; `DataError` where files changed meanwhile. The log tells it.
    """
    began, used = time.monotonic(), time.process_time()
    store = open_store(work.store)
    log = _Log(job, attempt, work)
    try:
        frames = -1
        if store.find(KIND, work.key) is None:
            frames = _reduce(work, store, attempt, scratch, log.watching(progress), spread)
        log.say("published" if frames >= 0 else "the store has this result already")
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
    place = log.keep(store)
    wall, cpu = time.monotonic() - began, time.process_time() - used
    return Account(work.key, max(0, frames), wall, cpu, place, known=frames < 0)


def _reduce(
    work: Work,
    store: Store,
    attempt: int,
    scratch: Path | None,
    progress: Progress,
    spread: Callable[[Location], SegmentRunner] | None,
) -> int:
    """Reduce into scratch, look whether the files stayed as they were, publish; how many frames."""
    with scratch_folder(scratch) as room:
        request = fetched(work.request, store, room)
        result = reduce_to_folder(request, room / "results", progress=progress, spread=spread)
        if state_of(work.request) != work.state:
            raise DataError(
                f"{work.request.inputs[0]}: its files changed after the campaign was planned; run it "
                "again when they are complete"
            )
        store.publish(KIND, work.key, room / "results", attempt)
    return result.source.frames


def fetched(request: ReductionRequest, store: Store, room: Path) -> ReductionRequest:
    """The same request with recordings of the store brought into a folder.

    Raises as `Store.fetch_raw`.
    """
    inputs = []
    for text in request.inputs:
        if text.startswith("raw:"):
            digest = text.removeprefix("raw:")
            text = str(store.fetch_raw(digest, room / "raw" / digest))  # noqa: PLW2901 - the same file, here
        inputs.append(text)
    return request.model_copy(update={"inputs": tuple(inputs)})


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
