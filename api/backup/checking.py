"""Whether backups are whole."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from api.backup.destination import Destination, object_name
from api.backup.held import Digests
from api.backup.records import Manifest, lines_of, rows_of
from reduction.errors import DataError

MOST = 20
"""Faults that are told one by one."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen of a backup: the first faults, and how many there are."""

    id: str
    manifest: Manifest | None
    faults: tuple[str, ...]
    count: int


def check(destination: Destination, ids: list[str], room: Path, deep: bool) -> Iterator[Looked]:
    """Look at backups: whether all their objects are there with their sizes; `deep`, their digests."""
    with closing(Digests(room / "there")) as there:
        there.fill(pair for pair in destination.held() if not deep or destination.sound(pair[0]))
        for identity in ids:
            yield _looked(destination, identity, there)


def _looked(destination: Destination, identity: str, there: Digests) -> Looked:
    try:
        manifest = destination.manifest(identity)
    except DataError as error:
        return Looked(identity, None, (str(error),), 1)
    faults: list[str] = []
    count = 0
    for fault in _faults(destination, manifest, there):
        count += 1
        if len(faults) < MOST:
            faults.append(fault)
    return Looked(identity, manifest, tuple(faults), count)


def _faults(destination: Destination, manifest: Manifest, there: Digests) -> Iterator[str]:
    for table in manifest.tables:
        for part in table.parts:
            try:
                rows = sum(1 for _ in rows_of(destination.get_part(part), f"table {table.name}"))
            except DataError as error:
                yield str(error)
                continue
            if rows != part.count:
                yield f"table {table.name}: {rows} rows, {part.count} are promised"
    files = size = 0
    for part in manifest.lists:
        where = f"{destination.url}: {object_name(part.sha256)}"
        try:
            for line in lines_of(destination.get_part(part), where):
                files += line.start == 0
                size += line.size
                if there.size(line.sha256) != line.size:
                    yield f"{line.name}: {object_name(line.sha256)} is missing or damaged"
        except DataError as error:
            yield str(error)
            return
    if (files, size) != (manifest.files, manifest.size):
        yield f"{files} files of {size} bytes, {manifest.files} of {manifest.size} are promised"
