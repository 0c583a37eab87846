"""Looking after a store: whether all is there and as it was, and what may go."""

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby

from cluster.store.ahead import ahead
from cluster.store.names import ATTEMPT, COMMIT, DIGEST, NUMBER, commit_name, path_of, text_of
from cluster.store.objects import Entry, MissingError, Objects
from cluster.store.protocol import KINDS
from cluster.store.records import Commit, Finding, Lost, Mark, State, Version, Void, now_text
from cluster.store.slots import slot_of
from reduction.errors import DataError

MARK = "store.json"
"""The object that makes a folder or a prefix a store."""


@dataclass(slots=True)
class _Upload:
    """What is below one key in one folder."""

    prefix: str
    kind: str
    key: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def slot(self) -> int:
        match = ATTEMPT.match(self.prefix.rstrip("/").rpartition("/")[2])
        return int(match[2]) if match else -1

    def lost(self) -> Lost:
        changed = max(entry.changed for entry in self.entries)
        return Lost(self.prefix, len(self.entries), sum(entry.size for entry in self.entries), changed)


def orphans(objects: Objects, older_than_s: float) -> Iterator[Lost]:
    """Find uploads that no commit names, of which nothing changed for so many seconds."""
    for upload in _uncommitted(objects, older_than_s):
        yield upload.lost()
    for entry in objects.unfinished():
        if _old(entry.changed, older_than_s):
            yield Lost(entry.name, 1, entry.size, entry.changed)


def collect(objects: Objects, older_than_s: float, dry_run: bool = False) -> list[Lost]:
    """Delete orphans; which. See `cluster.store.slots` for why none of them can be committed any more."""
    gone = []
    for upload in _uncommitted(objects, older_than_s):
        if not dry_run and not _fenced(objects, upload):
            continue
        gone.append(upload.lost())
        if not dry_run:
            objects.delete(entry.name for entry in upload.entries)
    for entry in objects.unfinished():
        if _old(entry.changed, older_than_s):
            gone.append(Lost(entry.name, 1, entry.size, entry.changed))
            if not dry_run:
                objects.drop_unfinished(entry.name)
    return gone


def _fenced(objects: Objects, upload: _Upload) -> bool:
    """Whether an upload can be committed by nobody any more, after its place was made void if need be."""
    slot = slot_of(objects, upload.kind, upload.key)
    if slot.commit is None and slot.number <= upload.slot:
        name = commit_name(upload.kind, upload.key, slot.number)
        objects.create(name, Void(token=secrets.token_hex(16), when=now_text()).encoded())
        slot = slot_of(objects, upload.kind, upload.key)
    if slot.commit is not None:
        return not upload.prefix.endswith(f"/{slot.commit.folder}/")
    return slot.number > upload.slot


def _uncommitted(objects: Objects, older_than_s: float) -> Iterator[_Upload]:
    for kind in KINDS:
        keys = groupby(objects.entries(f"{kind}/"), lambda entry: entry.name.split("/")[1])
        uploads = (_uploads(kind, name, inside) for name, inside in keys)
        old = ([one for one in some if _old(one.lost().changed, older_than_s)] for some in uploads)
        for some in ahead(partial(_not_named, objects), old, objects.streams):
            yield from some


def _not_named(objects: Objects, uploads: list[_Upload]) -> list[_Upload]:
    """Those of a key's uploads that its commit does not name; it is read after they were found."""
    if not uploads:
        return []
    try:
        commit = slot_of(objects, uploads[0].kind, uploads[0].key).commit
    except DataError:
        return []  # nobody knows what a damaged record names: `verify` tells of it, nothing goes
    return [one for one in uploads if commit is None or not one.prefix.endswith(f"/{commit.folder}/")]


def _uploads(kind: str, name: str, entries: Iterable[Entry]) -> list[_Upload]:
    """Uploads below one key."""
    found: dict[str, _Upload] = {}
    start = f"{kind}/{name}/"
    for entry in entries:
        folder, slash, _ = entry.name.removeprefix(start).partition("/")
        if slash and ATTEMPT.match(folder):
            prefix = f"{start}{folder}/"
            found.setdefault(prefix, _Upload(prefix, kind, text_of(name))).entries.append(entry)
    return list(found.values())


def _old(changed: datetime, older_than_s: float) -> bool:
    return datetime.now(UTC) - changed >= timedelta(seconds=older_than_s)


def verify(objects: Objects, deep: bool = False) -> Iterator[Finding]:
    """Look at every object, and for every object that a record names.

    Parameters
    ----------
    objects : Objects
    deep : bool
        Read all and compare digests; otherwise names and sizes.
    """
    groups = ((part, list(inside)) for part, inside in groupby(objects.entries(""), _part))
    for findings in ahead(lambda group: _verify_group(objects, *group, deep), groups, objects.streams):
        yield from findings
    for entry in objects.unfinished():
        yield Finding(entry.name, "orphan", entry.size, "was never finished")


