"""Scratch folders that go again: with their process, however it ends, or when the next one starts.

A folder is held by a lock that the system lets go of when its process dies, were it killed outright: what is
not held any more is left over. That is also true between machines and containers that share a disk, where a
process number means nothing.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".umbra-"
LOCK = ".held"
YOUNG_S = 60.0
"""A folder that was made just now may not be held yet."""


@contextmanager
def scratch_folder(beside: Path | None = None) -> Iterator[Path]:
    """A folder for the body of a ``with``; folders left over there by processes that died are removed.

    Parameters
    ----------
    beside : Path, optional
        Where; the system's folder for temporary files by default.

    Raises
    ------
    OSError
        It cannot be made.
    """
    parent = Path(tempfile.gettempdir()) if beside is None else beside
    remove_left_over(parent)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent) as name:
        descriptor = os.open(Path(name) / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            with suppress(OSError):  # a disk without locks: nobody takes the folder for left over there
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Path(name)
        finally:
            os.close(descriptor)


def remove_left_over(parent: Path) -> None:
    """Remove the scratch folders of processes that are gone."""
    for folder in parent.glob(f"{PREFIX}*"):
        if _left_over(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _left_over(folder: Path) -> bool:
    """Whether it is ours, old enough to be held, and held by nobody."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if time.time() - os.fstat(descriptor).st_mtime < YOUNG_S:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)
