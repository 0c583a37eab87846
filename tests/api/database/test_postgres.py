"""The service's database, on a server."""

import itertools
from collections.abc import Iterator

import pytest

from tests.requirements import require

require("server")
require("postgres")

import psycopg  # noqa: E402 - after the check for the extra

from tests.api.database.contract import DatabaseContract  # noqa: E402
from tests.postgres import Server, running  # noqa: E402

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


class TestPostgres(DatabaseContract):
    @pytest.fixture
    def url(self, server: Server) -> str:
        name = f"t{next(NUMBERS)}"
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.url.replace("/postgres", f"/{name}")
