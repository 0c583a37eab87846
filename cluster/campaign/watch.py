"""A folder that is watched: what is dropped into it is reduced when it has arrived whole."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster.campaign.uploads import members_of

Stamp = tuple[int, int, int]
"""Files, bytes, and the latest change in POSIX ns, of an entry."""


def stamp_of(entry: Path) -> Stamp:
    """What tells that an entry has changed; of a folder over all files below it."""
    files = size = latest = 0
    for path in [entry] if entry.is_file() else _below(entry):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue  # renamed or removed meanwhile: the next look tells another stamp
        files, size = files + 1, size + found.st_size
        latest = max(latest, found.st_mtime_ns)
    return files, size, latest


def _below(folder: Path) -> list[Path]:
    return [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]


@dataclass(slots=True)
class Arrivals:
    """Which entries of a folder have come to rest.

    Parameters
    ----------
    folder : Path
    settle_s : float
        An entry has arrived when it has not changed for so long.
    clock : callable
        Seconds that never go back.
    """

    folder: Path
    settle_s: float
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[Stamp, float]] = field(default_factory=dict)

    def look(self) -> tuple[dict[str, Stamp], list[str]]:
        """Look once: the entries that have arrived, and the names of those that have not.

        Raises
        ------
        ResourceError
            The folder cannot be listed.
        """
        now = self.clock()
        looked = {entry.name: stamp_of(entry) for entry in members_of(self.folder)}
        current = {
            name: stamp for name, stamp in looked.items() if stamp[0]
        }  # an empty folder is nothing yet
        for name in [name for name in self._seen if name not in current]:
            del self._seen[name]
        arrived: dict[str, Stamp] = {}
        for name, stamp in current.items():
            before = self._seen.get(name)
            if before is None or before[0] != stamp:
                self._seen[name] = (stamp, now)
            since = self._seen[name][1]
            if now - since >= self.settle_s:
                arrived[name] = stamp
        return arrived, [name for name in current if name not in arrived]


def news(arrived: Mapping[str, Stamp], done: Mapping[str, Stamp]) -> list[str]:
    """Entries that have arrived, or have changed, since they were last reduced."""
    return [name for name, stamp in arrived.items() if done.get(name) != stamp]
