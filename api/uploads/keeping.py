"""What happens to uploads once nobody waits for an answer: stored, examined, collected."""

import logging
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.audit.log import record
from api.backup.home import removing
from api.database.tables import new_id, now
from api.database.transactions import Database
from api.observations.tables import ObservationFile
from api.settings import ServiceSettings
from api.uploads.discarding import hold, remove_discarded
from api.uploads.examining import examine_next
from api.uploads.parts import part_of, parts_in
from api.uploads.tables import ARRIVING, REFUSED, STORED, WHOLE, Upload
from api.uploads.telling import tell_refused
from cluster.store.protocol import Store
from cluster.store.records import Raw
from cluster.store.transfer import Reading
from reduction.errors import RequestError, UmbraError

GRACE_S = 5.0
PAUSE_S = 30.0
"""How often it is looked for work that nobody has told of."""

PASSING = (SQLAlchemyError, OSError, ArithmeticError, LookupError, TypeError, ValueError)
"""What says nothing about the other uploads: a disk, or a mistake of ours. The threads outlive it."""

LOST = "the disk of the service has lost the file; send it again"
_log = logging.getLogger("umbra.uploads")


class Keeping:
    """Threads that store and examine what has arrived. What a crash interrupted is done again.

    Parameters
    ----------
    database : Database
    store : Store
    folder : Path
        Of the files that arrive; `quarantine` in it is where they are examined.
    settings : ServiceSettings
        For e-mails.
    """

    def __init__(self, database: Database, store: Store, folder: Path, settings: ServiceSettings) -> None:
        self._database, self._store, self._folder, self._settings = database, store, folder, settings
        self.stopping = threading.Event()
        self._arrived, self._stored = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(step, told), name=f"umbra-{name}", daemon=True)
            for name, step, told in (
                ("store", self.store_all, self._arrived),
                ("examine", self.examine_all, self._stored),
            )
        ]

    def start(self) -> None:
        """Begin, with what the last run left."""
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return all(thread.is_alive() for thread in self._threads)

    def tell(self) -> None:
        """An upload has all its bytes."""
        self._arrived.set()

    def close(self) -> None:
        """End; what is under way, and takes too long to wait for, is begun again by the next start."""
        self.stopping.set()
        self._arrived.set()
        self._stored.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(GRACE_S)

    def _repeat(self, step: Callable[[], None], told: threading.Event) -> None:
        while True:
            told.clear()
            if self.stopping.is_set():  # asked after that: `close` sets both, this one first
                return
            try:
                step()
            except UmbraError as error:  # the database or the store; they may be back soon
                _log.warning("uploads wait: %s", error)
            except PASSING as error:
                _log.error("uploads wait", exc_info=error)
            told.wait(PAUSE_S)

    def store_all(self) -> None:
        """Store every upload that is whole; forget those that have expired, and what is nobody's.

        Raises
        ------
        ResourceError
            The database cannot be reached.
        """
        with self._database.reading() as session:
            waiting = list(
                session.scalars(select(Upload).where(Upload.state == WHOLE).order_by(Upload.created))
            )
        for upload in waiting:
            if self.stopping.is_set():
                return
            try:
                self._keep(upload)
            except UmbraError as error:
                _log.warning("upload %s waits: %s", upload.id, error)
            except PASSING as error:
                _log.error("an upload waits", exc_info=error, extra={"facts": {"upload": upload.id}})
        self.collect()

    def _keep(self, upload: Upload) -> None:
        """Put one into the store, then make it a file of its observation, in one transaction."""
        path = part_of(self._folder, upload.id)
        try:
            if not upload.length:
                path.touch()
            raw, crc32 = _read(path)
            problem = _problem(upload, raw)
        except RequestError:
            problem = LOST
        if problem:
            self._end(upload.id, problem)
        else:
            self._store.put_raw(path, raw)
            with self._database.writing() as session:
                row = _whole(session, upload.id)
                if row is not None:
                    _become_file(session, row, raw, crc32)
                    hold(session, self._store, raw.sha256)
        path.unlink(missing_ok=True)
        self._stored.set()

    def _end(self, identity: str, problem: str) -> None:
        with self._database.writing() as session:
            row = _whole(session, identity)
            if row is not None:
                row.state, row.problem = REFUSED, problem
                record(session, None, "upload refused", row.id)
                tell_refused(session, self._settings, row.person, row.name, problem)

    def collect(self) -> None:
        """Forget uploads for which nothing came for too long, and bytes that belong to nothing any more.

        Raises
        ------
        ResourceError
            The database cannot be reached.
        """
        with self._database.writing() as session:
            over = select(Upload).where(Upload.state == ARRIVING, Upload.expires <= now()).with_for_update()
            for row in session.scalars(over):
                record(session, None, "upload expired", row.id, received=row.received)
                session.delete(row)
        with removing(self._settings.home) as allowed:
            if allowed:
                remove_discarded(self._database, self._store)
        present = dict(parts_in(self._folder))
        with self._database.reading() as session:
            kept = set(session.scalars(select(Upload.id).where(Upload.state.in_((ARRIVING, WHOLE)))))
        for identity in present.keys() - kept:
            present[identity].unlink(missing_ok=True)

    def examine_all(self) -> None:
        """Examine every file that is in quarantine. Raises as `store_all`."""
        room = self._folder / "quarantine"
        while not self.stopping.is_set() and examine_next(
            self._database, self._store, room, self.stopping, self._settings
        ):
            pass


def _problem(upload: Upload, raw: Raw) -> str:
    """Why a whole upload is not what was promised; empty: it is."""
    if raw.size != upload.length:
        return LOST
    if upload.sha256 is not None and upload.sha256 != raw.sha256:
        return f"the SHA-256 is {raw.sha256}, not what was promised; send the file again"
    return ""


def _whole(session: Session, identity: str) -> Upload | None:
    """An upload that is still to be stored."""
    found = select(Upload).where(Upload.id == identity, Upload.state == WHOLE).with_for_update()
    return session.scalars(found).one_or_none()


def _read(path: Path) -> tuple[Raw, int]:
    """SHA-256 and size of a file, and the CRC-32 by which archives know it. Raises as `Reading`."""
    reading, crc32 = Reading(path), 0
    for part in reading:
        crc32 = zlib.crc32(part, crc32)
    return Raw(reading.sha256, reading.size), crc32


def _become_file(session: Session, row: Upload, raw: Raw, crc32: int) -> None:
    file = ObservationFile(
        id=new_id(), observation=row.observation, role=row.role, name=row.name, size=raw.size,
        sha256=raw.sha256, state="quarantined", finding={}, created=now(), crc32=crc32,
    )  # fmt: skip
    session.add(file)
    session.flush()
    row.state, row.sha256, row.file = STORED, raw.sha256, file.id
    record(session, None, "file stored", file.id, observation=row.observation, upload=row.id, size=raw.size)
