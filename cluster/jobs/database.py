"""The database of a queue: SQLite on a disk of this machine, or PostgreSQL where there are several nodes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from cluster.jobs.tables import SCHEMA, Base, Meta
from ingest.rawfile import on_built_in_disk
from reduction.errors import RequestError, ResourceError

Result = TypeVar("Result")
BUSY_S = 30.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
SCHEMA_LOCK = 0x756D627261  # any number that nobody else locks: "umbra"


class Database:
    """Connections to a queue's database, and how its transactions begin.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` or ``postgresql://...``; a path alone is a SQLite file.
    patience_s : float
        How long a transaction is tried again while the database cannot be reached.
    clock : callable, optional
        POSIX seconds, instead of the database's own clock.

    Raises
    ------
    RequestError
        `url` names no database that is known.
    ResourceError
        It cannot be reached, holds another version's tables, or is a SQLite file on a network file system.
    """

    def __init__(
        self, url: str | Path, patience_s: float = 60.0, clock: Callable[[], float] | None = None
    ) -> None:
        self._patience_s, self._clock = patience_s, clock
        self.engine = open_engine(url)
        self.name = self.engine.url.render_as_string(hide_password=True)
        self._alone = threading.Lock()
        self.write(self._prepare)

    @property
    def sqlite(self) -> bool:
        """Whether it is SQLite."""
        return self.engine.dialect.name == "sqlite"

    def now(self, connection: Connection) -> float:
        """POSIX seconds: one clock for all who use this database."""
        if self._clock is not None:
            return self._clock()
        if self.sqlite:
            return time.time()
        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run a transaction that writes; again from its beginning where the connection breaks.

        It must be one that may run twice: the answer to a commit can be lost.

        Raises
        ------
        ResourceError
            The database cannot be reached for `patience_s`.
        """
        return self._patiently(work, reading=False)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run a transaction that only reads; raises as `write`."""
        return self._patiently(work, reading=True)

    def _patiently(self, work: Callable[[Connection], Result], reading: bool) -> Result:
        ends, pause = time.monotonic() + self._patience_s, FIRST_PAUSE_S
        while True:
            try:
                with self._transaction(reading) as connection:
                    return work(connection)
            except DBAPIError as error:
                if not _passes(error):
                    raise ResourceError(f"{self.name}: {_reason(error)}") from error
                if time.monotonic() + pause > ends:
                    raise ResourceError(
                        f"{self.name}: cannot be reached for {self._patience_s:g} s: {_reason(error)}; "
                        "what was acknowledged is kept, try again when it is back"
                    ) from error
            time.sleep(pause)
            pause = min(2.0 * pause, LONGEST_PAUSE_S)

    @contextmanager
    def _transaction(self, reading: bool) -> Iterator[Connection]:
        # SQLite lets one write at a time; threads that wait for a lock are served sooner than by its polling
        if self.sqlite and not reading:
            with self._alone, self.engine.begin() as connection:
                yield connection
            return
        with self.engine.connect().execution_options(reading=reading) as connection, connection.begin():
            yield connection

    def _prepare(self, connection: Connection) -> None:
        """Make the tables where there are none."""
        if not self.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
        Base.metadata.create_all(connection)
        found = connection.execute(select(Meta.schema)).scalars().all()
        if not found:
            connection.execute(insert(Meta).values(schema=SCHEMA))
        elif found != [SCHEMA]:
            raise ResourceError(
                f"{self.name}: the queue has tables of form {found[0]}, this version needs {SCHEMA}; use the "
                "version of Umbra that made it, or another database"
            )

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_engine(url: str | Path) -> Engine:
    """Connections to a database; SQLite with WAL, an acknowledged commit survives a power loss.

    Transactions begin for writing at once on SQLite, unless the connection has the option ``reading=True``.

    Raises
    ------
    RequestError, ResourceError
        As `Database`.
    """
    if isinstance(url, Path) or "://" not in url:
        url = f"sqlite:///{url}"
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise RequestError(f"{url!r} is no database; give sqlite:///FILE or postgresql://...") from error
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_size=8, max_overflow=64, pool_pre_ping=True)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        shown = parsed.render_as_string(hide_password=True)
        raise RequestError(f"{shown!r}: give sqlite:///FILE or postgresql://...")
    path = Path(parsed.database)
    if not path.parent.is_dir():
        raise ResourceError(f"{path}: there is no folder {path.parent}; make it first")
    if not on_built_in_disk(path.parent):
        raise ResourceError(
            f"{path}: not on a built-in disk; SQLite loses data on network file systems: use another folder, "
            "or PostgreSQL"
        )
    if not path.exists():
        path.touch(mode=0o600)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_S}, max_overflow=64)
    event.listen(engine, "connect", _durable)
    event.listen(engine, "begin", _begin)
    return engine


def _durable(connection: Any, _record: object) -> None:
    """Settings of a SQLite connection: an acknowledged commit survives a power loss."""
    connection.isolation_level = None  # transactions are begun by `_begin`
    cursor = connection.cursor()
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Begin for writing at once: a reader that turns writer would fail where another wrote meanwhile."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _passes(error: DBAPIError) -> bool:
    """Whether the same may succeed later: the connection broke, the server restarts, another one locks."""
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def _reason(error: SQLAlchemyError) -> str:
    origin = getattr(error, "orig", None)
    return " ".join(str(origin or error).split())
