"""Removing old backups, and what no other one needs."""

from collections.abc import Iterator
from pathlib import Path

from api.backup.destination import Destination, object_name
from api.backup.held import Digests
from api.backup.records import Manifest, lines_of

AT_ONCE = 500


def references(destination: Destination, manifest: Manifest, seen: Digests) -> Iterator[tuple[str, int]]:
    """Digest and size of each object of a backup; of lists that were `seen` before, of themselves alone.

    Raises
    ------
    DataError
        A list is missing or damaged.
    """
    for part in manifest.parts:
        yield part.sha256, part.size
    for part in manifest.lists:
        if seen.add(part.sha256, part.size):
            where = f"{destination.url}: {object_name(part.sha256)}"
            for line in lines_of(destination.get_part(part), where):
                yield line.sha256, line.size


def thin(destination: Destination, keep: int, room: Path) -> int:
    """Remove all but the newest backups, then objects that nobody needs; how many backups.

    Whoever calls is the only one who writes there.

    Raises
    ------
    DataError
        A backup that stays is damaged: nobody knows which objects it needs, and none is removed.
    """
    ids = destination.ids()
    old, stay = ids[:-keep], ids[-keep:]
    manifests = [destination.manifest(identity) for identity in stay]  # read before anything is removed
    needed, seen = Digests(room / "needed"), Digests(room / "seen")
    try:
        for manifest in manifests:
            needed.fill(references(destination, manifest, seen))
        for identity in old:
            destination.remove(identity)
        waiting: list[str] = []
        for sha256, _ in destination.held():
            if needed.size(sha256) is None:
                waiting.append(object_name(sha256))
            if len(waiting) >= AT_ONCE:
                destination.objects.delete(waiting)
                waiting = []
        destination.objects.delete(waiting)
    finally:
        needed.close()
        seen.close()
    return len(old)
