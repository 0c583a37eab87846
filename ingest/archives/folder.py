"""Files made below one folder and nowhere else: no link is ever followed, nothing is written over."""

import os
from typing import Self

from ingest.archives.members import Parts

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class SafeFolder:
    """A folder by its descriptor; whatever happens to its name, the files are made in it.

    Raises
    ------
    OSError
        It is no folder, or a link to one.
    """

    def __init__(self, path: str) -> None:
        self._root = os.open(path, FOLDER_FLAGS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)

    def create(self, parts: Parts) -> int:
        """Descriptor of a new, empty file; the folders on its way are made."""
        parent = self._enter(parts[:-1], make=True)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(parts[-1], flags, 0o644, dir_fd=parent)
        finally:
            os.close(parent)

    def make(self, parts: Parts) -> None:
        """Make a folder, where it is not there."""
        os.close(self._enter(parts, make=True))

    def open(self, parts: Parts) -> int:
        """Descriptor of a file, for reading."""
        parent = self._enter(parts[:-1], make=False)
        try:
            return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        finally:
            os.close(parent)

    def remove(self, parts: Parts) -> None:
        """Remove a file."""
        parent = self._enter(parts[:-1], make=False)
        try:
            os.unlink(parts[-1], dir_fd=parent)
        finally:
            os.close(parent)

    def _enter(self, parts: Parts, *, make: bool) -> int:
        here = os.dup(self._root)
        for part in parts:
            try:
                if make:
                    _make(part, here)
                inside = os.open(part, FOLDER_FLAGS, dir_fd=here)
            finally:
                os.close(here)
            here = inside
        return here


def _make(name: str, parent: int) -> None:
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        return