def _part(entry: Entry) -> str:
    """What of a name tells objects that are looked at together: the key of what is published."""
    top, _, rest = entry.name.partition("/")
    return f"{top}/{rest.partition('/')[0]}" if top in KINDS and "/" in rest else entry.name


def _verify_group(objects: Objects, part: str, entries: list[Entry], deep: bool) -> list[Finding]:
    top, slash, _ = part.partition("/")
    if top in KINDS and slash and part != entries[0].name:
        return list(_verify_key(objects, top, part, entries, deep))
    return [_verify_one(objects, top, entry, deep) for entry in entries]


def _verify_one(objects: Objects, top: str, entry: Entry, deep: bool) -> Finding:
    """Look at an object that stands for itself."""
    parts = entry.name.split("/")
    if top == "raw" and len(parts) == 3 and DIGEST.match(parts[2]) and parts[2].startswith(parts[1]):
        return _compared(objects, entry, parts[2], entry.size, deep)
    if top == "observations" and len(parts) == 4 and NUMBER.match(parts[3]):
        return _verify_version(objects, entry)
    if entry.name == MARK:
        return _verify_record(objects, entry, Mark)
    if top == "logs" and len(parts) == 3:
        return Finding(entry.name, "ok", entry.size)
    return Finding(entry.name, "foreign", entry.size, "is none of a store's names")


def _verify_record(objects: Objects, entry: Entry, record: type[Mark | Void]) -> Finding:
    try:
        record.decoded(objects.get(entry.name), entry.name)
    except DataError as error:
        return Finding(entry.name, "damaged", entry.size, str(error))
    except MissingError:
        return _deleted(entry)
    return Finding(entry.name, "ok", entry.size)


def _verify_version(objects: Objects, entry: Entry) -> Finding:
    try:
        one = Version.decoded(objects.get(entry.name), entry.name)
        place = [text_of(part) for part in entry.name.split("/")[1:3]]
        if [one.campaign, one.observation, f"{one.number}.json"] != [*place, entry.name.rpartition("/")[2]]:
            raise DataError(f"{entry.name}: is version {one.number} of {one.campaign}: {one.observation}")
        if slot_of(objects, "results", one.key).commit is None:
            return Finding(entry.name, "missing", entry.size, f"its result {one.key} is not published")
    except DataError as error:
        return Finding(entry.name, "damaged", entry.size, str(error))
    except MissingError:
        return _deleted(entry)
    return Finding(entry.name, "ok", entry.size)


def _verify_key(
    objects: Objects, kind: str, part: str, entries: list[Entry], deep: bool
) -> Iterator[Finding]:
    """Look at all that is below one key."""
    expected, damaged = {}, ""
    try:
        commit = slot_of(objects, kind, text_of(part.partition("/")[2])).commit
    except DataError as error:
        commit, damaged = None, str(error)
    if commit is not None:
        expected = {f"{part}/{commit.folder}/{path_of(file.name)}": file for file in commit.files}
    for entry in entries:
        file = expected.pop(entry.name, None)
        inside = entry.name.removeprefix(f"{part}/")
        if file is not None:
            yield _compared(objects, entry, file.sha256, file.size, deep)
        elif COMMIT.match(inside):
            bad = damaged and entry.name in damaged
            yield Finding(entry.name, "damaged" if bad else "ok", entry.size, damaged if bad else "")
        elif ATTEMPT.match(inside.partition("/")[0]):
            yield Finding(entry.name, "orphan", entry.size, "no commit names it")
        else:
            yield Finding(entry.name, "foreign", entry.size, "is none of a store's names")
    for name, file in expected.items():
        if objects.size(name) is None:
            yield Finding(name, "missing", file.size, f"the commit of {kind} {_key(commit)} names it")


def _key(commit: Commit | None) -> str:
    return "" if commit is None else commit.key


def _compared(objects: Objects, entry: Entry, sha256: str, size: int, deep: bool) -> Finding:
    state: State = "ok"
    detail = ""
    if entry.size != size:
        state, detail = "wrong size", f"{entry.size} bytes, the commit says {size}"
    elif deep:
        found = hashlib.sha256()
        try:
            for part in objects.read(entry.name):
                found.update(part)
        except MissingError:
            return _deleted(entry)
        if found.hexdigest() != sha256:
            state, detail = "wrong digest", f"has the SHA-256 {found.hexdigest()}, {sha256} is expected"
    return Finding(entry.name, state, entry.size, detail)


def _deleted(entry: Entry) -> Finding:
    return Finding(entry.name, "missing", entry.size, "was deleted while the store was looked at")
