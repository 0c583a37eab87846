"""Databases of services that are migrated already: done once in a process, copied for each service."""

import tempfile
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

from api.database.migrate import migrate
from api.database.transactions import Database
from tests import postgres

FILE = "umbra.sqlite"


@cache
def _empty() -> bytes:
    """A SQLite database with all tables, and nothing in them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        _migrate(path)
        assert [one.name for one in Path(folder).iterdir()] == [FILE], "all is in the file itself"
        return path.read_bytes()


def _migrate(where: str | Path) -> None:
    database = Database(where)
    migrate(database.engine)
    database.close()


def put(home: Path) -> None:
    """Give the service of a folder its database, if it has none yet."""
    path = home / FILE
    if not path.exists():
        path.write_bytes(_empty())


def fresh() -> AbstractContextManager[str]:
    """URL of a new PostgreSQL database with all tables, gone with the body."""
    return postgres.fresh(_migrate)
