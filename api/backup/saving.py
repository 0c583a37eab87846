"""Making a backup."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import DBAPIError

from api.backup import sources
from api.backup.destination import Destination
from api.backup.dumping import VERSIONS, Dumped, dump, snapshot
from api.backup.held import Digests
from api.backup.home import refuse_unfinished, scratch
from api.backup.records import MOST_PROBLEMS, STORE, EndedUpload, Manifest, Part, encoded, packed, part_of
from api.backup.thinning import thin
from api.database.migrate import heads
from api.database.schema import metadata
from api.database.transactions import Database
from api.figures.tables import LimbFigure
from api.observations.tables import WITHDRAWN, ObservationFile
from api.settings import ServiceSettings
from api.uploads.discarding import is_used
from api.uploads.tables import ARRIVING, WHOLE, Upload
from cluster.jobs.tables import SCHEMA, Base, Meta
from cluster.store.ahead import ahead
from cluster.store.names import raw_name
from cluster.store.objects import MissingError
from cluster.store.opening import objects_at, open_store
from cluster.store.records import now_text
from reduction.errors import DataError, RequestError, ResourceError
from reduction.version import VERSION


@dataclass(slots=True)
class Saved:
    """What a backup came to.

    Attributes
    ----------
    copied, copied_size : int
        Objects that the destination did not have, and their bytes.
    removed : int
        Backups that were removed afterwards.
    lacking : int
        What could not be saved.
    """

    manifest: Manifest
    copied: int
    copied_size: int
    removed: int
    lacking: int


@dataclass(slots=True)
class _Run:
    """A backup that is being made."""

    destination: Destination
    there: Digests
    wanted: Digests
    copied: int = 0
    copied_size: int = 0
    files: int = 0
    size: int = 0
    lacking: int = 0
    problems: list[str] = field(default_factory=list)
    ended: list[EndedUpload] = field(default_factory=list)

    def lacks(self, text: str) -> None:
        self.lacking += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(text)

    def lines(self, found: Iterator[sources.Found | EndedUpload]) -> Iterator[bytes]:
        """Copy what is not there yet; the lines of what is then."""
        for what in ahead(self._copied, found, self.destination.objects.streams):
            if isinstance(what, sources.Source):
                self.files += what.line.start == 0
                self.size += what.line.size
                self.wanted.drop(what.line.sha256)
                yield what.line.encoded()
            elif isinstance(what, EndedUpload):
                self.ended.append(what)
            else:
                self.lacks(what.text)

    def rescued(self, used: Callable[[str], bool]) -> Iterator[bytes]:
        """Files and figures that the store has lost: of those that are in the destination, the lines.

        What is not `used` any more was taken back since the snapshot.
        """
        for sha256, size in self.wanted:
            if not used(sha256):
                continue
            name = raw_name(sha256)
            if self.there.size(sha256) != size:
                self.lacks(f"{name}: a file of an observation is missing in the store")
                continue
            self.lacks(f"{name}: a file of an observation is missing in the store; this backup has it")
            self.files += 1
            self.size += size
            yield encoded([STORE + name, 0, size, sha256])

    def _copied(self, what: sources.Found | EndedUpload) -> sources.Found | EndedUpload:
        if not isinstance(what, sources.Source):
            return what
        line = what.line
        if self.there.size(line.sha256) == line.size:
            return what
        try:
            self.destination.put(line.sha256, line.size, what.open(), line.name)
        except MissingError:
            return sources.Problem(f"{line.name}: is missing in the store")
        except DataError as error:
            return sources.Problem(str(error))
        self._note(line.sha256, line.size)
        return what

    def keep(self, data: bytes, part: Part) -> Part:
        """Copy rows or lines."""
        if self.there.size(part.sha256) != part.size:
            self.destination.put_part(data, part)
            self._note(part.sha256, part.size)
        return part

    def _note(self, sha256: str, size: int) -> None:
        self.there.drop(sha256)
        if self.there.add(sha256, size):
            self.copied += 1
            self.copied_size += size


def save(
    settings: ServiceSettings, destination: Destination, keep: int | None = None, verify: bool = False
) -> Saved:
    """Make a backup of a service, which may run meanwhile.

    Parameters
    ----------
    settings : ServiceSettings
        Of the service.
    destination : Destination
    keep : int, optional
        How many backups there may be then: older ones are removed.
    verify : bool
        Read what the destination has, and copy anew what is damaged.

    Raises
    ------
    RequestError
        The destination is within the store.
    ResourceError
        The database, the store or the destination fails, or another backup is made. What was copied stays
        for the next run.
    """
    refuse_unfinished(settings.home)
    objects = objects_at(open_store(settings.kept, make=False).url)
    _refuse_within(destination.url, objects.url)
    with ExitStack() as closing:
        home, room = closing.enter_context(scratch(settings.home))
        still = closing.enter_context(destination.alone(home))
        for entry in destination.objects.unfinished():  # of a run that was killed
            destination.objects.drop_unfinished(entry.name)
        database = Database(settings.where)
        closing.callback(database.close)
        run = _Run(destination, Digests(room / "there"), Digests(room / "wanted"))
        closing.callback(run.there.close)
        closing.callback(run.wanted.close)
        run.there.fill(pair for pair in destination.held() if not verify or destination.sound(pair[0]))
        taken, dumped, uploads = _snapshot(database, room, run.wanted)
        folder = settings.home / "uploads"
        found = chain(
            chain.from_iterable(
                sources.upload_bytes(folder, upload, objects, lambda one: _since(database, one))
                for upload in uploads
            ),
            sources.job_files(settings.home),
            sources.store_objects(objects),
        )
        lines = chain(run.lines(found), run.rescued(lambda one: _is_used(database, one)))
        lists = tuple(run.keep(data, part_of(data, count)) for data, count in packed(lines))
        for table in dumped:
            for part in table.table.parts:
                run.keep(table.data(part), part)
        manifest = Manifest(
            id=f"{taken:%Y%m%dT%H%M%S}.{taken.microsecond // 1000:03}Z-{secrets.token_hex(2)}",
            taken=taken.isoformat(),
            finished=now_text(),
            version=VERSION,
            revision=heads()[0],
            queue=SCHEMA,
            tables=tuple(table.table for table in dumped),
            lists=lists,
            files=run.files,
            size=run.size,
            ended=tuple(run.ended),
            problems=tuple(run.problems),
        )
        still()
        destination.publish(manifest)
        removed = thin(destination, keep, room) if keep is not None else 0
    return Saved(manifest, run.copied, run.copied_size, removed, run.lacking)


def _refuse_within(destination: str, store: str) -> None:
    inside, outside = (url.partition("?")[0].rstrip("/") + "/" for url in (destination, store))
    if inside.startswith(outside) or outside.startswith(inside):
        raise RequestError(f"{destination}: overlaps the store {store}; name another folder or prefix")


def _snapshot(
    database: Database, room: Path, wanted: Digests
) -> tuple[datetime, list[Dumped], list[sources.Unfinished]]:
    """Write all tables as they are at one instant; which uploads are unfinished then."""
    names = frozenset(metadata().tables) | frozenset(Base.metadata.tables)
    folder = room / "tables"
    folder.mkdir()
    try:
        with snapshot(database.engine) as connection:
            _check_version(connection, database.name)
            taken = datetime.now(UTC)
            dumped = list(dump(connection, names, folder))
            asked = select(Upload.id, Upload.received).where(
                Upload.state.in_((ARRIVING, WHOLE)), Upload.received > 0
            )
            uploads = [sources.Unfinished(*row) for row in connection.execute(asked.order_by(Upload.id))]
            files = select(ObservationFile.sha256, ObservationFile.size).where(
                ObservationFile.member_of.is_(None), ObservationFile.state != WITHDRAWN
            )
            figures = select(LimbFigure.sha256, LimbFigure.size).where(LimbFigure.removed.is_(None))
            known = inspect(connection).has_table(LimbFigure.__tablename__)  # not in earlier versions
            for kept in (files, figures) if known else (files,):
                rows = connection.execute(kept.execution_options(yield_per=1000))
                wanted.fill((row[0], row[1]) for row in rows)
    except DBAPIError as error:
        raise ResourceError(f"{database.name}: {' '.join(str(error.orig).split())}") from error
    return taken, dumped, uploads


def _check_version(connection: Connection, name: str) -> None:
    options = {"version_table": VERSIONS}
    found = MigrationContext.configure(connection, opts=options).get_current_revision()
    if found is None:
        raise RequestError(f"{name}: no service has used this database; see to UMBRA_HOME and UMBRA_DATABASE")
    if found != heads()[0]:
        raise ResourceError(
            f"{name}: has tables of form {found}, this version needs {heads()[0]}; make the backup by "
            "the version that serves it"
        )
    if connection.dialect.has_table(connection, Meta.__tablename__):
        form = connection.execute(select(Meta.schema)).scalars().all()
        if form not in ([], [SCHEMA]):
            raise ResourceError(
                f"{name}: the queue has tables of form {form[0]}, this version needs {SCHEMA}"
            )


def _is_used(database: Database, sha256: str) -> bool:
    with database.reading() as session:
        return is_used(session, sha256)


def _since(database: Database, upload: str) -> sources.Since:
    with database.reading() as session:
        row = session.get(Upload, upload)
        if row is None:
            return sources.Since("", "", None)
        return sources.Since(row.state, row.problem, row.sha256)
