"""Bring a database up to date, at the start of the service."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from reduction.errors import ResourceError

LOCK = 0x756D627262
"""Of PostgreSQL, so that of services which start at once one migrates."""
HEAD = "head"


def scripts() -> Config:
    """Where the migrations are."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def heads() -> list[str]:
    """The last steps; there must be one."""
    return list(ScriptDirectory.from_config(scripts()).get_heads())


def migrate(engine: Engine, to: str = HEAD) -> None:
    """Do the steps that a database lacks: all of them, or none.

    Raises
    ------
    ResourceError
        The database cannot be reached, was made by a later version, or would not be sound afterwards.
    """
    name = engine.url.render_as_string(hide_password=True)
    _in_one(engine, lambda connection: _steps(connection, to, name))


def rebuild(
    engine: Engine, revision: str, fill: Callable[[Connection], None], adjust: Callable[[Connection], None]
) -> None:
    """Make the tables of an earlier version, fill them, and do the steps since: all of it, or nothing.

    Parameters
    ----------
    engine : Engine
        Of an empty database.
    revision : str
        Last step that was done where the rows come from.
    fill, adjust : callable
        Given the connection: writes the rows; changes them when all steps are done.

    Raises
    ------
    ResourceError
        As `migrate`; or there are tables.
    """
    name = engine.url.render_as_string(hide_password=True)

    def work(connection: Connection) -> None:
        if inspect(connection).get_table_names():
            raise ResourceError(f"{name}: has tables; name an empty database")
        _steps(connection, revision, name)
        fill(connection)
        _steps(connection, HEAD, name)
        adjust(connection)

    _in_one(engine, work)


def _in_one(engine: Engine, work: Callable[[Connection], None]) -> None:
    """Do something in one transaction, in which SQLite looks at no foreign key."""
    name = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            _foreign_keys(connection, on=False)
            try:
                with connection.begin():
                    work(connection)
            finally:
                _foreign_keys(connection, on=True)
    except CommandError as error:
        raise ResourceError(
            f"{name}: made by a later version of Umbra ({error}); use that one, or restore a backup"
        ) from error
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise ResourceError(f"{name}: cannot be brought up to date: {reason}") from error


def _steps(connection: Connection, to: str, name: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    config = scripts()
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise ResourceError(
                f"{name}: {len(broken)} rows of {broken[0][0]} refer to nothing; nothing done"
            )


def _foreign_keys(connection: Connection, on: bool) -> None:
    """SQLite: a table that a step rebuilds must not take along what refers to it. Outside a transaction."""
    if connection.dialect.name != "sqlite":
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")
