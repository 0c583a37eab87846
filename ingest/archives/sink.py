"""Where the readers of archives put members: below one folder, counted, each told."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from ingest.archives.folder import SafeFolder
from ingest.archives.limits import Allowance
from ingest.archives.members import Parts, RefusedError, SafeNames, shown

TELL_S = 0.25


@dataclass(frozen=True, slots=True)
class Member:
    """A file that was unpacked.

    Attributes
    ----------
    path : str
        Below the folder, with slashes.
    bytes : int
    changed : str
        What was changed about its name, empty where nothing was.
    cut : bool
        The archive ended within it.
    """

    path: str
    bytes: int
    changed: str = ""
    cut: bool = False

    @property
    def parts(self) -> Parts:
        """The path, folder by folder."""
        return tuple(self.path.split("/"))


class Output:
    """One member on its way to the disk, or nowhere but through the count where `descriptor` is None."""

    def __init__(self, sink: "Sink", member: Member | None, descriptor: int | None) -> None:
        self._sink, self._member, self._descriptor = sink, member, descriptor
        self.bytes = 0

    def write(self, data: bytes) -> int:
        """Write all of `data`. Raises as `Allowance.take`, and OSError."""
        self._sink.allowance.take(len(data))
        self.bytes += len(data)
        self._sink.tell()
        if self._descriptor is not None:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        return len(data)

    def close(self, *, cut: bool = False) -> None:
        """End the member; `cut` where the archive ended before it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._member is not None:
            self._sink.files.append(replace(self._member, bytes=self.bytes, cut=cut))
            self._member = None


class Sink:
    """Takes the members of an archive, and of the archives in it.

    Parameters
    ----------
    folder : SafeFolder
    allowance : Allowance
    report : callable
        Called now and then with how far the work is.
    """

    def __init__(self, folder: SafeFolder, allowance: Allowance, report: Callable[[], None]) -> None:
        self.folder = folder
        self.allowance = allowance
        self.files: list[Member] = []
        self.refused: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.within: Parts = ()
        self._names = SafeNames()
        self._report = report
        self._told = time.monotonic()

    def file(self, name: str) -> Output | None:
        """Begin a file; None where its name is refused. Raises as `Allowance.member`, and OSError."""
        self.allowance.member()
        try:
            placed = self._names.file(self._inside(name))
        except RefusedError as error:
            self._refuse(name, str(error))
            return None
        descriptor = self.folder.create(placed.parts)
        return Output(self, Member("/".join(placed.parts), 0, placed.changed), descriptor)

    def make(self, name: str) -> None:
        """Make a folder, or refuse it."""
        self.allowance.member()
        self.tell()
        try:
            self.folder.make(self._names.folder(self._inside(name)))
        except RefusedError as error:
            self._refuse(name, str(error))

    def refuse(self, name: str, why: str) -> None:
        """Leave a member out."""
        self.allowance.member()
        self.tell()
        self._refuse(name, why)

    def nowhere(self) -> Output:
        """For what must be unpacked to reach what follows it."""
        return Output(self, None, None)

    def tell(self) -> None:
        """Report, if the last report is a while ago."""
        now = time.monotonic()
        if now - self._told >= TELL_S:
            self._told = now
            self._report()

    def take_back(self, count: int) -> None:
        """Remove the files that came after the first `count`."""
        for member in self.files[count:]:
            self.folder.remove(member.parts)
        del self.files[count:]

    def document(self) -> dict[str, Any]:
        """What happened, for the other process."""
        return {
            "files": [asdict(member) for member in self.files],
            "refused": self.refused,
            "notes": self.notes,
        }

    def _inside(self, name: str) -> str:
        """The name below the folder of the archive that is being read; absolute ones stay so."""
        if not self.within or name.startswith(("/", "\\")) or name[1:2] == ":":
            return name
        return "/".join((*self.within, name))

    def _refuse(self, name: str, why: str) -> None:
        inside = "/".join((*self.within, name)) if self.within else name
        self.refused.append((shown(inside), why))
