"""Whether files are in the store as they came, and the checksums by which an archive knows them."""

import hashlib
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from api.observations.tables import ObservationFile
from cluster.store.ahead import ahead
from cluster.store.names import raw_name
from cluster.store.published import ObjectStore
from cluster.store.records import Commit, File
from reduction.errors import DataError

THREADS = 4
"""Files looked at at once: a server takes longer than it works."""
MOST_KNOWN = 100_000
GONE = "is not in the store any more"


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it is in the store."""

    store: str
    size: int
    crc32: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Why a file cannot be given; `damaged`: other bytes are there, which only reading told."""

    why: str
    damaged: bool = False


def file_in(store: ObjectStore, row: ObservationFile) -> Found | Lost:
    """Look for a file of an observation; one without checksum, or found damaged before, is read whole.

    Raises
    ------
    ResourceError
        The store cannot be reached.
    """
    name = raw_name(row.sha256)
    known = row.crc32 if row.damaged is None else None
    return _look(store, name, row.size, row.sha256, known)


def kept_in(store: ObjectStore, sha256: str, size: int, crc32: int) -> Found | Lost:
    """Look for a file whose checksum is known. Raises as `file_in`."""
    return _look(store, raw_name(sha256), size, sha256, crc32)


class ResultFiles:
    """Looks for files of results, which are small: each is read once, and its checksum remembered."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._alone = threading.Lock()

    def look(self, store: ObjectStore, commit: Commit, file: File) -> Found | Lost:
        """Look for a file of a result. Raises as `file_in`."""
        with self._alone:
            known = self._known.get(file.sha256)
        found = _look(store, store.object_of(commit, file.name), file.size, file.sha256, known)
        if isinstance(found, Found):
            with self._alone:
                if len(self._known) >= MOST_KNOWN:
                    self._known.clear()
                self._known[file.sha256] = found.crc32
        return found


def files_in(store: ObjectStore, rows: Iterable[ObservationFile]) -> Iterator[Found | Lost]:
    """Look for many, several at once; in their order. Raises as `file_in`."""
    return ahead(lambda row: file_in(store, row), rows, THREADS)


def _look(store: ObjectStore, name: str, size: int, sha256: str, crc32: int | None) -> Found | Lost:
    there = store.object_size(name)
    if there is None:
        return Lost(GONE)
    if there != size:
        return Lost(f"has {there} bytes in the store, {size} are expected")
    if crc32 is not None:
        return Found(name, size, crc32, sha256)
    digest, found = hashlib.sha256(), 0
    try:
        for piece in store.read_object(name, 0, size):
            digest.update(piece)
            found = zlib.crc32(piece, found)
    except DataError:
        return Lost(GONE)
    if digest.hexdigest() != sha256:
        return Lost(f"is damaged in the store: its SHA-256 is {digest.hexdigest()}", damaged=True)
    return Found(name, size, found, sha256)
