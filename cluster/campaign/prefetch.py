"""Recordings of the store that are brought here before they are needed: while another one is reduced."""

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from cluster.campaign.observation import FILES
from cluster.campaign.orders import Work, work_of
from cluster.requests import ReductionRequest
from cluster.store import Store, open_store
from ingest.scratch import scratch_folder
from reduction.errors import UmbraError

RAW = "raw:"


def raws_of(request: ReductionRequest) -> tuple[str, ...]:
    """Digests of the store's files that a request reads, each once."""
    named = [*request.inputs, *(getattr(request, name) for name in FILES), request.times.table]
    found = (text.removeprefix(RAW) for text in named if text is not None and text.startswith(RAW))
    return tuple(dict.fromkeys(found))


class Brought:
    """What was brought, or is on its way, for one order."""

    def __init__(self, coming: "dict[str, Future[Path]]") -> None:
        self._coming = coming

    def take(self, digest: str, into: Path) -> bool:
        """Give a file the name `into`; False: it was not asked for, or cannot be had."""
        coming = self._coming.pop(digest, None)
        if coming is None:
            return False
        try:
            found = coming.result()
        except UmbraError:  # whoever needs it asks again, and hears why
            return False
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(found, into)
        return True


class Ahead:
    """Brings the files of one order while the one before it is done; nothing more is ever ahead.

    Parameters
    ----------
    scratch : Path, optional
        Where they lie meanwhile; the system's folder for temporary files by default.
    """

    def __init__(self, scratch: Path | None) -> None:
        self._closing = ExitStack()
        self._room = self._closing.enter_context(scratch_folder(scratch))
        self._pool = ThreadPoolExecutor(1, "umbra-ahead")
        self._closing.callback(self._pool.shutdown, cancel_futures=True)
        self._coming: dict[str, Future[Path]] = {}
        self._turn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def turn(self, following: str | None) -> Brought:
        """What was brought for the order whose turn it is; what the `following` one reads is begun to be.

        What is wrong with that one is told by who does it.
        """
        mine, self._coming = Brought(self._coming), {}
        self._turn += 1
        if following is not None:
            with suppress(UmbraError):
                self._bring(work_of(following))
        return mine

    def _bring(self, work: Work) -> None:
        raws = raws_of(work.request)
        if not raws:
            return
        store, folder = open_store(work.store, make=False), self._room / str(self._turn)
        for digest in raws:
            self._coming[digest] = self._pool.submit(store.fetch_raw, digest, folder / digest)


def fetched(
    request: ReductionRequest, store: Store, room: Path, brought: Brought | None = None
) -> ReductionRequest:
    """The same request with recordings and calibration frames of the store brought into a folder.

    Raises as `Store.fetch_raw`.
    """

    def here(text: str) -> str:
        if not text.startswith(RAW):
            return text
        digest = text.removeprefix(RAW)
        place = room / "raw" / digest
        if place.exists() or (brought is not None and brought.take(digest, place)):
            return str(place)
        return str(store.fetch_raw(digest, place))

    files = {name: getattr(request, name) for name in FILES}
    found: dict[str, object] = {name: here(text) for name, text in files.items() if text is not None}
    if request.times.table is not None:
        found["times"] = request.times.model_copy(update={"table": here(request.times.table)})
    return request.model_copy(update=found | {"inputs": tuple(map(here, request.inputs))})
