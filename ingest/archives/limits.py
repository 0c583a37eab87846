"""What unpacking may take: members, bytes, memory, processor time; stated before anything is parsed."""

import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

from reduction.errors import DataError, ResourceError

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one unpacking.

    Attributes
    ----------
    written : int
        Bytes that may be written in all: what is free on the disk, but for a reserve.
    members : int
        Files, folders, links, refused ones counted too, of all archives in it.
    ratio : int
        Times the archive's size that may come out of it, once more than `ratio_from` bytes did. Recordings
        of a real sky shrink by a factor of a few.
    memory : int
        Bytes of address space of the process.
    processor_s : int
        Seconds of processor time.
    stall_s : float
        Seconds without a byte read or written after which it is ended.
    """

    written: int
    members: int = 200_000
    ratio: int = 200
    ratio_from: int = 256 * MEBIBYTE
    memory: int = 768 * MEBIBYTE
    processor_s: int = 120
    stall_s: float = 60.0

    def confine(self) -> None:
        """Set the limits that the system keeps, for this process and for good."""
        most_file = min(self.written + MEBIBYTE, 1 << 62)
        for what, limit in (
            (resource.RLIMIT_AS, self.memory),
            (resource.RLIMIT_DATA, self.memory),
            (resource.RLIMIT_CPU, self.processor_s),
            (resource.RLIMIT_FSIZE, most_file),
            (resource.RLIMIT_NOFILE, 64),
            (resource.RLIMIT_CORE, 0),
        ):
            _, hard = resource.getrlimit(what)
            bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(what, (bound, bound))


def limits_for(archive: Path, folder: Path) -> Limits:
    """Limits of an archive that is unpacked into `folder`: a tenth of the free disk stays free."""
    size = archive.stat().st_size
    free = shutil.disk_usage(folder).free
    return Limits(written=free - min(free // 10, 1 << 30), processor_s=120 + 2 * (size // MEBIBYTE))


class Allowance:
    """Counts what has come out of an archive against its limits."""

    def __init__(self, name: str, size: int, limits: Limits) -> None:
        self._name, self._size, self._limits = name, size, limits
        self.members = 0
        self.bytes = 0

    def member(self) -> None:
        """Count one member.

        Raises
        ------
        LimitError
            There are too many.
        """
        self.members += 1
        if self.members > self._limits.members:
            raise LimitError(f"{self._name}: more than {self._limits.members} members; nothing was unpacked")

    @property
    def room(self) -> int:
        """How many more members there may be."""
        return self._limits.members - self.members

    def take(self, count: int) -> None:
        """Count bytes, before they are written.

        Raises
        ------
        LimitError
            More has come out than any recording packs into an archive of this size.
        ResourceError
            The disk would be full.
        """
        self.bytes += count
        limits = self._limits
        if self.bytes > limits.ratio_from and self.bytes > limits.ratio * self._size:
            raise LimitError(
                f"{self._name}: {self._size} bytes unpack to more than {limits.ratio} times as many: "
                "a decompression bomb, or no recording; nothing was unpacked"
            )
        if self.bytes > limits.written:
            raise ResourceError(
                f"{self._name}: unpacks to more than {limits.written / 1e9:.2f} GB, what the disk can take; "
                "make room, or work on another disk"
            )


class LimitError(DataError):
    """An archive that asks for more than any sound one does; it ends all unpacking."""
