"""A service on each database, and a campaign whose body is known."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from tests.api.access.world import make_world  # noqa: E402 - after the check for the extra
from tests.api.backends import service_on  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.client import Client  # noqa: E402
from tests.api.fits.field import Stations  # noqa: E402


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from service_on(request.param, tmp_path_factory.mktemp("service"))


@pytest.fixture
def callers(client: Client) -> Callers:
    client.forget()
    return Callers(client, make_world(client.app.state.database))


@pytest.fixture
def stations(client: Client, callers: Callers, tmp_path: Path) -> Stations:
    return Stations(callers.world, client.app.state.store, tmp_path)
