"""The thread that tells people what has happened: of ended work, to many, of faults of the service."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from api.database.transactions import Database
from api.mail.mailings import go_on
from api.notices.ended import STEPS
from api.notices.faults import LOG, FaultLog, keep
from api.people.attempts import forget_old
from api.settings import ServiceSettings
from reduction.errors import UmbraError

TURN_S = 2.0
TIDY_S = 600.0

_log = logging.getLogger("umbra.notices")


class Working(Protocol):
    """A thread of the service."""

    @property
    def alive(self) -> bool:
        """Whether it works."""
        ...


class Noticing:
    """Looks every few seconds for what is to be told; all of it is in the database, so a crash loses nothing.

    Parameters
    ----------
    database : Database
    settings : ServiceSettings
    threads : mapping
        Threads of the service by what they are called.
    """

    def __init__(self, database: Database, settings: ServiceSettings, threads: Mapping[str, Working]) -> None:
        self._database, self._settings = database, settings
        self._working = dict(threads)
        self.faults = FaultLog()
        self._stopping = threading.Event()
        self._tidied = 0.0
        self._thread = threading.Thread(target=self._run, name="umbra-notices", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin; what an earlier service left untold is told."""
        logging.getLogger(LOG).addHandler(self.faults)
        self._thread.start()

    def close(self) -> None:
        """Stop; faults that were seen are kept."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._attempt("faults", partial(keep, self._database, self._settings, self.faults))
        logging.getLogger(LOG).removeHandler(self.faults)

    def _run(self) -> None:
        while not self._stopping.wait(TURN_S):
            self.turn()

    def turn(self) -> None:
        """Tell what there is to tell."""
        for name, thread in list(self._working.items()):
            if not thread.alive:
                del self._working[name]
                self.faults.note(f"{LOG}: {name} has stopped; restart the service")
        self._attempt("faults", partial(keep, self._database, self._settings, self.faults))
        for step in STEPS:
            self._attempt(step.__name__, partial(step, self._database, self._settings))
        while not self._stopping.is_set() and self._attempt(
            "mailings", partial(go_on, self._database, self._settings)
        ):
            pass
        if not self._tidied or time.monotonic() - self._tidied > TIDY_S:
            self._tidied = time.monotonic()
            self._attempt("attempts", partial(forget_old, self._database))

    def _attempt(self, what: str, step: Callable[[], int]) -> int:
        """Do a step; one that fails is done again by the next turn."""
        try:
            return step()
        except (UmbraError, SQLAlchemyError) as error:
            _log.error("telling of %s waits", what, exc_info=error)
            return 0
