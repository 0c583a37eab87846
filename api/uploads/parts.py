"""Files that arrive: a file each on this machine's disk, with one writer at a time."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from api.problems import RefusedError
from api.uploads.headers import ID, Checksum
from ingest.durable import settle_one
from reduction.errors import ResourceError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class FullError(RefusedError):
    """There is no room for more; what was acknowledged stays."""

    def __init__(self) -> None:
        detail = "the disk of the service is full; what was acknowledged is kept, go on when there is room"
        super().__init__(507, detail, {"Retry-After": "60"})


class Part:
    """A file that is being written, by this one writer.

    Whoever opens it has a lock that the system takes back when the process ends, however it ends. Bytes
    beyond what is acknowledged are nobody's: the next writer writes over them.

    Attributes
    ----------
    settled : int
        Bytes that are acknowledged.
    written : int
        Bytes after them that this writer has written, included.

    Raises
    ------
    RefusedError
        423: somebody else writes. 507: there is no room.
    ResourceError
        The disk fails.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise failure(error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise RefusedError(
                423, "another request writes to this upload; ask for its offset when that has ended",
                {"Retry-After": "1"},
            ) from None  # fmt: skip
        except BaseException:
            os.close(self._descriptor)
            raise
        self.settled = self.written = 0
        self._new = True

    def begin(self, at: int) -> None:
        """Go on at an offset.

        Raises
        ------
        RefusedError
            410: bytes that were acknowledged are not there, which only a broken disk brings about.
        """
        if os.fstat(self._descriptor).st_size < at:
            raise RefusedError(410, "the disk has lost what was sent; begin the upload again")
        self.settled = self.written = at
        self._new = at == 0  # whoever acknowledged the first byte has settled the name, too

    def write(self, data: bytes, checksum: Checksum | None, reserve: int) -> None:
        """Write behind what is written.

        Raises
        ------
        FullError
            Less than `reserve` bytes would be left, or the disk says so; a part of `data` may be written.
        ResourceError
            The disk fails.
        """
        if checksum is not None:
            checksum.found.update(data)
        if reserve and shutil.disk_usage(self._path.parent).free < reserve + len(data):
            raise FullError
        left = memoryview(data)
        while left:
            try:
                done = os.pwrite(self._descriptor, left, self.written)
            except OSError as error:
                raise failure(error) from error
            self.written += done
            left = left[done:]

    def sync(self) -> None:
        """Wait until what is written is on the disk. Raises as `write`."""
        try:
            os.fdatasync(self._descriptor)
            if self._new:
                settle_one(self._path.parent)
                self._new = False
        except OSError as error:
            raise failure(error) from error

    def close(self) -> None:
        """Let others write, at once.

        A process that this one is just starting has a copy of the descriptor until it runs its program, and
        would keep a lock that is only closed.
        """
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)


def failure(error: OSError) -> RefusedError | ResourceError:
    """What an error of the disk means to a client."""
    if error.errno in FULL:
        return FullError()
    return ResourceError(f"the disk of the service fails: {error.strerror or error}; ask again later")


def part_of(folder: Path, upload: str) -> Path:
    """Where an upload's bytes are."""
    return folder / f"{upload}.part"


def parts_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every upload of which there are bytes, by id."""
    for path in sorted(folder.glob("*.part")):
        if ID.match(path.stem):
            yield path.stem, path
