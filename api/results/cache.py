"""Files of results on this machine's disk, fetched from the store once, whole and verified."""

import os
import shutil
import threading
from pathlib import Path

from cluster.store.published import ObjectStore
from reduction.errors import ResourceError

MOST_BYTES = 4 << 30


class ResultCache:
    """Folders of results by key. What was not used for longest goes first. Safe for threads.

    Parameters
    ----------
    store : ObjectStore
    folder : Path
        Emptied at the start of the service.
    most_bytes : int
        How much is kept.
    """

    def __init__(self, store: ObjectStore, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._store, self._folder, self._most = store, folder, most_bytes
        self._alone = threading.Lock()
        self._fetching: dict[str, threading.Lock] = {}
        self._sizes: dict[str, int] = {}
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise ResourceError(f"{folder}: cannot be made: {error.strerror}") from error

    def add_version(self, campaign: str, observation: str, key: str) -> None:
        """Tell the store of a version, so that it can be read without the database."""
        self._store.add_version(campaign, observation, key)

    def folder(self, key: str) -> Path:
        """The files of a result.

        Raises
        ------
        RequestError
            Nothing is published under `key`.
        DataError
            The store has it damaged.
        """
        with self._alone:
            one = self._fetching.setdefault(key, threading.Lock())
        place = self._folder / key
        with one:
            if key not in self._sizes:
                shutil.rmtree(place, ignore_errors=True)
                self._store.fetch("results", key, place)
                size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
            else:
                size = self._sizes[key]
            with self._alone:
                self._sizes.pop(key, None)
                self._sizes[key] = size  # the latest used is last
                self._evict(key)
        return place

    def _evict(self, kept: str) -> None:
        """Make room. A file that is being read stays readable: its name goes, not its bytes."""
        for key in list(self._sizes):
            if sum(self._sizes.values()) <= self._most or key == kept:
                break
            del self._sizes[key]
            gone = self._folder / f".{key}.{os.urandom(4).hex()}"
            (self._folder / key).rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
