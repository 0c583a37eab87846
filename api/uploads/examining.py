"""Files in quarantine: fetched, unpacked and looked at by limited processes, and what was found."""

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.audit.log import record
from api.database.transactions import Database
from api.notices.owed import owe
from api.observations.tables import Observation, ObservationFile
from api.settings import ServiceSettings
from api.uploads.telling import tell_refused
from api.webhooks.telling import announce
from cluster.store.protocol import Store
from ingest.archives.kinds import kind_of_file
from ingest.archives.members import RefusedError, SafeNames
from ingest.archives.process import Unpacked, unpack
from reduction.errors import DataError, ResourceError

MOST_TRIES = 3
"""Starts of the service at which a file's examination may have been cut off."""

MOST_OUTPUT = 32 << 20
STEP_S = 0.2
PACKAGES = Path(__file__).resolve().parents[2]
KEPT = frozenset(
    {"PATH", "HOME", "TMPDIR", "LIBARCHIVE", "NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "PYTHONPATH"}
)
"""Of the environment: no password of a database or a server for a process that reads strangers' files."""


def examine_next(
    database: Database, store: Store, room: Path, stopping: threading.Event, settings: ServiceSettings
) -> bool:
    """Examine the file that has waited longest; False: none waits.

    Raises
    ------
    ResourceError
        The database, the store or the disk fails; the file waits on.
    """
    with database.writing() as session:
        waiting = select(ObservationFile).where(ObservationFile.state == "quarantined")
        file = session.scalars(waiting.order_by(ObservationFile.created).limit(1)).one_or_none()
        if file is None:
            return False
        tries = int(file.finding.get("tries", 0))
        file.finding = {"tries": tries + 1}
    shutil.rmtree(room, ignore_errors=True)
    if tries >= MOST_TRIES:
        text = f"{file.name}: the service ended {tries} times while it looked at this file; ask the staff"
        _settle(database, file, {"message": text}, False, settings)
        return True
    room.mkdir(mode=0o700, parents=True)
    try:
        finding, good = _examined(store, file, room, stopping)
    except ResourceError:
        _wait(database, file, tries)
        raise
    finally:
        shutil.rmtree(room, ignore_errors=True)
    if stopping.is_set() and not good:
        _wait(database, file, tries)
        return False
    _settle(database, file, finding, good, settings)
    return True


def _wait(database: Database, file: ObservationFile, tries: int) -> None:
    """Leave a file for later; it was not its fault."""
    with database.writing() as session:
        row = _quarantined(session, file.id)
        if row is not None:
            row.finding = {"tries": tries}


def _settle(
    database: Database, file: ObservationFile, finding: dict[str, Any], good: bool, settings: ServiceSettings
) -> None:
    with database.writing() as session:
        row = _quarantined(session, file.id)
        if row is not None:
            row.state, row.finding = "accepted" if good else "refused", plain(finding)
            record(session, None, f"file {row.state}", row.id, observation=row.observation)
            person = session.get_one(Observation, row.observation).person
            announce(
                session, "file.examined", [person],
                file=row.id, observation=row.observation, state=row.state,
                links={"file": f"/api/v1/files/{row.id}"},
            )  # fmt: skip
            if good:
                owe(session, "file", row.id, person)
            else:
                tell_refused(session, settings, person, row.name, str(row.finding.get("message", "")))


def _quarantined(session: Session, identity: str) -> ObservationFile | None:
    found = select(ObservationFile).where(
        ObservationFile.id == identity, ObservationFile.state == "quarantined"
    )
    return session.scalars(found.with_for_update()).one_or_none()


def _examined(
    store: Store, file: ObservationFile, room: Path, stopping: threading.Event
) -> tuple[dict[str, Any], bool]:
    """What a file holds, and whether it is what it is sent for."""
    sent, inside = room / "sent", room / "inside"
    sent.mkdir()
    inside.mkdir()
    try:
        name = SafeNames().file(file.name).parts[-1]
    except RefusedError:
        name = "file"
    path = store.fetch_raw(file.sha256, sent / name)
    out: dict[str, Any] = {}
    try:
        folder, unpacked = sent, None
        if file.role == "recording" and kind_of_file(path) is not None:
            folder, unpacked = inside, unpack(path, inside)
            out = {
                "archive": True,
                "refused": [list(pair) for pair in unpacked.refused],
                "notes": unpacked.notes,
            }
        found = _looked_at(folder, file.role, name, unpacked, stopping)
    except DataError as error:
        return out | {"message": str(error)}, False
    good = bool(found.pop("good"))
    return out | found | {"notes": [*out.get("notes", ()), *found.get("notes", ())]}, good


def _looked_at(
    folder: Path, role: str, name: str, unpacked: Unpacked | None, stopping: threading.Event
) -> dict[str, Any]:
    """What the limited process says of the files of a folder.

    Raises
    ------
    DataError
        It has ended without a word, said too much, or took too long.
    ResourceError
        It cannot be started.
    """
    members = (
        [] if unpacked is None else [[member.path, member.bytes, member.cut] for member in unpacked.files]
    )
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    seconds = 120 + size // (2 << 20)
    order = {"folder": str(folder), "role": role, "name": name, "members": members, "seconds": seconds}
    kept = {key: value for key, value in os.environ.items() if key in KEPT}
    path = os.pathsep.join(filter(None, (str(PACKAGES), kept.get("PYTHONPATH", ""))))
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as log:
        asked.write(json.dumps(order).encode())
        asked.seek(0)
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "api.uploads.examination"],
                stdin=asked,
                stdout=said,
                stderr=log,
                cwd=folder,
                env={**kept, "PYTHONPATH": path, "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
        except OSError as error:
            raise ResourceError(f"the process that looks at files cannot be started: {error}") from error
        _await(process, 2 * seconds, stopping)
        if stopping.is_set() and process.returncode < 0:
            return {"good": False, "message": "the service was stopped"}
        if said.seek(0, os.SEEK_END) > MOST_OUTPUT:
            raise DataError(f"{name}: holds more files than can be listed; send it in several archives")
        said.seek(0)
        try:
            found: dict[str, Any] = json.loads(said.read())
        except ValueError:
            raise DataError(_why(name, process.returncode, log)) from None
        return found


def _await(process: "subprocess.Popen[bytes]", seconds: float, stopping: threading.Event) -> None:
    ends = time.monotonic() + seconds
    try:
        while time.monotonic() < ends and not stopping.is_set():
            try:
                process.wait(STEP_S)
            except subprocess.TimeoutExpired:
                continue
            return
    finally:
        process.kill()
        process.wait()


def _why(name: str, code: int, log: Any) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
    lines = log.read().decode(errors="replace").strip().splitlines()
    if lines and lines[-1].startswith("MemoryError"):
        return f"{name}: needs too much memory to be looked at"
    how = f"signal {-code}" if code < 0 else (lines[-1][:200] if lines else f"code {code}")
    return f"{name}: damaged or hostile: the process that looked at it was ended ({how}); send it again"


def plain(value: Any) -> Any:
    """The same as every database keeps it: no NUL, no halves of pairs, no number that is none."""
    if isinstance(value, dict):
        return {plain(str(key)): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, str):
        return value.replace("\0", "�").encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
