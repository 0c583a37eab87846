"""What an archive of event data is made of: settled once, and read again for every part that is asked for."""

import hashlib
import json
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from api.bundles.archive import Layout, Member
from reduction.errors import DataError

FORM = "umbra-bundle-1"
"""Of plans and of the archives that follow from them."""
KEPT = 4
"""Plans that stay in memory; the greatest have some ten megabytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive.

    Attributes
    ----------
    name : str
        In the archive, with slashes.
    modified : int
        POSIX seconds.
    store : str
        Name of the object that holds it; empty: `text` does.
    """

    name: str
    size: int
    crc32: int
    modified: int
    sha256: str
    store: str = ""
    text: str = ""


def text_entry(name: str, content: bytes, modified: int) -> Entry:
    """A file that the service has written."""
    digest = hashlib.sha256(content).hexdigest()
    return Entry(name, len(content), zlib.crc32(content), modified, digest, text=content.decode())


@dataclass(frozen=True)
class Plan:
    """Files of an archive in their order, and the name under which it is saved."""

    name: str
    entries: tuple[Entry, ...]

    @cached_property
    def layout(self) -> Layout:
        """Where they are in the archive."""
        return Layout([Member(one.name, one.size, one.crc32, one.modified) for one in self.entries])

    @cached_property
    def content(self) -> bytes:
        """The plan as it is kept."""
        return zlib.compress(self._text, 6)

    @property
    def digest(self) -> str:
        """SHA-256 of all that the archive follows from."""
        return hashlib.sha256(self._text).hexdigest()

    @cached_property
    def _text(self) -> bytes:
        rows = [
            [one.name, one.size, one.crc32, one.modified, one.sha256, one.store, one.text]
            for one in self.entries
        ]
        document = {"form": FORM, "name": self.name, "entries": rows}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(KEPT)
def plan_of(content: bytes) -> Plan:
    """Read a plan that was kept.

    Raises
    ------
    DataError
        It is of another version of Umbra.
    """
    document: dict[str, Any] = json.loads(zlib.decompress(content))
    if document["form"] != FORM:
        raise DataError(
            f"this archive was planned by another version of Umbra ({document['form']}); ask anew"
        )
    return Plan(document["name"], tuple(Entry(*row) for row in document["entries"]))
