"""Limits of attempts: nobody tries passwords, or fills mailboxes, for long."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from api.problems import RefusedError
from api.settings import ServiceSettings
from api.words import email_key


@contextmanager
def evenly(seconds: float = 0.1) -> Iterator[None]:
    """Make what is done take at least so long, whichever way it went: its time tells nothing."""
    ends = time.monotonic() + seconds
    try:
        yield
    finally:
        time.sleep(max(0.0, ends - time.monotonic()))


class Attempts:
    """Counts what comes from one place, and what concerns one e-mail address.

    Each server process counts for itself.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._visitor = parse(settings.rate_visitor)
        self._address = parse(settings.rate_address)

    def count(self, request: Request, what: str, email: str | None = None) -> None:
        """Count an attempt.

        Raises
        ------
        RefusedError
            429: there were too many; `Retry-After` says when it goes on.
        """
        place = "?" if request.client is None else request.client.host
        self._hit(self._visitor, what, place)
        if email is not None:
            self._hit(self._address, what, hashlib.sha256(email_key(email).encode()).hexdigest())

    def _hit(self, limit: RateLimitItem, *key: str) -> None:
        if self._limiter.hit(limit, *key):
            return
        after = max(1, int(self._limiter.get_window_stats(limit, *key).reset_time - time.time()) + 1)
        raise RefusedError(429, f"too many attempts; try again in {after} s", {"Retry-After": str(after)})
