"""Where the commit of a key is made: the first place that is not void.

A commit is made by put-if-absent at the place that its publisher found free *before* it uploaded anything.
Who wants to delete uploads of which nobody knows whether their publisher lives makes that place void first:
from then on they cannot be committed, whenever the publisher wakes. No clock is compared with another.
"""

from dataclasses import dataclass

from cluster.store.names import commit_name
from cluster.store.objects import MissingError, Objects
from cluster.store.records import Commit, Void
from reduction.errors import DataError

VOID = b'"schema": "umbra-void-1"'
"""What no other record holds: quotes within a text are escaped."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The place that counts, and its commit; None: it is free."""

    number: int
    commit: Commit | None


def slot_of(objects: Objects, kind: str, key: str) -> Slot:
    """Return the first place of a key that is not void.

    Raises
    ------
    DataError
        A record is damaged.
    """
    number = 0
    while True:
        name = commit_name(kind, key, number)
        try:
            data = objects.get(name)
        except MissingError:
            return Slot(number, None)
        where = f"{objects.url}: {name}"
        if VOID not in data:
            commit = Commit.decoded(data, where)
            if (commit.kind, commit.key) != (kind, key):
                raise DataError(
                    f"{where}: is the commit of {commit.kind} {commit.key}; restore the right one"
                )
            return Slot(number, commit)
        Void.decoded(data, where)
        number += 1
