"""Where backups are: a folder, or a prefix of a bucket.

``backup.json`` marks it; ``objects/ab/SHA256`` are bytes under their digest; ``backups/ID.json`` are the
manifests, each written last; ``lock/writer.json`` is there while somebody writes.
"""

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from api.backup.records import BACKUP_ID, Lock, Manifest, Mark, Part
from cluster.store.names import DIGEST
from cluster.store.objects import MissingError, Objects
from cluster.store.opening import objects_at
from cluster.store.records import now_text
from reduction.errors import DataError, RequestError, ResourceError

MARK, LOCKS = "backup.json", "lock/"
LOCK = f"{LOCKS}writer.json"
OBJECTS, BACKUPS = "objects/", "backups/"
RENEWED_S = 60.0
STALE = timedelta(minutes=15)
"""A lock that was not renewed for so long is nobody's any more."""


class Destination:
    """A place of backups. Safe for threads.

    Parameters
    ----------
    objects : Objects
        Bytes by name.
    """

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    @property
    def url(self) -> str:
        """Where it is."""
        return self.objects.url

    def put(self, sha256: str, size: int, parts: Iterator[bytes], what: str) -> None:
        """Keep bytes under their digest.

        Raises
        ------
        DataError
            They have another digest; nothing is kept.
        """
        self.objects.upload(object_name(sha256), checked(parts, sha256, size, what), size)

    def put_part(self, data: bytes, part: Part) -> None:
        """Keep rows or lines."""
        self.objects.put(object_name(part.sha256), data)

    def read(self, sha256: str, size: int) -> Iterator[bytes]:
        """Bytes under a digest.

        Raises
        ------
        DataError
            They are missing; or, at their end, have another digest.
        """
        name = object_name(sha256)
        try:
            yield from checked(self.objects.read(name), sha256, size, f"{self.url}: {name}")
        except MissingError:
            raise DataError(f"{self.url}: {name}: is missing; use another backup") from None

    def get_part(self, part: Part) -> bytes:
        """Rows or lines, as they were kept. Raises as `read`."""
        return b"".join(self.read(part.sha256, part.size))

    def held(self) -> Iterator[tuple[str, int]]:
        """Digest and size of all objects; strangers are passed over."""
        for entry in self.objects.entries(OBJECTS):
            digest = entry.name.rpartition("/")[2]
            if DIGEST.match(digest) and entry.name == object_name(digest):
                yield digest, entry.size

    def sound(self, sha256: str) -> bool:
        """Whether an object has its digest; reads it."""
        found = hashlib.sha256()
        try:
            for part in self.objects.read(object_name(sha256)):
                found.update(part)
        except MissingError:
            return False
        return found.hexdigest() == sha256

    def ids(self) -> list[str]:
        """Ids of the backups, oldest first."""
        names = (
            entry.name.removeprefix(BACKUPS).removesuffix(".json") for entry in self.objects.entries(BACKUPS)
        )
        return [name for name in names if BACKUP_ID.match(name)]

    def manifest(self, identity: str) -> Manifest:
        """Return one.

        Raises
        ------
        RequestError
            There is none.
        DataError
            It is damaged.
        """
        name = f"{BACKUPS}{identity}.json"
        if not BACKUP_ID.match(identity):
            raise RequestError(f"{identity!r}: is no name of a backup; see umbra backup list")
        try:
            found = Manifest.decoded(self.objects.get(name), f"{self.url}: {name}")
        except MissingError:
            raise RequestError(f"{self.url}: has no backup {identity}; see umbra backup list") from None
        if found.id != identity:
            raise DataError(f"{self.url}: {name}: is the manifest of {found.id}")
        return found

    def publish(self, manifest: Manifest) -> None:
        """Make a backup exist: everything that it names is kept already.

        Raises
        ------
        ResourceError
            There is another of this name.
        """
        if not self.objects.create(f"{BACKUPS}{manifest.id}.json", manifest.encoded()):
            raise ResourceError(f"{self.url}: there is another backup {manifest.id}; begin again")

    def remove(self, identity: str) -> None:
        """Let a backup be none any more; its objects stay."""
        self.objects.delete([f"{BACKUPS}{identity}.json"])

    @contextmanager
    def alone(self, home: str) -> Iterator[Callable[[], None]]:
        """Keep others from writing; gives what raises once another has taken over.

        Parameters
        ----------
        home : str
            Whose backups are made; no other process of that home writes, so that its lock is taken over.

        Raises
        ------
        ResourceError
            Somebody else writes.
        """
        mine = Lock(home=home, token=secrets.token_hex(16), when=now_text())
        self._take(mine)
        over = threading.Event()

        def still() -> None:
            found = self._lock()
            if found is None or found.token != mine.token:
                raise ResourceError(f"{self.url}: another backup took over, for this one slept; begin again")

        def renew() -> None:
            while not over.wait(RENEWED_S):
                try:
                    still()
                    self.objects.put(LOCK, mine.encoded())
                except ResourceError:  # told by `still` when it matters
                    continue

        renewing = threading.Thread(target=renew, name="umbra-backup-lock", daemon=True)
        renewing.start()
        try:
            yield still
        finally:
            over.set()
            renewing.join()
            found = self._lock()
            if found is not None and found.token == mine.token:
                self.objects.delete([LOCK])

    def _take(self, mine: Lock) -> None:
        if self.objects.create(LOCK, mine.encoded()):
            return
        found = self._lock()
        changed = next((entry.changed for entry in self.objects.entries(LOCKS) if entry.name == LOCK), None)
        if found is not None and changed is not None:
            if found.home != mine.home and datetime.now(UTC) - changed < STALE:
                raise ResourceError(
                    f"{self.url}: another service has written there since {found.when}; wait until that "
                    f"ends, or {STALE.seconds // 60} minutes after it was killed"
                )
            self.objects.put(LOCK, mine.encoded())
        elif not self.objects.create(LOCK, mine.encoded()):
            raise ResourceError(f"{self.url}: another backup has just begun there; wait until that ends")

    def _lock(self) -> Lock | None:
        try:
            return Lock.decoded(self.objects.get(LOCK), f"{self.url}: {LOCK}")
        except MissingError:
            return None


def object_name(sha256: str) -> str:
    """Where bytes are kept."""
    return f"{OBJECTS}{sha256[:2]}/{sha256}"


def checked(parts: Iterator[bytes], sha256: str, size: int, what: str) -> Iterator[bytes]:
    """Bytes as they come.

    Raises
    ------
    DataError
        At their end: they are not what was promised.
    """
    found, left = hashlib.sha256(), size
    for part in parts:
        found.update(part)
        left -= len(part)
        yield part
    if left or found.hexdigest() != sha256:
        raise DataError(
            f"{what}: is damaged: {size - left} bytes with the SHA-256 {found.hexdigest()}, {size} bytes "
            f"with {sha256} are expected"
        )


def open_destination(url: str, make: bool) -> Destination:
    """Open a place of backups.

    Raises
    ------
    RequestError
        It is none, and `make` is false or something else is there.
    """
    objects = objects_at(url)
    where = f"{objects.url}: {MARK}"
    try:
        Mark.decoded(objects.get(MARK), where)
    except MissingError:
        if not make:
            raise RequestError(f"{objects.url}: there are no backups; see to the folder or URL") from None
        if next(iter(objects.entries("")), None) is not None:
            raise RequestError(
                f"{objects.url}: holds something, and no backups; name a new folder or prefix"
            ) from None
        if not objects.create(MARK, Mark().encoded()):
            raise DataError(f"{where}: is of another version of Umbra; use that") from None
    return Destination(objects)
