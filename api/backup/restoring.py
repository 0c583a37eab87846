"""Bringing a service back from a backup, into an empty home, database and store."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path, PurePosixPath

from sqlalchemy import (
    BigInteger,
    Connection,
    delete,
    func,
    insert,
    inspect,
    select,
    tuple_,
    type_coerce,
    update,
)

from api.audit.tables import Entry
from api.backup.destination import Destination, object_name
from api.backup.home import Restoring, begin_restoring, end_restoring, restoring
from api.backup.loading import load
from api.backup.records import JOBS, STORE, UPLOADS, Line, Manifest, lines_of
from api.database.migrate import rebuild
from api.database.tables import now
from api.database.transactions import Database
from api.people.tables import LoginSession
from api.results.tables import Transition
from api.settings import ServiceSettings
from api.uploads.headers import ID
from api.uploads.parts import part_of
from api.uploads.tables import ARRIVING, Upload
from api.webhooks.tables import Followed
from cluster.jobs.tables import SCHEMA
from cluster.store.ahead import ahead
from cluster.store.objects import Objects
from cluster.store.opening import objects_at
from cluster.store.upkeep import MARK
from ingest.durable import put, settle_one
from reduction.errors import DataError, RequestError, ResourceError

RESTORED = "backup restored"
OBJECT = re.compile(r"^[A-Za-z0-9._=-]+(?:/[A-Za-z0-9._=-]+)*$")


def restore(settings: ServiceSettings, source: Destination, identity: str) -> Manifest:
    """Restore a backup; what an interrupted restore of the same one has done is kept.

    Parameters
    ----------
    settings : ServiceSettings
        Of the service that shall be: its home, database and store hold nothing.
    source : Destination
    identity : str
        Which backup.

    Raises
    ------
    RequestError
        Something is there already.
    DataError
        The backup is damaged, or of another version.
    ResourceError
        A service uses the home; or a disk, a server or the database fails. Begin again then.
    """
    manifest = source.manifest(identity)
    if manifest.queue != SCHEMA:
        raise DataError(
            f"{identity}: has a queue of form {manifest.queue}, this version {SCHEMA}; use version "
            f"{manifest.version}"
        )
    with _home(settings.home):
        database = Database(settings.where)
        objects = objects_at(settings.kept)
        try:
            what = Restoring(backup=identity, source=source.url, database=database.name, store=objects.url)
            _require_room(settings.home, what, database, objects)
            if not _done(database, identity):
                _files(source, manifest, settings.home, objects)
                rebuild(
                    database.engine,
                    manifest.revision,
                    lambda connection: load(connection, manifest.tables, source.get_part),
                    lambda connection: _adjust(connection, manifest),
                )
            end_restoring(settings.home)
        finally:
            database.close()
    return manifest


@contextmanager
def _home(home: Path) -> Iterator[None]:
    """Keep services and other restores out of a home."""
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ResourceError(f"{home}: an Umbra service or another restore uses it; stop that one") from error
    finally:
        os.close(lock)


def _require_room(home: Path, what: Restoring, database: Database, objects: Objects) -> None:
    """Refuse to write over anything; go on where the same restore was interrupted."""
    found = restoring(home)
    if found == what:
        return
    if found is not None:
        raise RequestError(
            f"{home}: the restore of {found.backup} from {found.source} into {found.database} and "
            f"{found.store} is not finished; finish it, or name an empty home, database and store"
        )
    tables = inspect(database.engine).get_table_names()
    if tables:
        raise RequestError(f"{database.name}: has {len(tables)} tables; restore into an empty database")
    if next(iter(objects.entries("")), None) is not None:
        raise RequestError(f"{objects.url}: holds something; restore into an empty store")
    for folder in (home / "uploads", home / "jobs"):
        if folder.is_dir() and any(folder.iterdir()):
            raise RequestError(f"{folder}: holds something; restore into an empty home (UMBRA_HOME)")
    begin_restoring(home, what)


def _done(database: Database, identity: str) -> bool:
    """Whether the database is there: its rows came in one transaction, which says so."""
    if not inspect(database.engine).has_table(Entry.__tablename__):
        return False
    with database.reading() as session:
        said = select(Entry.place).where(Entry.action == RESTORED, Entry.thing == identity)
        return session.scalars(said.limit(1)).first() is not None


def _files(source: Destination, manifest: Manifest, home: Path, objects: Objects) -> None:
    """Bring all files; what makes the store one, last."""
    count = size = 0
    mark: Line | None = None
    for part in manifest.lists:
        where = f"{source.url}: {object_name(part.sha256)}"
        lines = list(lines_of(source.get_part(part), where))
        count += sum(line.start == 0 for line in lines)
        size += sum(line.size for line in lines)
        mark = next((line for line in lines if line.name == STORE + MARK), mark)
        others = [line for line in lines if line.name != STORE + MARK]
        for _ in ahead(lambda line: _bring(source, line, home, objects), others, objects.streams):
            pass
    if (count, size) != (manifest.files, manifest.size) or mark is None:
        raise DataError(
            f"{source.url}: {manifest.id}: lists {count} files of {size} bytes, {manifest.files} of "
            f"{manifest.size} are promised; use another backup"
        )
    for entry in objects.unfinished():  # of a restore that was killed
        objects.drop_unfinished(entry.name)
    _bring(source, mark, home, objects)
    for folder in (home / "uploads", home / "jobs", home):
        if folder.is_dir():
            settle_one(folder)


def _bring(source: Destination, line: Line, home: Path, objects: Objects) -> None:
    """Write one file, or a piece of it, unless it is there: then it is whole."""
    parts = source.read(line.sha256, line.size)
    top, _, rest = line.name.partition("/")
    if top + "/" == STORE and OBJECT.match(rest) and ".." not in rest.split("/"):
        if objects.size(rest) != line.size:
            objects.upload(rest, parts, line.size)
        return
    try:
        if top + "/" == UPLOADS and ID.match(rest):
            _write_at(home / "uploads", rest, line.start, parts)
        elif top + "/" == JOBS and not PurePosixPath(rest).is_absolute() and ".." not in rest.split("/"):
            put(home / "jobs" / rest, parts)
        else:
            raise DataError(f"{source.url}: {line.name!r}: is no name of a file of a service")
    except OSError as error:
        raise ResourceError(f"{home}: {line.name}: cannot be written: {error.strerror}; make room") from error


def _write_at(folder: Path, upload: str, start: int, parts: Iterator[bytes]) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(part_of(folder, upload), flags, 0o600)
    try:
        for part in parts:
            left = memoryview(part)
            while left:
                done = os.pwrite(descriptor, left, start)
                start += done
                left = left[done:]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _follow_on(connection: Connection) -> None:
    """Let what has happened to jobs come before all that is to come: its eras are those of another server.

    Who follows goes on at the first that was not told; one that was told already may be told again.
    """
    for row in connection.execute(select(Followed.name, Followed.era, Followed.place)).all():
        position = tuple_(Transition.era, Transition.place)
        left = select(func.min(Transition.place)).where(position > tuple_(row.era, row.place))
        first = connection.scalar(left)
        if first is None:
            first = (connection.scalar(select(func.max(Transition.place))) or 0) + 1
        moved = update(Followed).where(Followed.name == row.name)
        connection.execute(moved.values(era=0, place=first - 1))
    connection.execute(update(Transition).values(era=0))


def _adjust(connection: Connection, manifest: Manifest) -> None:
    """What another time, and perhaps another kind of database, ask for."""
    at = now()
    connection.execute(delete(LoginSession))  # who has logged out since would be logged in again
    _follow_on(connection)
    for upload in manifest.ended:
        if upload.state:
            changed = update(Upload).where(Upload.id == upload.id)
            connection.execute(changed.values(state=upload.state, problem=upload.problem))
        else:
            connection.execute(delete(Upload).where(Upload.id == upload.id))
    waited = max(0, (at - manifest.instant) // timedelta(microseconds=1))
    later = type_coerce(Upload.expires, BigInteger) + waited
    connection.execute(update(Upload).where(Upload.state == ARRIVING).values(expires=later))
    said = {"taken": manifest.taken, "version": manifest.version, "rows": manifest.rows}
    connection.execute(
        insert(Entry).values(at=at, means="command", action=RESTORED, thing=manifest.id, details=said)
    )
