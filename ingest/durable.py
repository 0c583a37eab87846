"""Files that are whole or not there at all, also after a power cut."""

import os
import uuid
from collections.abc import Iterable
from pathlib import Path


def put(path: Path, parts: Iterable[bytes | memoryview], durable: bool = True) -> None:
    """Write a file beside `path`, then rename it; make its folders.

    Parameters
    ----------
    path : Path
        The file.
    parts : iterable of bytes
        Its content.
    durable : bool
        Wait until content and name are on the disk.

    Raises
    ------
    OSError
        It cannot be written; nothing is left beside.
    """
    made = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with beside.open("wb", buffering=0) as file:
            for part in parts:
                _write_all(file.fileno(), memoryview(part))
            if durable:
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if durable:
        for folder in [path.parent, *(parent.parent for parent in made)]:
            settle_one(folder)


def _write_all(descriptor: int, part: memoryview) -> None:
    part = part.cast("B")
    done = 0
    while done < len(part):
        done += os.write(descriptor, part[done:])


def settle(folder: Path, leave: Iterable[Path] = ()) -> None:
    """Wait until all files below a folder, but for some folders in it, and their names are on the disk."""
    left = set(leave)
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        folders[:] = [name for name in folders if here / name not in left]
        for name in files:
            settle_one(here / name)
        settle_one(here)


def settle_one(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
