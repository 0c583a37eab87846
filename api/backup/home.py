"""The home of a service: who makes backups of it, and whether it is being restored."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import Field

from cluster.store.records import Record
from ingest.durable import put, settle_one
from reduction.errors import ResourceError

RESTORING = "restoring.json"
HOLD = "hold"


class Restoring(Record):
    """A restore that is not finished: what goes where.

    Attributes
    ----------
    backup, source : str
        Its id, and where it comes from.
    database, store : str
        Where it goes, without passwords.
    """

    form: Literal["umbra-restoring-1"] = Field(default="umbra-restoring-1", alias="schema")
    backup: str
    source: str
    database: str
    store: str


def refuse_unfinished(home: Path) -> None:
    """Keep a service from using what is half restored.

    Raises
    ------
    ResourceError
        It is.
    """
    found = restoring(home)
    if found is not None:
        raise ResourceError(
            f"{home}: the restore of {found.backup} is not finished; run umbra restore {found.source} again"
        )


def restoring(home: Path) -> Restoring | None:
    """The restore that is not finished."""
    path = home / RESTORING
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return Restoring.decoded(data, str(path))


def begin_restoring(home: Path, what: Restoring) -> None:
    """Say so before anything else is done."""
    put(home / RESTORING, [what.encoded()])


def end_restoring(home: Path) -> None:
    """All is there."""
    (home / RESTORING).unlink(missing_ok=True)
    settle_one(home)


@contextmanager
def removing(home: Path) -> Iterator[bool]:
    """Give whether bytes may be removed from the store: not while a backup copies them.

    One that begins meanwhile waits for the end of the body.
    """
    hold = _held(home, HOLD)
    try:
        fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        allowed = True
    except BlockingIOError:
        allowed = False
    try:
        yield allowed
    finally:
        os.close(hold)


@contextmanager
def scratch(home: Path) -> Iterator[tuple[str, Path]]:
    """Give the random name of a home, and an empty folder, to one process at a time.

    Raises
    ------
    ResourceError
        Another one has them, or the folder cannot be written.
    """
    folder = home / "backup"
    lock, hold = _held(home, "lock"), _held(home, HOLD)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(hold, fcntl.LOCK_SH)
        name = folder / "name"
        if not name.exists():
            put(name, [secrets.token_hex(16).encode()])
        room = folder / "scratch"
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir(mode=0o700)
        try:
            yield name.read_text(), room
        finally:
            shutil.rmtree(room, ignore_errors=True)
    except BlockingIOError as error:
        raise ResourceError(
            f"{home}: another backup or restore is under way; wait until that ends"
        ) from error
    finally:
        os.close(hold)
        os.close(lock)


def _held(home: Path, name: str) -> int:
    """A file to be locked; the system lets go of it however its process ends."""
    folder = home / "backup"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be written: {error.strerror}; see to UMBRA_HOME") from error
