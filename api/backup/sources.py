"""What is to be saved besides the database: each file with its digest, and how it is read."""

import hashlib
import os
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from api.backup.records import JOBS, STORE, UPLOADS, EndedUpload, Line
from api.jobs import Job
from api.store import STATE
from api.uploads.parts import part_of
from api.uploads.tables import ARRIVING, STORED, WHOLE
from cluster.store.ahead import ahead
from cluster.store.names import DIGEST, NUMBER, commit_name, path_of, raw_name, text_of
from cluster.store.objects import PART, Entry, MissingError, Objects
from cluster.store.protocol import KINDS
from cluster.store.slots import slot_of
from cluster.store.transfer import digest_of, parts_of
from cluster.store.upkeep import MARK
from reduction.errors import DataError, RequestError

UPLOAD_PIECE = 64 << 20
"""Bytes of an upload that are one object: a later backup copies only what has come since."""

ROUNDS = 5
Open = Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Source:
    """Something to be saved."""

    line: Line
    open: Open


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that cannot be saved."""

    text: str


Found = Source | Problem


def store_objects(objects: Objects) -> Iterator[Found]:
    """All that is kept, published and logged in a store; not what is under way, or nobody's.

    What is published is found by its commit: a list may show it without files that were written later.
    """
    groups = ((top, list(inside)) for top, inside in groupby(objects.entries(""), _group))
    for some in ahead(lambda pair: list(_of_group(objects, *pair)), groups, objects.streams):
        yield from some


def _group(entry: Entry) -> str:
    top, _, rest = entry.name.partition("/")
    return f"{top}/{rest.partition('/')[0]}" if top in KINDS and "/" in rest else entry.name


def _of_group(objects: Objects, group: str, entries: list[Entry]) -> Iterator[Found]:
    top = group.partition("/")[0]
    first = entries[0].name
    if top in KINDS and first != group:
        yield from _published(objects, group)
        return
    words = first.split("/")
    if top == "raw" and len(words) == 3 and DIGEST.match(words[2]) and first == raw_name(words[2]):
        yield _named(objects, first, entries[0].size, words[2])
    elif first == MARK or (top == "logs" and len(words) == 3) or _is_version(words):
        yield from _small(objects, first)


def _is_version(words: list[str]) -> bool:
    return words[0] == "observations" and len(words) == 4 and NUMBER.match(words[3]) is not None


def _published(objects: Objects, group: str) -> Iterator[Found]:
    """Files of a commit, then the records of its key."""
    kind, _, rest = group.partition("/")
    key = text_of(rest)
    try:
        slot = slot_of(objects, kind, key)
    except DataError as error:
        yield Problem(str(error))
        return
    if slot.commit is None:
        return
    for file in slot.commit.files:
        yield _named(objects, f"{group}/{slot.commit.folder}/{path_of(file.name)}", file.size, file.sha256)
    for number in range(slot.number + 1):
        yield from _small(objects, commit_name(kind, key, number))


def _named(objects: Objects, name: str, size: int, sha256: str) -> Source:
    return Source(Line(STORE + name, 0, size, sha256), partial(objects.read, name))


def _small(objects: Objects, name: str) -> Iterator[Source]:
    """Read a record or a log, which are read whole anywhere else, too."""
    try:
        data = objects.get(name)
    except MissingError:  # a log in whose place another is just put
        return
    yield _held(STORE + name, data)


def _held(name: str, data: bytes) -> Source:
    return Source(Line(name, 0, len(data), hashlib.sha256(data).hexdigest()), lambda: iter([data]))


def job_files(home: Path) -> Iterator[Found]:
    """States and results of the jobs in a home; what an attempt under way writes is left out."""
    folder = home / "jobs"
    for job in sorted(folder.iterdir()) if folder.is_dir() else ():
        for last in (*[False] * (ROUNDS - 1), True):
            try:
                yield from list(_of_job(job))
            except RequestError as error:  # it is begun again at this very moment
                if last:
                    yield Problem(str(error))
            else:
                break


def _of_job(folder: Path) -> Iterator[Found]:
    """Files of a job's result, then its state. Raises `RequestError` where a file is gone."""
    path = folder / STATE
    try:
        data = path.read_bytes()
        job = Job.model_validate_json(data)
    except FileNotFoundError:
        return  # never acknowledged
    except (OSError, ValidationError) as error:
        yield Problem(f"{path}: cannot be read as a job: {error}")
        return
    inside = folder / job.result if job.result is not None else None
    for parent, folders, names in os.walk(inside) if inside is not None else ():
        folders.sort()
        for name in sorted(names):
            file = Path(parent) / name
            raw = digest_of(file)
            line = Line(f"{JOBS}{file.relative_to(folder.parent)}", 0, raw.size, raw.sha256)
            yield Source(line, partial(parts_of, file, raw))
    yield _held(f"{JOBS}{folder.name}/{STATE}", data)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An upload as the snapshot has it."""

    id: str
    received: int


@dataclass(frozen=True, slots=True)
class Since:
    """What has become of an upload by now; an empty state: it was deleted."""

    state: str
    problem: str
    sha256: str | None


def upload_bytes(
    folder: Path, upload: Unfinished, objects: Objects, since: Callable[[str], Since]
) -> Iterator[Found | EndedUpload]:
    """The acknowledged bytes of an upload, in pieces.

    They never change while they are there. The file goes when the upload is stored, refused or ended, after
    the database says so: then they are in the store, or nobody's.

    Parameters
    ----------
    folder : Path
        Of the files that arrive.
    upload : Unfinished
    objects : Objects
        Of the store.
    since : callable
        Tells what has become of an upload.
    """
    path = part_of(folder, upload.id)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield from _gone(upload, objects, since(upload.id))
        return
    arrived = _Arrived(descriptor)
    for start in range(0, upload.received, UPLOAD_PIECE):
        stop = min(start + UPLOAD_PIECE, upload.received)
        yield _piece(upload, start, stop, partial(arrived.read, start, stop), str(path))


def _gone(upload: Unfinished, objects: Objects, now: Since) -> Iterator[Found | EndedUpload]:
    if now.state == STORED and now.sha256 is not None:
        name = raw_name(now.sha256)
        for start in range(0, upload.received, UPLOAD_PIECE):
            stop = min(start + UPLOAD_PIECE, upload.received)
            opened = partial(objects.read_range, name, start, stop)
            yield _piece(upload, start, stop, opened, name)
    elif now.state in {ARRIVING, WHOLE}:
        yield Problem(f"upload {upload.id}: its {upload.received} bytes are not on the disk of the service")
    else:
        yield EndedUpload(id=upload.id, state=now.state, problem=now.problem)


def _piece(upload: Unfinished, start: int, stop: int, opened: Open, where: str) -> Found:
    found, size = hashlib.sha256(), 0
    try:
        for part in opened():
            found.update(part)
            size += len(part)
    except MissingError:
        size = -1
    if size != stop - start:
        return Problem(f"{where}: bytes {start} to {stop} of upload {upload.id} are not there")
    return Source(Line(f"{UPLOADS}{upload.id}", start, size, found.hexdigest()), opened)


class _Arrived:
    """A file that stays readable when its name goes; closed when nobody knows of it any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        while start < stop and (piece := os.pread(self._descriptor, min(PART, stop - start), start)):
            start += len(piece)
            yield piece
