"""Transactions: one `with` block is one, committed at its end, undone by any error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from api.database.schema import metadata
from cluster.jobs.database import open_engine
from reduction.errors import ResourceError


class Database:
    """Connections to the service's database. Safe for threads.

    Parameters
    ----------
    url : str or Path
        A SQLite file, ``sqlite:///FILE`` or ``postgresql://...``.

    Raises
    ------
    RequestError
        `url` names no database that is known.
    ResourceError
        The folder is not there, or not on a built-in disk.
    """

    def __init__(self, url: str | Path) -> None:
        self.tables = metadata()  # all of them are known before one that refers to another is used
        self.engine = open_engine(url)
        self.name = self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Return the session of a transaction that may write.

        Raises
        ------
        ResourceError
            The database cannot be reached, or is full. Whether an interrupted commit was done is unknown.
        """
        with self._transaction(reading=False) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Return the session of a transaction that only reads; raises as `writing`."""
        with self._transaction(reading=True) as session:
            yield session

    @contextmanager
    def _transaction(self, reading: bool) -> Iterator[Session]:
        try:
            with (
                self.engine.connect().execution_options(reading=reading) as connection,
                Session(connection, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session
        except IntegrityError:
            raise
        except DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            raise ResourceError(f"{self.name}: {reason}; ask again later") from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
