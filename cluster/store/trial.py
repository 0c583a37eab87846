"""Whether a server does what a store relies on: some S3 servers accept a condition and ignore it."""

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cluster.store.objects import PART, MissingError, Objects
from reduction.errors import ResourceError

RIVALS = 8
ROUNDS = 5
LARGE = PART + PART // 8
MIXED = ("a-", "a-b", "a.c", "a/b", "a0", "b/1", "b/10", "b/2")
"""Names in the order of their bytes, which is that of a list."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was tried; `seen` is empty where all was right."""

    what: str
    seen: str = ""


class Trial:
    """Tries a place for objects, in a folder that nobody else uses and that is empty afterwards.

    A process that is killed meanwhile leaves an orphan, which `collect` removes.

    Parameters
    ----------
    objects : Objects
        The place; there need be no store.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        token = secrets.token_hex(8)
        self._place = f"results/trial-{token}/1-0-{token}/"

    def run(self) -> Iterator[Outcome]:
        """Try everything, one after the other.

        Raises
        ------
        ResourceError
            The server fails altogether.
        """
        steps: tuple[tuple[str, Callable[[], str]], ...] = (
            ("an object is created once, and refused the second time", self._twice),
            (f"of {RIVALS} at the same time one creates it, {ROUNDS} times", self._rivals),
            ("what was replaced is seen at once", self._replaced),
            ("a large object comes back in parts", self._large),
            ("lists are whole and sorted", self._listed),
            ("what was deleted is gone", self._deleted),
        )
        try:
            for what, step in steps:
                yield Outcome(what, step())
        finally:
            self._objects.delete([entry.name for entry in self._objects.entries(self._place)])

    def _twice(self) -> str:
        name = f"{self._place}twice"
        if not self._objects.create(name, b"first"):
            return "refused the first time"
        if self._objects.create(name, b"second"):
            return "the second was accepted: the condition If-None-Match is ignored"
        kept = self._objects.get(name)
        return "" if kept == b"first" else f"the second was refused, and yet it holds {kept!r}"

    def _rivals(self) -> str:
        for number in range(ROUNDS):
            name = f"{self._place}rivals-{number}"
            start = threading.Barrier(RIVALS)

            def create(rival: int, name: str = name, start: threading.Barrier = start) -> bool:
                start.wait()
                return self._objects.create(name, b"%d" % rival)

            with ThreadPoolExecutor(RIVALS, "trial") as pool:
                won = [rival for rival, done in enumerate(pool.map(create, range(RIVALS))) if done]
            kept = self._objects.get(name)
            if len(won) != 1:
                return f"{len(won)} were told that they created it: results could be published twice"
            if kept != b"%d" % won[0]:
                return f"number {won[0]} was told that it created it, and it holds that of {kept.decode()}"
        return ""

    def _replaced(self) -> str:
        name = f"{self._place}replaced"
        for number in range(ROUNDS):
            self._objects.put(name, b"%d" % number)
            if self._objects.get(name) != b"%d" % number:
                return "an older state came back"
        return ""

    def _large(self) -> str:
        name, data = f"{self._place}large", secrets.token_bytes(LARGE)
        halves = (data[start : start + PART] for start in range(0, LARGE, PART))
        self._objects.upload(name, halves, LARGE)
        if self._objects.size(name) != LARGE:
            return f"{LARGE} bytes were written, it has {self._objects.size(name)}"
        return "" if b"".join(self._objects.read(name)) == data else "other bytes came back"

    def _listed(self) -> str:
        inside = f"{self._place}list/"
        for name in reversed(MIXED):
            self._objects.put(f"{inside}{name}", name.encode())
        found = tuple(entry.name.removeprefix(inside) for entry in self._objects.entries(inside))
        if found != MIXED:
            return f"{', '.join(found)} instead of {', '.join(MIXED)}"
        folders = self._objects.folders(inside)
        return "" if folders == ["a", "b"] else f"folders {', '.join(folders)} instead of a, b"

    def _deleted(self) -> str:
        names = [entry.name for entry in self._objects.entries(self._place)]
        self._objects.delete(names)
        self._objects.delete(names[:1])
        left = [entry.name for entry in self._objects.entries(self._place)]
        try:
            self._objects.get(names[0])
        except MissingError:
            return "" if not left else f"{left[0]} is listed still"
        return f"{names[0]} can be read still"


def refuse(url: str, outcomes: list[Outcome]) -> None:
    """Raise `ResourceError` where anything went wrong."""
    bad = sum(1 for outcome in outcomes if outcome.seen)
    if bad:
        raise ResourceError(
            f"{url}: {bad} of {len(outcomes)} things that a store relies on went wrong; update the "
            "server or use another, and put no store there before"
        )
