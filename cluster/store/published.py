"""The store over any objects: what is published, kept and logged."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from cluster.edition import edition
from cluster.store.ahead import ahead
from cluster.store.names import LOG, NUMBER, commit_name, path_of, raw_name, segment, text_of
from cluster.store.objects import MissingError, Objects
from cluster.store.protocol import Kind
from cluster.store.records import Commit, File, Finding, Lost, Raw, Version, now_text
from cluster.store.slots import Slot, slot_of
from cluster.store.transfer import Reading, digest_of, files_of, new_file, new_folder, parts_of, written
from reduction.errors import DataError, RequestError, ResourceError

One = TypeVar("One")
Result = TypeVar("Result")
ROUNDS = 3
"""How often a publication is begun again when its uploads were collected."""


class ObjectStore:
    """The `cluster.store.protocol.Store` over a disk's or a server's objects.

    Parameters
    ----------
    objects : Objects
        Where everything is kept.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def __reduce__(self) -> tuple[Any, ...]:
        from cluster.store.opening import open_store

        return open_store, (self.url,)

    def __repr__(self) -> str:
        return f"<store {self.url}>"

    @property
    def url(self) -> str:
        """Where it is: `open_store` takes it, in any process."""
        return self._objects.url

    def put_raw(self, path: Path | str, known: Raw | None = None) -> Raw:
        """Keep a file under its SHA-256; one that is there already stays."""
        raw = digest_of(Path(path)) if known is None else known
        name = raw_name(raw.sha256)
        if self._objects.size(name) != raw.size:
            self._objects.upload(name, parts_of(Path(path), raw), raw.size)
        return raw

    def has_raw(self, sha256: str) -> bool:
        """Whether a file with this digest is kept."""
        return self._objects.size(raw_name(sha256)) is not None

    def raw_size(self, sha256: str) -> int:
        """Return the size of a kept file, bytes; 0 where it is not kept."""
        return self._objects.size(raw_name(sha256)) or 0

    def drop_raw(self, sha256: str) -> None:
        """Remove a kept file; one that is not there counts as removed."""
        self._objects.delete([raw_name(sha256)])

    def object_of(self, commit: Commit, name: str) -> str:
        """Name of the object that a published file is."""
        return f"{_place(commit.kind, commit.key, commit.folder)}/{path_of(name)}"

    def object_size(self, name: str) -> int | None:
        """Bytes of an object; None: it is not there."""
        return self._objects.size(name)

    def read_object(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `start` to `stop` of an object, in pieces of at most 1 MiB; not verified."""
        try:
            yield from self._objects.read_range(name, start, stop)
        except MissingError:
            raise DataError(f"{self.url}: {name}: is missing; restore it from a copy") from None

    def fetch_raw(self, sha256: str, into: Path | str) -> Path:
        """Write a kept file to the path `into`, or into that folder if it is one; verified, in one step."""
        name, into = raw_name(sha256), Path(into)
        if into.is_dir():
            into /= sha256
        with new_file(into) as beside:
            try:
                written(self._objects.read(name), beside, f"{self.url}: {name}", sha256)
            except MissingError:
                raise DataError(
                    f"{self.url}: has no file with the SHA-256 {sha256}; put it there, or name another store"
                ) from None
        return into

    def publish(self, kind: Kind, key: str, folder: Path | str, attempt: int = 1) -> Commit:
        """Make a folder's files the one result of `key`; whoever is second gets the first's commit."""
        if attempt < 0:
            raise RequestError(f"attempt {attempt}: give 0 or more")
        sources = files_of(Path(folder))
        for _ in range(ROUNDS):
            slot = self._slot(kind, key)
            if slot.commit is not None:
                return slot.commit
            commit = self._uploaded(kind, key, sources, attempt, slot.number)
            place = _place(kind, key, commit.folder)
            after = [f"{place}/{path_of(file.name)}" for file in commit.files]
            if self._objects.create(commit_name(kind, key, slot.number), commit.encoded(), after):
                return commit
            self._objects.delete(after)  # nobody can commit them any more
        slot = self._slot(kind, key)
        if slot.commit is not None:
            return slot.commit
        raise ResourceError(
            f"{self.url}: {kind} {key}: its upload was collected {ROUNDS} times before it was committed; "
            "collect with a longer --older-than"
        )

    def _uploaded(self, kind: Kind, key: str, sources: dict[str, Path], attempt: int, slot: int) -> Commit:
        """Upload files into a folder that is nobody else's; the commit that would publish them."""
        folder = f"{attempt:d}-{slot:d}-{secrets.token_hex(8)}"
        place = _place(kind, key, folder)

        def upload(one: tuple[str, Path]) -> File:
            name, path = one
            reading = Reading(path)
            self._objects.stage(f"{place}/{path_of(name)}", iter(reading), reading.size)
            return File(name=name, size=reading.size, sha256=reading.sha256)

        files = tuple(self._at_once(upload, sources.items()))
        return Commit(
            kind=kind,
            key=key,
            attempt=attempt,
            folder=folder,
            files=files,
            edition=edition(),
            when=now_text(),
        )

    def _at_once(self, work: Callable[[One], Result], items: Iterable[One]) -> list[Result]:
        """Results of `work` for each item, several at once where that is quicker."""
        return list(ahead(work, items, self._objects.streams))

    def _slot(self, kind: str, key: str) -> Slot:
        return slot_of(self._objects, kind, key)

    def find(self, kind: Kind, key: str) -> Commit | None:
        """Return the commit of `key`; None: nothing is published."""
        return self._slot(kind, key).commit

    def fetch(self, kind: Kind, key: str, into: Path | str) -> Commit:
        """Write what is published into a new folder `into`, verified, all or nothing."""
        commit = self.find(kind, key)
        if commit is None:
            raise RequestError(f"{self.url}: nothing is published as {kind} {key}; see umbra store ls")
        place = _place(kind, key, commit.folder)
        with new_folder(Path(into)) as beside:

            def fetch(file: File) -> None:
                name = f"{place}/{path_of(file.name)}"
                path = beside / file.name
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    written(self._objects.read(name), path, f"{self.url}: {name}", file.sha256)
                except MissingError:
                    raise DataError(
                        f"{self.url}: {name}: is missing, though {kind} {key} is published; restore it"
                    ) from None

            self._at_once(fetch, commit.files)
        return commit

    def published(self, kind: Kind) -> Iterator[Commit]:
        """Every commit of a kind, by key."""
        keys = map(text_of, self._objects.folders(f"{kind}/"))
        for commit in ahead(lambda key: self.find(kind, key), keys, self._objects.streams):
            if commit is not None:
                yield commit

    def add_version(self, campaign: str, observation: str, key: str) -> int:
        """Make a published result the latest of an observation; its number, from 1."""
        if self.find("results", key) is None:
            raise RequestError(f"{self.url}: no result {key} is published; publish it before it is a version")
        while True:
            numbers = self._numbers(campaign, observation)
            latest = max(numbers, default=0)
            if latest and self.version(campaign, observation, latest).key == key:
                return latest
            one = Version(
                campaign=campaign, observation=observation, number=latest + 1, key=key, when=now_text()
            )
            name = f"{_versions(campaign, observation)}{one.number}.json"
            if self._objects.create(name, one.encoded()):
                return one.number

    def _numbers(self, campaign: str, observation: str) -> list[int]:
        prefix = _versions(campaign, observation)
        found = (NUMBER.match(entry.name.removeprefix(prefix)) for entry in self._objects.entries(prefix))
        return sorted(int(match[1]) for match in found if match)

    def versions(self, campaign: str, observation: str) -> list[str]:
        """Keys of an observation's results; the first is version 1."""
        return [version.key for version in self.history(campaign, observation)]

    def history(self, campaign: str, observation: str) -> list[Version]:
        """Every version of an observation; the first is version 1."""
        count = max(self._numbers(campaign, observation), default=0)
        return self._at_once(lambda n: self.version(campaign, observation, n), range(1, count + 1))

    def version(self, campaign: str, observation: str, number: int) -> Version:
        """Return one version. Raises `RequestError` without it."""
        name = f"{_versions(campaign, observation)}{number}.json"
        try:
            return Version.decoded(self._objects.get(name), f"{self.url}: {name}")
        except MissingError:
            raise RequestError(
                f"{self.url}: {campaign}: {observation}: has no version {number}; see umbra store ls"
            ) from None

    def observations(self, campaign: str) -> list[str]:
        """Observations of a campaign that have results."""
        inside = self._objects.folders(f"observations/{segment(campaign, 'the campaign')}/")
        return sorted(map(text_of, inside))

    def campaigns(self) -> list[str]:
        """Campaigns that have results."""
        return sorted(map(text_of, self._objects.folders("observations/")))

    def put_log(self, job: str, attempt: int, text: str) -> str:
        """Keep the log of an attempt, in place of what was kept of it before; the log's name."""
        name = _log(job, attempt)
        self._objects.put(name, text.encode(errors="backslashreplace"))
        return name

    def log(self, job: str, attempt: int) -> str | None:
        """Return the log of an attempt; None without one."""
        with suppress(MissingError):
            return self._objects.get(_log(job, attempt)).decode(errors="replace")
        return None

    def logged(self, job: str) -> list[int]:
        """Attempts of a job whose logs are kept."""
        prefix = f"logs/{segment(job, 'the job')}/"
        found = (LOG.match(entry.name.removeprefix(prefix)) for entry in self._objects.entries(prefix))
        return sorted(int(match[1]) for match in found if match)

    def verify(self, deep: bool = False) -> Iterator[Finding]:
        """Look at every object: by its size, or by its digest."""
        from cluster.store.upkeep import verify

        return verify(self._objects, deep)

    def orphans(self, older_than_s: float) -> Iterator[Lost]:
        """Find what no commit names, of which nothing changed for so many seconds."""
        from cluster.store.upkeep import orphans

        return orphans(self._objects, older_than_s)

    def collect(self, older_than_s: float, dry_run: bool = False) -> list[Lost]:
        """Delete orphans; which."""
        from cluster.store.upkeep import collect

        return collect(self._objects, older_than_s, dry_run)


def _place(kind: str, key: str, folder: str) -> str:
    return f"{kind}/{segment(key, 'the key')}/{folder}"


def _versions(campaign: str, observation: str) -> str:
    return f"observations/{segment(campaign, 'the campaign')}/{segment(observation, 'the observation')}/"


def _log(job: str, attempt: int) -> str:
    return f"logs/{segment(job, 'the job')}/{attempt:d}.txt"
