"""The queue in SQLite."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.jobs import database
from cluster.jobs.database import Database
from cluster.jobs.sql import SqlJobStore
from reduction.errors import RequestError, ResourceError
from tests.contracts.jobstores import Clock, JobStoreContract, orders


class TestSqlite(JobStoreContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def store(self, clock: Clock, tmp_path: Path) -> Iterator[SqlJobStore]:
        with SqlJobStore(Database(tmp_path / "queue.db", clock=clock)) as store:
            yield store


def test_what_was_acknowledged_is_there_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    with SqlJobStore(Database(path)) as store:
        store.submit(orders(3))
        store.finish(store.claim("w", 30.0)[0], "r")
    with SqlJobStore(Database(f"sqlite:///{path}")) as store:
        assert store.counts() == {"done": 1, "queued": 2}


def test_commits_reach_the_disk(tmp_path: Path) -> None:
    queue = Database(tmp_path / "queue.db")
    settings = [
        queue.read(lambda c, name=name: c.exec_driver_sql(f"PRAGMA {name}").scalar())  # type: ignore[misc]  # a default binds name
        for name in ("journal_mode", "synchronous", "foreign_keys")
    ]
    assert settings == ["wal", 2, 1]
    queue.close()


def test_a_lock_by_another_is_waited_for_and_then_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.05)
    path = tmp_path / "queue.db"
    with SqlJobStore(Database(path, patience_s=0.3)) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ResourceError, match=r"queue\.db: cannot be reached for 0\.3 s: .*locked"):
            store.submit(orders(1))
        other.execute("ROLLBACK")
        other.close()
        assert store.submit(orders(1)) == [True]


def test_tables_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    Database(path).close()
    other = sqlite3.connect(path)
    other.execute("UPDATE umbra_queue SET schema = 99")
    other.commit()
    other.close()
    with pytest.raises(ResourceError, match="form 99"):
        Database(path)


@pytest.mark.parametrize("url", ["mysql://host/x", "sqlite://", "://", "sqlite:///:memory:"])
def test_no_such_database(url: str) -> None:
    with pytest.raises(RequestError, match="give sqlite"):
        Database(url)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="no folder"):
        Database(tmp_path / "missing" / "queue.db")


def test_network_file_systems_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "on_built_in_disk", lambda _: False)
    with pytest.raises(ResourceError, match="network file systems"):
        Database(tmp_path / "queue.db")
