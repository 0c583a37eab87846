"""A service at rest: a database with rows everywhere, a store, uploads on their way, jobs of the folder."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from api.audit.tables import Entry
from api.backup.dumping import dump, snapshot
from api.backup.records import rows_of
from api.backup.restoring import RESTORED
from api.bundles.tables import DataRequest
from api.database.migrate import migrate
from api.database.schema import metadata
from api.database.tables import new_id, now
from api.database.transactions import Database
from api.figures.tables import LimbFigure
from api.jobs import FolderReductionBody, Job
from api.observations.tables import WITHDRAWN, Observation, ObservationFile
from api.settings import ServiceSettings
from api.store import FolderStore
from api.uploads.tables import ARRIVING, Upload
from cluster.jobs.tables import Base
from cluster.store import open_store
from tests.api import migrated
from tests.api.backup.filled import fill

ARRIVED = b"0123456789" * 1000
NAMES = frozenset(metadata().tables) | frozenset(Base.metadata.tables)


@dataclass
class Rested:
    """What was put there."""

    settings: ServiceSettings
    raw: str
    result: str
    upload: str
    job: str


def settings_of(home: Path, **more: Any) -> ServiceSettings:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ServiceSettings(data=home, home=home, **more)


def rested(settings: ServiceSettings, folder: Path) -> Rested:
    """Make one."""
    if not settings.database:
        migrated.put(settings.home)
    database = Database(settings.where)
    migrate(database.engine)
    Base.metadata.create_all(database.engine)
    with database.engine.begin() as connection:
        fill(connection)
    raw, result = _stored(settings, folder)
    with database.writing() as session:
        session.execute(update(DataRequest).values(expires=now()))  # their plans are no plans
        files = session.scalars(select(ObservationFile)).all()
        for row in (*files, *session.scalars(select(LimbFigure).where(LimbFigure.removed.is_(None)))):
            row.sha256, row.size = raw, len(ARRIVED)
        files[-1].state, files[-1].sha256 = WITHDRAWN, "0" * 64  # its bytes are nowhere, and missed by nobody
        observation = session.scalars(select(Observation)).first()
        assert observation is not None
        upload = Upload(
            id=new_id(), person=observation.person, observation=observation.id, role="recording",
            name="a.ser", length=20_000, received=9_000, sha256=None, details={}, state=ARRIVING,
            created=now(), expires=now(),
        )  # fmt: skip
        session.add(upload)
    database.close()
    (settings.home / "uploads").mkdir(mode=0o700)
    (settings.home / "uploads" / f"{upload.id}.part").write_bytes(ARRIVED)
    return Rested(settings, raw, result, upload.id, _job(settings.home))


def _stored(settings: ServiceSettings, folder: Path) -> tuple[str, str]:
    folder.mkdir()
    store = open_store(settings.kept)
    path = folder / "a.ser"
    path.write_bytes(ARRIVED)
    raw = store.put_raw(path).sha256
    made = folder / "result"
    (made / "plots").mkdir(parents=True)
    (made / "lightcurve.csv").write_text("1,2\n")
    (made / "plots" / "a b.png").write_bytes(b"\x89PNG")
    key = hashlib.sha256(b"key").hexdigest()
    store.publish("results", key, made)
    store.add_version("a campaign", "an observation", key)
    store.put_log("job 1", 1, "all is well")
    return raw, key


def _job(home: Path) -> str:
    store = FolderStore(home)
    body = FolderReductionBody(input="a.ser")
    job = Job(id=new_id(), body=body, status="done", submitted=now(), attempts=1, result="result-1", key="k")
    store.save(job)
    inside = store.folder(job.id) / "result-1"
    inside.mkdir()
    (inside / "lightcurve.csv").write_text("3,4\n")
    waiting = Job(id=new_id(), body=body, status="queued", submitted=now())
    store.save(waiting)
    (store.folder(waiting.id) / "result-1").mkdir()
    (store.folder(waiting.id) / "result-1" / "half").write_text("of an attempt")
    store.close()
    return job.id


def rows(settings: ServiceSettings, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows of a service's database, by table; documents as they are meant, not as they are written."""
    folder.mkdir()
    database = Database(settings.where)
    found = {}
    with snapshot(database.engine) as connection:
        for dumped in dump(connection, NAMES, folder):
            table = dumped.table
            found[table.name] = [
                {
                    name: json.loads(value) if kind == "json" and value is not None else value
                    for name, kind, value in zip(table.columns, table.kinds, row, strict=True)
                }
                for part in table.parts
                for row in rows_of(dumped.data(part), table.name)
            ]
    database.close()
    return {
        name: sorted(some, key=lambda row: json.dumps(row, sort_keys=True)) for name, some in found.items()
    }


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".partial" not in path.parts
    }


def said(settings: ServiceSettings) -> list[str | None]:
    """Backups that the audit log says were restored."""
    database = Database(settings.where)
    with database.reading() as session:
        found = list(session.scalars(select(Entry.thing).where(Entry.action == RESTORED)))
    database.close()
    return found
