"""The queue in PostgreSQL."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster.jobs.database import Database
from cluster.jobs.job import FencedError
from cluster.jobs.sql import SqlJobStore
from cluster.jobs.tables import Base
from reduction.errors import ResourceError
from tests import postgres
from tests.contracts.jobstores import Clock, JobStoreContract, orders
from tests.requirements import require

require("postgres")


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(server: postgres.Server, clock: Clock) -> Iterator[SqlJobStore]:
    database = Database(server.url, clock=clock)
    with SqlJobStore(database) as store:
        yield store
        Base.metadata.drop_all(database.engine)


class TestPostgres(JobStoreContract):
    pass


def test_the_clock_is_the_server_s(server: postgres.Server) -> None:
    database = Database(server.url)
    assert database.read(database.now) == pytest.approx(time.time(), abs=5.0)
    Base.metadata.drop_all(database.engine)
    database.close()


def test_tables_are_made_once_by_many(server: postgres.Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        databases = list(pool.map(lambda _: Database(server.url), range(8)))
    Base.metadata.drop_all(databases[0].engine)
    for database in databases:
        database.close()


def test_a_restart_of_the_server_is_waited_for(server: postgres.Server, store: SqlJobStore) -> None:
    store.submit(orders(200))
    taken: list[str] = []
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            while claims := store.claim(f"w{number}", 600.0):
                try:
                    store.finish(claims[0], f"r{number}")
                    taken.append(claims[0].id)
                except FencedError as error:
                    failures.append(error)
        except ResourceError as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    while len(taken) < 20:
        time.sleep(0.005)
    server.kill()
    server.start()
    for worker in workers:
        worker.join(300)
    assert not failures
    # a claim whose answer was lost stays with nobody until its lease is over; nothing is done twice
    counts = store.counts()
    assert set(counts) <= {"done", "running"}
    assert counts["done"] == len(taken) == len(set(taken)) >= 196


def test_a_server_that_stays_away(server: postgres.Server) -> None:
    with pytest.raises(ResourceError, match=r"cannot be reached for 0\.2 s"):
        Database(server.url.replace(str(server.port), str(postgres.free_port())), patience_s=0.2)
