"""Where a campaign keeps what is its own: queue, digests of inputs, scratch."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cluster.jobs.database import Database
from cluster.jobs.sql import SqlJobStore
from reduction.errors import RequestError, ResourceError

QUEUE_FOLDER = ".queue"
"""Below a store on a disk; no object of the store's."""

QUEUE_FILE = "jobs.sqlite"


def folder_of(store: str) -> Path | None:
    """The folder of a store on a disk; None for a server's."""
    if "://" not in store:
        return Path(store).absolute()
    parts = urlsplit(store)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def own_folder(store: str, make: bool = True) -> Path | None:
    """Where a supervisor keeps digests and scratch beside a store on a disk; None for a server's.

    Raises
    ------
    ResourceError
        It cannot be made.
    """
    top = folder_of(store)
    if top is None:
        return None
    folder = top / QUEUE_FOLDER
    if make:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResourceError(f"{folder}: cannot be made: {error.strerror or error}") from error
    return folder


def digests_folder(store: str, make: bool = True) -> Path:
    """Where digests and costs are remembered: beside a store on a disk, else in the user's cache."""
    own = own_folder(store, make)
    if own is not None:
        return own
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "umbra"
    if not make:
        return cache
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{cache}: cannot be made: {error.strerror or error}") from error
    return cache


def open_queue(store: str, jobs: str | None, make: bool = True) -> SqlJobStore:
    """The queue of a store, or the one at a database's URL.

    Raises
    ------
    RequestError
        The store is on a server and no database is named, or there is no queue and `make` is false.
    ResourceError
        As `Database`.
    """
    if jobs is not None:
        return SqlJobStore(Database(jobs))
    folder = own_folder(store, make)
    if folder is None:
        raise RequestError(
            f"--store {store}: is on a server; name the queue's database with --jobs postgresql://..."
        )
    path = folder / QUEUE_FILE
    if not make and not path.is_file():
        raise RequestError(
            f"{store}: no campaign was run into this store; umbra campaign run makes its queue"
        )
    return SqlJobStore(Database(path))
