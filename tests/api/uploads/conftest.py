"""A service and an observer; on SQLite, and where a test asks for it, on PostgreSQL."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

from tests.api.client import Client, serving  # noqa: E402 - after the check for the extra
from tests.api.executors import Scripted  # noqa: E402
from tests.api.migrated import fresh  # noqa: E402
from tests.api.uploads.observer import Observer, observer_of  # noqa: E402

SMALL: dict[str, Any] = {
    "rate_visitor": "999999/second",
    "rate_address": "999999/second",
    "largest_file": 1 << 30,
    "quota": 2 << 30,
    "disk_reserve": 0,
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service on SQLite."""
    with _service(tmp_path_factory.mktemp("service"), "") as client:
        yield client


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service on a database of its own, of a server."""
    require("postgres")
    with fresh() as url, _service(tmp_path_factory.mktemp("service"), url) as client:
        yield client


def _service(folder: Path, database: str) -> AbstractContextManager[Client]:
    (folder / "data").mkdir()
    return serving(folder / "data", folder / "home", Scripted(), database=database, **SMALL)


@pytest.fixture
def observer(served: Client) -> Observer:
    """Somebody new, in a new campaign."""
    return observer_of(served)


@pytest.fixture(params=["served", "on_postgres"], ids=["sqlite", "postgresql"])
def on_both(request: pytest.FixtureRequest) -> Observer:
    """The same on either database."""
    client: Client = request.getfixturevalue(request.param)
    return observer_of(client)
