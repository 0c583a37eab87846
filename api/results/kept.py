"""Recordings of the store, open for random access: what pictures of frames are made from."""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cluster.store.published import ObjectStore
from reduction.errors import RequestError, ResourceError
from reduction.stack import Stack

MOST_BYTES = 64 << 30
MOST_OPEN = 6
PREPARING_S = 60.0


@dataclass(slots=True)
class _Entry:
    """A recording that was brought here; `alone` is held while frames of it are read."""

    folder: Path
    alone: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    stack: Stack | None = None
    size: int = 0


class Stacks:
    """Recordings of the store, open for random access. Safe for threads; bounded on disk and in memory.

    One recording is prepared at a time (fetched, unpacked, converted where its format has no random access);
    others wait for a minute and are then told to come back.

    Parameters
    ----------
    store : ObjectStore
    folder : Path
        Emptied at the start of the service.
    """

    def __init__(self, store: ObjectStore, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._store, self._folder, self._most = store, folder, most_bytes
        self._entries: dict[str, _Entry] = {}
        self._alone, self._preparing = threading.Lock(), threading.Lock()
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise ResourceError(f"{folder}: cannot be made: {error.strerror}") from error

    @contextmanager
    def opened(self, sha256: str, member: str | None = None) -> Iterator[Stack]:
        """The stack of a recording, for the body alone.

        Raises
        ------
        RequestError
            It is an archive of several recordings, and `member` names none.
        DataError
            It cannot be read, or is not in the store.
        ResourceError
            Others are being prepared; ask again.
        """
        key = hashlib.sha256(f"{sha256}\0{member or ''}".encode()).hexdigest()
        with self._alone:
            entry = self._entries.pop(key, None) or _Entry(self._folder / key)
            self._entries[key] = entry  # the latest used is last
            entry.users += 1
        try:
            if not entry.alone.acquire(timeout=PREPARING_S):
                raise ResourceError("the recording is being prepared; ask again later")
            try:
                if entry.stack is None:
                    entry.stack = self._prepared(entry, sha256, member)
                yield entry.stack
            finally:
                entry.alone.release()
        finally:
            with self._alone:
                entry.users -= 1
                self._evict()

    def _prepared(self, entry: _Entry, sha256: str, member: str | None) -> Stack:
        """Bring a recording here, and open it."""
        from ingest.archives.opening import open_archive
        from ingest.convert import stack_of

        if not self._preparing.acquire(timeout=PREPARING_S):
            raise ResourceError("other recordings are being prepared; ask again later")
        try:
            raw = entry.folder / "raw"
            if not raw.exists():
                shutil.rmtree(entry.folder, ignore_errors=True)
                entry.folder.mkdir(mode=0o700)
                self._store.fetch_raw(sha256, raw)
            inputs: tuple[str, ...] = (str(raw),)
            opened = open_archive(inputs, entry.folder / "archive", member)
            if opened is None and member is not None:
                raise RequestError(f"member {member!r:.80}: the file is no archive")
            if opened is not None:
                inputs = opened.inputs
            stack = stack_of(inputs, entry.folder)
            entry.size = sum(path.stat().st_size for path in entry.folder.rglob("*") if path.is_file())
            return stack
        finally:
            self._preparing.release()

    def _evict(self) -> None:
        """Let go of what was not used for longest: open files beyond some, bytes beyond the bound."""
        idle = [(key, entry) for key, entry in self._entries.items() if not entry.users]
        total = sum(entry.size for entry in self._entries.values())
        open_now = sum(entry.stack is not None for entry in self._entries.values())
        for key, entry in idle:
            if entry.stack is not None and (open_now > MOST_OPEN or total > self._most):
                entry.stack.close()
                entry.stack, open_now = None, open_now - 1
            if total > self._most or (entry.stack is None and not entry.size):
                total -= entry.size
                del self._entries[key]
                shutil.rmtree(entry.folder, ignore_errors=True)

    def close(self) -> None:
        """Close all that is open."""
        with self._alone:
            for entry in self._entries.values():
                if entry.stack is not None:
                    entry.stack.close()
                    entry.stack = None
