"""What a store does, wherever it keeps its objects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol, get_args

from cluster.store.records import Commit, Finding, Lost, Raw, Version

Kind = Literal["results", "stacks", "times"]
"""What is published: a reduction's results, a recording's pixels, a version of its times."""

KINDS: tuple[Kind, ...] = get_args(Kind)


class Store(Protocol):
    """Keeps what a campaign reads and makes. Safe for threads; pickled, it opens itself again by its URL.

    Every method raises `ResourceError` where the disk or the server fails or is full, and `RequestError`
    for a name that cannot be one. What a method has returned survives a power cut of a local disk.
    """

    @property
    def url(self) -> str:
        """Where it is: `open_store` takes it, in any process."""
        ...

    def put_raw(self, path: Path | str, known: Raw | None = None) -> Raw:
        """Keep a file under its SHA-256; one that is there already stays.

        Parameters
        ----------
        path : Path
            The file.
        known : Raw, optional
            Its digest and size, where they were computed before: spares reading it once.

        Raises
        ------
        DataError
            It is not what `known` says, or changes while it is read.
        """
        ...

    def fetch_raw(self, sha256: str, into: Path | str) -> Path:
        """Write a kept file to the path `into`, or into that folder if it is one; verified, in one step.

        Raises
        ------
        DataError
            It is not in the store, or is damaged there.
        """
        ...

    def has_raw(self, sha256: str) -> bool:
        """Whether a file with this digest is kept."""
        ...

    def raw_size(self, sha256: str) -> int:
        """Return the size of a kept file, bytes; 0 where it is not kept."""
        ...

    def drop_raw(self, sha256: str) -> None:
        """Remove a kept file; one that is not there counts as removed. Who else relies on it, nobody asks."""
        ...

    def publish(self, kind: Kind, key: str, folder: Path | str, attempt: int = 1) -> Commit:
        """Make a folder's files the one result of `key`; whoever is second gets the first's commit.

        Parameters
        ----------
        kind : str
            ``results``, ``stacks`` or ``times``.
        key : str
            What was made: its result key, or the digest of the pixels or times.
        folder : Path
            Its files; folders in it are kept, empty ones not.
        attempt : int
            Which attempt at the job made it.

        Raises
        ------
        RequestError
            The folder has no files, or others than files.
        DataError
            Its files change meanwhile.
        """
        ...

    def find(self, kind: Kind, key: str) -> Commit | None:
        """Return the commit of `key`; None: nothing is published."""
        ...

    def fetch(self, kind: Kind, key: str, into: Path | str) -> Commit:
        """Write what is published into a new folder `into`, verified, all or nothing.

        Raises
        ------
        RequestError
            Nothing is published under `key`, or `into` holds something already.
        DataError
            It is damaged in the store.
        """
        ...

    def object_of(self, commit: Commit, name: str) -> str:
        """Name of the object that a published file is; a kept one's is `cluster.store.names.raw_name`."""
        ...

    def object_size(self, name: str) -> int | None:
        """Bytes of an object; None: it is not there."""
        ...

    def read_object(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `start` to `stop` of an object in pieces of at most 1 MiB, fewer where it ends; not verified.

        Raises
        ------
        DataError
            With the first piece: it is not there.
        """
        ...

    def published(self, kind: Kind) -> Iterator[Commit]:
        """Every commit of a kind, by key."""
        ...

    def add_version(self, campaign: str, observation: str, key: str) -> int:
        """Make a published result the latest of an observation; its number, from 1.

        The key that is the latest already adds nothing. Raises `RequestError` where no result has the key.
        """
        ...

    def versions(self, campaign: str, observation: str) -> list[str]:
        """Keys of an observation's results; the first is version 1."""
        ...

    def history(self, campaign: str, observation: str) -> list[Version]:
        """Every version of an observation; the first is version 1."""
        ...

    def version(self, campaign: str, observation: str, number: int) -> Version:
        """Return one version. Raises `RequestError` without it."""
        ...

    def observations(self, campaign: str) -> list[str]:
        """Observations of a campaign that have results."""
        ...

    def campaigns(self) -> list[str]:
        """Campaigns that have results."""
        ...

    def put_log(self, job: str, attempt: int, text: str) -> str:
        """Keep the log of an attempt, in place of what was kept of it before; the log's name."""
        ...

    def log(self, job: str, attempt: int) -> str | None:
        """Return the log of an attempt; None without one."""
        ...

    def logged(self, job: str) -> list[int]:
        """Attempts of a job whose logs are kept."""
        ...

    def verify(self, deep: bool = False) -> Iterator[Finding]:
        """Look at every object: by its size, or by its digest."""
        ...

    def orphans(self, older_than_s: float) -> Iterator[Lost]:
        """Find what no commit names, of which nothing changed for so many seconds."""
        ...

    def collect(self, older_than_s: float, dry_run: bool = False) -> list[Lost]:
        """Delete orphans; which. Whoever still works on one cannot commit it any more, and starts over."""
        ...
