"""Objects on a disk: a file each, whole under its name and on the disk when a method returns."""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import BinaryIO, TypeVar

from cluster.store.objects import PART, PIECE, Entry, MissingError
from ingest.durable import settle_one
from reduction.errors import ResourceError

FLUSHES = 8
"""Files that are flushed to the disk at once."""
ROUNDS = 3
Result = TypeVar("Result")
PARTIAL = ".partial"
"""Folder of the files that are being written."""


class LocalObjects:
    """Objects in a folder. What is in its own hidden folders, a queue maybe, is no object.

    Parameters
    ----------
    root : Path
        The folder; made with the first object.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: set[str] = set()  # names in the root that are on the disk

    @property
    def url(self) -> str:
        """The folder."""
        return self._root.as_uri()

    @property
    def streams(self) -> int:
        """One: a disk is no faster for more."""
        return 1

    def create(self, name: str, data: bytes, after: Sequence[str] = ()) -> bool:
        """Write an object unless there is one; False if there is, with other content."""
        with self._failing(name), self._beside() as (path, file):
            file.write(data)
            try:
                if self._name(path, file, name, replace=False, after=after):
                    return True
            except FileNotFoundError:  # what was staged was collected, which makes this name taken first
                if not (self._root / name).exists():
                    raise
            return self.get(name) == data

    def put(self, name: str, data: bytes) -> None:
        """Write an object, or replace it."""
        self.upload(name, iter([data]), len(data))

    def upload(self, name: str, parts: Iterator[bytes], size: int) -> None:
        """Write an object in parts; where `parts` raises, there is none."""
        del size
        with self._failing(name), self._beside() as (path, file):
            for part in parts:
                file.write(part)
            self._name(path, file, name, replace=True)

    def stage(self, name: str, parts: Iterator[bytes], size: int) -> None:
        """Write an object that nobody relies on before `create` has been told of it."""
        del size
        place = self._root / name
        with self._failing(name):
            try:
                with _again_if_removed(place, lambda: place.open("xb")) as file:
                    for part in parts:
                        file.write(part)
            except BaseException:
                place.unlink(missing_ok=True)  # of a full disk, above all
                raise

    def get(self, name: str) -> bytes:
        """Return a small object. Raises `MissingError`."""
        return b"".join(self.read(name))

    def read(self, name: str) -> Iterator[bytes]:
        """Return an object in parts. Raises `MissingError`."""
        with self._failing(name), self._opened(name) as file:
            while part := file.read(PART):
                yield part

    def read_range(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """Return a part of an object in pieces. Raises `MissingError`."""
        with self._failing(name), self._opened(name) as file:
            file.seek(start)
            left = stop - start
            while left > 0 and (piece := file.read(min(left, PIECE))):
                left -= len(piece)
                yield piece

    def _opened(self, name: str) -> FileIO:
        try:
            return (self._root / name).open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise MissingError(name) from None

    def size(self, name: str) -> int | None:
        """Return the size of an object in bytes; None without one."""
        with self._failing(name):
            try:
                return (self._root / name).stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Objects whose names begin with `prefix`, sorted by name."""
        with self._failing(prefix):
            yield from self._walk(self._root / prefix, prefix)

    def _walk(self, folder: Path, prefix: str) -> Iterator[Entry]:
        inside = [
            (f"{one.name}/" if one.is_dir(follow_symlinks=False) else one.name, one) for one in _scan(folder)
        ]
        for name, one in sorted(inside, key=lambda pair: pair[0]):
            if name.endswith("/"):
                if prefix or not name.startswith("."):
                    yield from self._walk(folder / one.name, prefix + name)
            else:
                with suppress(FileNotFoundError):  # deleted meanwhile
                    yield _entry(prefix + name, one.stat(follow_symlinks=False))

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders right below `prefix`, sorted."""
        with self._failing(prefix):
            inside = _scan(self._root / prefix)
            return sorted(one.name for one in inside if one.is_dir(follow_symlinks=False))

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, and folders that are empty then."""
        for name in names:
            with self._failing(name):
                path = self._root / name
                path.unlink(missing_ok=True)
                with suppress(OSError):  # not empty, or gone
                    for parent in path.parents:
                        if parent.parent == self._root:  # these stay, see `_known`
                            break
                        parent.rmdir()

    def unfinished(self) -> Iterator[Entry]:
        """Find files whose writing was cut off."""
        with self._failing(PARTIAL):
            for one in sorted(_scan(self._root / PARTIAL), key=lambda one: one.name):
                with suppress(FileNotFoundError):
                    yield _entry(f"{PARTIAL}/{one.name}", one.stat(follow_symlinks=False))

    def drop_unfinished(self, name: str) -> None:
        """Remove one of them."""
        with self._failing(name):
            (self._root / name).unlink(missing_ok=True)

    @contextmanager
    def _beside(self) -> Iterator[tuple[Path, BinaryIO]]:
        """A new file to be written, removed unless it got a name."""
        made = [one for one in (self._root, *self._root.parents) if not one.exists()]
        folder = self._root / PARTIAL
        folder.mkdir(parents=True, exist_ok=True)
        if made:
            _settle([one.parent for one in made])
        path = folder / secrets.token_hex(16)
        try:
            with path.open("xb") as file:
                yield path, file
        finally:
            path.unlink(missing_ok=True)

    def _name(self, path: Path, file: BinaryIO, name: str, replace: bool, after: Sequence[str] = ()) -> bool:
        """Give a file that was written its name, once it and those before it are on the disk.

        False: the name is taken. The disk is waited for twice, whatever the number of files.
        """
        file.flush()
        place = self._root / name

        def link() -> None:
            before = [self._root / one for one in after]
            folders = {folder for one in (*before, place) for folder in self._folders(one)}
            _settle([path, *before, *folders])
            if replace:
                path.replace(place)
            else:
                os.link(path, place)

        try:
            _again_if_removed(place, link)
        except FileExistsError:
            settle_one(place.parent)  # whoever was first may not have come so far
            return False
        settle_one(place.parent)
        self._known.add(self._top(place))
        return True

    def _folders(self, place: Path) -> list[Path]:
        """Folders in which something new may be, on the way to a file."""
        inside = list(place.relative_to(self._root).parents)
        folders = [self._root / one for one in inside]
        if self._top(place) not in self._known:
            return [*folders, self._root.parent]
        return folders[:-1] if len(folders) > 1 else folders

    def _top(self, place: Path) -> str:
        return place.relative_to(self._root).parts[0]

    @contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        """Explain errors of the disk."""
        try:
            yield
        except PermissionError as error:
            raise ResourceError(
                f"{self._root}: {name or 'the folder'}: {error.strerror}; see to its owner and mode; the "
                "file system may have no hard links, which a store needs"
            ) from error
        except OSError as error:
            raise ResourceError(
                f"{self._root}: {name or 'the folder'}: {error.strerror or error}; "
                "make room, or see to the disk"
            ) from error


def _settle(paths: Iterable[Path]) -> None:
    """Wait until files and folders are on the disk; at once, for a disk does many in the time of few."""
    every = list(paths)
    with ThreadPoolExecutor(min(FLUSHES, len(every)), "settle") as pool:
        for _ in pool.map(settle_one, every):
            pass


def _again_if_removed(place: Path, work: Callable[[], Result]) -> Result:
    """Make the folder of `place` and do something there; again where `delete` removed it meanwhile."""
    for _ in range(ROUNDS):
        with suppress(FileNotFoundError):
            place.parent.mkdir(parents=True, exist_ok=True)
            return work()
    place.parent.mkdir(parents=True, exist_ok=True)
    return work()


def _scan(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as inside:
            return list(inside)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _entry(name: str, found: os.stat_result) -> Entry:
    return Entry(name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
