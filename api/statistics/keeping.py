"""Statistics and figures, kept for a while: each takes tenths of a second, and anybody may ask."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from api.problems import RefusedError
from api.statistics.countries import Gazetteer

KEPT_S = 60.0
"""How old what is told may be."""
MOST = 256
WAITING = 24
"""Requests that may wait for something to be made; more are sent away, so that they take no threads."""

Made = TypeVar("Made")


class Kept:
    """What was made lately, by key. Safe for threads: one at a time makes something new.

    Parameters
    ----------
    clock : callable
        Seconds, steadily.

    Attributes
    ----------
    gazetteer : Gazetteer
        Countries of places that were asked for.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self.gazetteer = clock, Gazetteer()
        self._made: OrderedDict[Hashable, tuple[float, object]] = OrderedDict()
        self._making, self._turns = threading.Lock(), threading.BoundedSemaphore(WAITING)

    def get(self, key: Hashable, make: Callable[[], Made], seconds: float = KEPT_S) -> Made:
        """Return what is kept under a key, or make it.

        Raises
        ------
        RefusedError
            503: many wait already.
        """
        held = self._held(key, seconds)
        if held is None:
            if not self._turns.acquire(blocking=False):
                raise RefusedError(503, "many statistics are being made; ask again", {"Retry-After": "2"})
            try:
                with self._making:
                    held = self._held(key, seconds) or self._keep(key, make())
            finally:
                self._turns.release()
        return cast(Made, held[1])

    def _held(self, key: Hashable, seconds: float) -> tuple[float, object] | None:
        held = self._made.get(key)
        return held if held is not None and self._clock() - held[0] < seconds else None

    def _keep(self, key: Hashable, made: object) -> tuple[float, object]:
        self._made[key] = held = (self._clock(), made)
        self._made.move_to_end(key)
        while len(self._made) > MOST:
            self._made.popitem(last=False)
        return held

    def forget(self) -> None:
        """Keep nothing any more."""
        with self._making:
            self._made.clear()
