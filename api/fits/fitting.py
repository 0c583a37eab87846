"""The thread that has limbs fitted, one after the other, each by a limited process."""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.campaigns.tables import Campaign, Responsible
from api.database.tables import now
from api.database.transactions import Database
from api.fits.computing import OUT
from api.fits.inputs import CAMPAIGN, EVENT
from api.fits.stations import Records
from api.fits.tables import DONE, FAILED, QUEUED, RUNNING, Fit
from api.notices.fits import tell_failed_fit, tell_fit
from api.results.cache import ResultCache
from api.settings import ServiceSettings
from api.uploads.examining import KEPT, PACKAGES, plain
from api.webhooks.telling import announce
from cluster.store.published import ObjectStore
from reduction.errors import DataError, ResourceError, UmbraError

MOST_TRIES = 3
MOST_SECONDS = 600
"""Of processor time."""
MOST_OUTPUT = 4 << 20
PAUSE_S = 10.0
STEP_S = 0.1
GRACE_S = 5.0
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
PROVENANCE = "provenance.json"

_log = logging.getLogger("umbra.api")


class Fitting:
    """Fits what is asked for. What a service that died had begun is begun again when its lease is over.

    Parameters
    ----------
    database : Database
    store : ObjectStore
    cache : ResultCache
    room : Path
        Folder for what a fit needs; emptied at the start.
    settings : ServiceSettings
        For e-mails; so long as `lease_s` after a sign of life a fit is taken up by another service.
    """

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        cache: ResultCache,
        room: Path,
        settings: ServiceSettings,
    ) -> None:
        self._database, self._store, self._cache, self._room = database, store, cache, room
        self._settings, self._lease = settings, timedelta(seconds=settings.lease_s)
        self.records = Records(cache)
        self.stopping, self._told = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="umbra-fit", daemon=True)

    def start(self) -> None:
        """Begin, with what the last run left."""
        shutil.rmtree(self._room, ignore_errors=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def tell(self) -> None:
        """Say that a fit was asked for."""
        self._told.set()

    def close(self) -> None:
        """End; a fit that is under way waits for the next start."""
        self.stopping.set()
        self._told.set()
        if self._thread.is_alive():
            self._thread.join(GRACE_S)

    def _run(self) -> None:
        while True:
            self._told.clear()
            if self.stopping.is_set():  # asked after that: `close` sets both, this one first
                return
            try:
                while not self.stopping.is_set() and self.next():
                    pass
            except (UmbraError, SQLAlchemyError, OSError) as error:
                _log.error("fits wait: %s", error)
            self._told.wait(PAUSE_S)

    def next(self) -> bool:
        """Fit what has waited longest; False: nothing waits.

        Raises
        ------
        ResourceError
            The database, the store or the disk fails; the fit waits for the end of its lease.
        """
        row = self._claimed()
        if row is None:
            return False
        room = self._room / row.id
        shutil.rmtree(room, ignore_errors=True)
        try:
            room.mkdir(mode=0o700, parents=True)
            self._lay_out(row, room)
            outcome = self._computed(row, room)
            if outcome is None:
                self._wait(row)
                return False
            if outcome.pop("good"):
                self._publish(row, room)
                self._settle(row, DONE, outcome)
            else:
                self._settle(row, FAILED, outcome)
        except DataError as error:  # a result is damaged in the store
            self._settle(row, FAILED, {"message": str(error), "again": True})
        finally:
            shutil.rmtree(room, ignore_errors=True)
        return True

    def _claimed(self) -> Fit | None:
        """The fit that has waited longest, taken."""
        waits = or_(Fit.state == QUEUED, and_(Fit.state == RUNNING, Fit.lease < now()))
        asked = select(Fit).where(waits).order_by(Fit.created).limit(1).with_for_update(skip_locked=True)
        with self._database.writing() as session:
            row = session.scalars(asked).one_or_none()
            if row is None:
                return None
            if row.attempts >= MOST_TRIES:
                row.state, row.finished = FAILED, now()
                row.outcome = {
                    "message": f"its process or the service ended {MOST_TRIES} times",
                    "again": True,
                }
                self._tell(session, row, FAILED, row.outcome)
                return None
            row.state, row.lease, row.attempts = RUNNING, now() + self._lease, row.attempts + 1
            return row

    def _lay_out(self, row: Fit, room: Path) -> None:
        """Write what `umbra chords` reads, and link the results."""
        (room / CAMPAIGN).write_text(row.inputs["campaign"], encoding="utf-8")
        (room / EVENT).write_text(row.inputs["event"], encoding="utf-8")
        for name, content in row.inputs.get("documents", {}).items():
            (room / name).write_text(json.dumps(content), encoding="utf-8")
        results = room / "results"
        results.mkdir()
        for key in row.inputs["results"]:
            (results / key).mkdir()
            for path in self._cache.folder(key).iterdir():
                if path.is_file():
                    _link(path, results / key / path.name)

    def _computed(self, row: Fit, room: Path) -> dict[str, Any] | None:
        """What the process says; None where the service stops, or somebody else has the fit now."""
        kept = {key: value for key, value in os.environ.items() if key in KEPT}
        path = os.pathsep.join(filter(None, (str(PACKAGES), kept.get("PYTHONPATH", ""))))
        order = {"folder": str(room), "seed": row.inputs["seed"], "seconds": MOST_SECONDS}
        with (
            tempfile.TemporaryFile() as said,
            tempfile.TemporaryFile() as asked,
            tempfile.TemporaryFile() as log,
        ):
            asked.write(json.dumps(order).encode())
            asked.seek(0)
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "api.fits.computing"],
                    stdin=asked,
                    stdout=said,
                    stderr=log,
                    cwd=room,
                    env={
                        **kept,
                        **dict.fromkeys(THREADS, "1"),
                        "MPLCONFIGDIR": str(room),
                        "PYTHONPATH": path,
                        "PYTHONUTF8": "1",
                        "LC_ALL": "C.UTF-8",
                    },
                    start_new_session=True,
                )
            except OSError as error:
                raise ResourceError(f"the process that fits cannot be started: {error}") from error
            if not self._awaited(row, process):
                return None
            said.seek(0)
            text = said.read(MOST_OUTPUT)
            try:
                found: dict[str, Any] = plain(json.loads(text.replace(f"{room}/".encode(), b"")))
            except ValueError:
                return {"good": False, "message": _why(process.returncode, log), "again": True}
            return found

    def _awaited(self, row: Fit, process: "subprocess.Popen[bytes]") -> bool:
        """Wait for the process, and keep the lease; False where it was ended before its time."""
        ends = time.monotonic() + 2 * MOST_SECONDS
        renewed = time.monotonic()
        try:
            while time.monotonic() < ends and not self.stopping.is_set():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STEP_S)
                    return True
                if time.monotonic() - renewed > self._lease.total_seconds() / 3:
                    renewed = time.monotonic()
                    if not self._change(row, lease=now() + self._lease):
                        return False
            return not self.stopping.is_set()
        finally:
            process.kill()
            process.wait()

    def _publish(self, row: Fit, room: Path) -> None:
        out = room / OUT
        (out / CAMPAIGN).write_text(row.inputs["campaign"], encoding="utf-8")
        (out / EVENT).write_text(row.inputs["event"], encoding="utf-8")
        for name in row.inputs.get("documents", {}):
            shutil.copyfile(room / name, out / name)
        told = {**row.inputs, "edition": row.edition, "request": row.request}
        (out / PROVENANCE).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        self._store.publish("results", row.key, out, row.attempts)

    def _settle(self, row: Fit, state: str, outcome: dict[str, Any]) -> None:
        """Write the end of a fit that is still ours; e-mails in the same transaction."""
        values = {"state": state, "outcome": outcome, "finished": now(), "lease": None}
        with self._database.writing() as session:
            if _changed(session, row, values):
                self._tell(session, row, state, outcome)

    def _tell(self, session: Session, row: Fit, state: str, outcome: Mapping[str, Any]) -> None:
        """Write e-mails: of a limb to all whom it concerns, of a failure to who asked."""
        campaign = session.get_one(Campaign, row.campaign)
        path = f"/campaigns/{row.campaign}/fit/{row.version}"
        team = session.scalars(select(Responsible.person).where(Responsible.campaign == row.campaign))
        announce(
            session, "fit.ended", [row.person, *team],
            fit=row.id, campaign=row.campaign, version=row.version, state=state,
            links={"fit": f"/api/v1/campaigns/{row.campaign}/fits/{row.version}"},
        )  # fmt: skip
        if state == DONE:
            told = str(outcome["sentence"])
            tell_fit(session, self._settings, campaign, row.person, told, path, row.version)
        else:
            why = str(outcome.get("message", "no reason is told"))
            tell_failed_fit(session, self._settings, campaign, row.person, why, path, row.version)

    def _wait(self, row: Fit) -> None:
        """Leave a fit for later: it was not its fault."""
        self._change(row, state=QUEUED, lease=None, attempts=row.attempts - 1)

    def _change(self, row: Fit, **values: Any) -> bool:
        with self._database.writing() as session:
            return _changed(session, row, values)


def _changed(session: Session, row: Fit, values: Mapping[str, Any]) -> bool:
    """Change a fit if it is still ours: the number of attempts is the token."""
    ours = update(Fit).where(Fit.id == row.id, Fit.state == RUNNING, Fit.attempts == row.attempts)
    changed: Any = session.execute(ours.values(**values))
    return bool(changed.rowcount)


def _link(path: Path, to: Path) -> None:
    """A file under another name; a copy where the disk cannot."""
    try:
        os.link(path, to)
    except OSError:
        try:
            shutil.copyfile(path, to)
        except OSError as error:
            raise ResourceError(f"{path.name}: cannot be brought here: {error.strerror}") from error


def _why(code: int, log: Any) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
    lines = log.read().decode(errors="replace").strip().splitlines()
    how = f"signal {-code}" if code < 0 else (lines[-1][:200] if lines else f"code {code}")
    return f"the process that fits the limb was ended ({how}); ask again, and tell the staff if it stays so"
