"""Plans a campaign while it runs: digests of one recording are made while another is reduced."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from cluster.campaign.digests import Digests
from cluster.campaign.observation import Observation
from cluster.campaign.orders import Work, work_for
from reduction.errors import UmbraError

THREADS = 2


class Planning:
    """Makes the work of observations, in their order, in threads of its own.

    Parameters
    ----------
    observations : sequence of Observation
    store : str
        URL that the results go to.
    digests : Digests
        Closed by `close`.
    """

    def __init__(self, observations: Sequence[Observation], store: str, digests: Digests) -> None:
        self._digests = digests
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS, "umbra-plan")
        self._coming: list[tuple[Observation, Future[Work]]] = [
            (each, self._pool.submit(work_for, each, store, digests, self._stop.is_set))
            for each in observations
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def over(self) -> bool:
        """Whether everything has been taken."""
        return not self._coming

    @property
    def futures(self) -> list[Future[Work]]:
        """The next ones that are waited for."""
        return [future for _, future in self._coming[:THREADS]]

    def take(self) -> list[tuple[Observation, Work | UmbraError]]:
        """What is ready since the last call; an error where files are not there, or change."""
        found: list[tuple[Observation, Work | UmbraError]] = []
        while self._coming and self._coming[0][1].done():
            observation, future = self._coming.pop(0)
            error = future.exception()
            if error is None:
                found.append((observation, future.result()))
            elif isinstance(error, UmbraError):
                found.append((observation, error))
            else:
                raise error
        if found:
            self._digests.settle()
        return found

    def drop(self) -> list[Observation]:
        """Give up what is not taken yet; whose."""
        dropped = [observation for observation, _ in self._coming]
        self._stop.set()
        for _, future in self._coming:
            future.cancel()
        self._coming.clear()
        return dropped

    def close(self) -> None:
        """Stop, and keep the digests made so far."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)
        self._digests.close()
