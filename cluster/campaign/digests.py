"""Which recording is meant: digests of all files that a reduction reads, kept while they stay the same."""

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from cluster.requests import ReductionRequest
from ingest.formats import expand, natural_key
from ingest.rawfile import on_built_in_disk
from ingest.side_files import find_beside
from ingest.solve.side_place import side_file
from reduction.errors import DataError, ResourceError

FILE = "digests.sqlite"
CHUNK = 4 << 20
BUSY_S = 1.0
"""How long another campaign that writes there is waited for."""

SETTLED_NS = 2_000_000_000
"""A file that changed less than this ago may change again within the same tick of its file system's clock."""

Named = tuple[str, Path]
"""What a file is to the recording, with its name below the input, and where it lies."""


def files_of(request: ReductionRequest) -> Iterator[Named]:
    """Every file that the reduction of a request may read, in a fixed order.

    Those of the store stand as ``raw:SHA256`` and are files of no disk.

    Raises
    ------
    RequestError
        One of them does not exist.
    """
    for role, path in _given(request):
        yield from _below(role, path)


def _given(request: ReductionRequest) -> Iterator[Named]:
    """Files and folders of a request, with what they are to the recording."""
    inputs = [text for text in request.inputs if not text.startswith("raw:")]
    if inputs:
        paths = expand(inputs)
        for path in paths:
            yield "input", path
        for beside in find_beside(paths):
            yield "beside", beside.path
        if request.sky.wcs is None:
            solution = side_file(inputs)
            for path in (solution, solution.with_name(f"{solution.name}.json")):
                if path.is_file():
                    yield "wcs", path
    named = {"times": request.times.table, "wcs": request.sky.wcs, "catalogue": request.sky.catalogue}
    named |= {name: getattr(request, name) for name in ("bias", "dark", "flat", "coordinates")}
    for role, text in named.items():
        for path in [] if text is None or text.startswith("raw:") else expand([text]):
            yield role, path


def _below(role: str, path: Path) -> Iterator[Named]:
    """A file, or all files below a folder, hidden ones left out."""
    if not path.is_dir():
        yield f"{role}/{path.name}", path
        return
    for parent, folders, names in os.walk(path):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted((n for n in names if not n.startswith(".")), key=lambda n: natural_key(Path(n))):
            yield f"{role}/{path.name}/{(here / name).relative_to(path)}", here / name


def state_of(request: ReductionRequest) -> str:
    """Digest of names, sizes and times of change: two that are alike are of files left alone meanwhile.

    Raises as `files_of`; `DataError` where a file has gone.
    """
    digest = hashlib.sha256()
    for role, given in _given(request):
        for name, path in _names_below(str(given)) if given.is_dir() else [(given.name, str(given))]:
            size, changed, _ = _status(path)
            digest.update(f"{role}/{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _names_below(folder: str) -> Iterator[tuple[str, str]]:
    """The files of `_below` with their names below a folder, in some fixed order, at a tenth of the cost."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                path = f"{parent}/{name}"
                yield path[len(folder) :], path


def _status(path: Path | str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - of thousands of files: no object for each of them
    except OSError as error:
        raise DataError(
            f"{path}: cannot be looked at: {error.strerror}; is something writing there?"
        ) from error
    return found.st_size, found.st_mtime_ns, found.st_ino


class Digests:
    """SHA-256 of files. A file is read once, and again when its size, time of change or inode is another.

    Safe for threads, and for several campaigns at once: nothing is locked but while `settle` writes. What
    cannot be remembered, on a full disk for one, is only read again by the next run.

    Parameters
    ----------
    folder : Path or None
        Where the digests are remembered; None: nowhere.
    read_only : bool
        Use what is remembered and write nothing.

    Raises
    ------
    ResourceError
        The folder cannot be written.
    """

    def __init__(self, folder: Path | None, read_only: bool = False) -> None:
        self._alone = threading.Lock()
        self._read_only = read_only
        self._fresh: dict[str, tuple[tuple[int, int, int], str]] = {}
        self.bytes_read = 0
        path = None if folder is None else folder / FILE
        if path is None or (read_only and not path.is_file()) or not on_built_in_disk(path.parent):
            self._memory = _opened(":memory:", False)
        else:
            self._memory = _opened(
                f"file:{quote(os.fsencode(path))}?mode={'ro' if read_only else 'rwc'}", read_only
            )

    def of(self, path: Path, stopped: Callable[[], bool] = lambda: False) -> str:
        """SHA-256 of a file, hex.

        Raises
        ------
        DataError
            It cannot be read, or changes meanwhile.
        ResourceError
            `stopped` returned true.
        """
        place, status = str(path.absolute()), _status(path)
        known = self._known(place, status)
        if known is not None:
            return known
        digest, size = _read(path, stopped)
        if _status(path) != status:
            raise DataError(f"{path}: changes while it is read; run the campaign again when it is complete")
        with self._alone:
            self.bytes_read += size
            if not self._read_only and time.time_ns() - status[1] > SETTLED_NS:
                self._fresh[place] = status, digest
        return digest

    def _known(self, place: str, status: tuple[int, int, int]) -> str | None:
        with self._alone:
            if place in self._fresh:
                known, digest = self._fresh[place]
                return digest if known == status else None
            try:
                row = self._memory.execute(
                    "SELECT size, changed, inode, digest FROM digest WHERE path = ?", (place,)
                ).fetchone()
            except sqlite3.OperationalError:  # locked by another: the file itself tells as well
                return None
        return str(row[3]) if row is not None and row[:3] == status else None

    def size_of(self, request: ReductionRequest) -> int:
        """Bytes of all files of a request that lie on disks; raises as `files_of`."""
        return sum(_status(path)[0] for _, path in files_of(request))

    def settle(self) -> None:
        """Write down what was found; what finds no room now is tried again the next time."""
        with self._alone:
            rows = [(place, *status, digest) for place, (status, digest) in self._fresh.items()]
            if not rows:
                return
            try:
                with self._memory:
                    self._memory.executemany("INSERT OR REPLACE INTO digest VALUES (?,?,?,?,?)", rows)
            except sqlite3.OperationalError:  # locked, or a full disk
                return
            self._fresh.clear()

    def close(self) -> None:
        """Write down what was found, and let go."""
        self.settle()
        with self._alone:
            self._memory.close()


def _opened(place: str, read_only: bool) -> sqlite3.Connection:
    try:
        found = sqlite3.connect(place, uri=place.startswith("file:"), check_same_thread=False, timeout=30.0)
        if not read_only:
            found.execute(
                "CREATE TABLE IF NOT EXISTS digest"
                "(path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, inode INTEGER, digest TEXT)"
            )
        found.execute(f"PRAGMA busy_timeout = {round(1e3 * BUSY_S)}")
    except sqlite3.Error as error:
        raise ResourceError(f"{place}: the digests of files cannot be kept there: {error}") from error
    return found


def _read(path: Path, stopped: Callable[[], bool]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb", buffering=0) as file:
            buffer = memoryview(bytearray(CHUNK))
            while count := file.readinto(buffer):
                if stopped():
                    raise ResourceError(f"{path}: stopped while its digest was made")
                digest.update(buffer[:count])
                size += count
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return digest.hexdigest(), size
