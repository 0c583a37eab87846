"""Between files and objects: digests on the way, and what is written is whole or not there."""

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.store.objects import PART
from cluster.store.records import Raw
from ingest.durable import settle, settle_one
from reduction.errors import DataError, RequestError, ResourceError


class Reading:
    """A file in parts of at most `PART` bytes, hashed on the way.

    Attributes
    ----------
    path : Path
    size : int
        Its bytes when it was looked at first.

    Raises
    ------
    RequestError
        There is no such file.
    ResourceError
        It cannot be read.
    DataError
        At its end: it has another size by now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found = hashlib.sha256()
        with _readable(path):
            self.size = path.stat().st_size

    def __iter__(self) -> Iterator[bytes]:
        left = self.size
        with _readable(self.path), self.path.open("rb", buffering=0) as file:
            while part := file.read(PART):
                self._found.update(part)
                left -= len(part)
                if left < 0:
                    break
                yield part
        if left:
            raise _changes(self.path)

    @property
    def sha256(self) -> str:
        """SHA-256 of what was read."""
        return self._found.hexdigest()


def digest_of(path: Path) -> Raw:
    """SHA-256 and size of a file. Raises as `Reading`."""
    reading = Reading(path)
    for _ in reading:
        pass
    return Raw(reading.sha256, reading.size)


def parts_of(path: Path, raw: Raw) -> Iterator[bytes]:
    """Parts of a file that was read before. Raises as `Reading`, also where its content is another by now."""
    reading = Reading(path)
    yield from reading
    if (reading.sha256, reading.size) != (raw.sha256, raw.size):
        raise _changes(path)


def _changes(path: Path) -> DataError:
    return DataError(f"{path}: changes while it is read; put it into the store when it is complete")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise RequestError(f"{path}: {error.strerror}; name a file") from error
    except OSError as error:
        raise ResourceError(f"{path}: cannot be read: {error.strerror or error}") from error


def files_of(folder: Path) -> dict[str, Path]:
    """Files of a folder by name, with a slash between folders, sorted.

    Raises
    ------
    RequestError
        There is no such folder, it has no file, or something else than files and folders.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder}: is no folder; name the folder whose files are to be published")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise RequestError(f"{path}: is neither file nor folder; only these are published")
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = path
    if not found:
        raise RequestError(f"{folder}: has no file; nothing is published")
    return found


def written(parts: Iterator[bytes], path: Path, where: str, sha256: str) -> int:
    """Write an object into a new file; its size.

    Raises
    ------
    DataError
        It has another digest.
    """
    found, size = hashlib.sha256(), 0
    with path.open("xb") as file:  # buffered: a bare write may take a part only, on a full disk
        for part in parts:
            found.update(part)
            size += len(part)
            file.write(part)
    if found.hexdigest() != sha256:
        raise DataError(
            f"{where}: is damaged: {size} bytes with the SHA-256 {found.hexdigest()}, {sha256} is expected; "
            "restore it from a copy"
        )
    return size


@contextmanager
def new_file(into: Path) -> Iterator[Path]:
    """A name beside `into` for a file that takes its place at the end of the body.

    Raises
    ------
    ResourceError
        It cannot be written.
    """
    beside = into.with_name(f".{into.name}.{secrets.token_hex(4)}.partial")
    with _writing(into):
        into.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            settle_one(beside)
            beside.replace(into)
            settle_one(into.parent)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def new_folder(into: Path) -> Iterator[Path]:
    """A folder beside `into` that takes its place at the end of the body.

    Raises
    ------
    RequestError
        `into` is there already, and not an empty folder.
    ResourceError
        It cannot be written.
    """
    with _writing(into):
        if into.exists() and not (into.is_dir() and not any(into.iterdir())):
            raise RequestError(f"{into}: exists and is not an empty folder; name another")
        into.parent.mkdir(parents=True, exist_ok=True)
        beside = into.with_name(f".{into.name}.{secrets.token_hex(4)}.partial")
        try:
            beside.mkdir()
            yield beside
            settle(beside)
            beside.replace(into)  # POSIX: also over an empty folder
            settle_one(into.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def _writing(into: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResourceError(
            f"{into}: cannot be written: {error.strerror or error}; make room, or name another place"
        ) from error
