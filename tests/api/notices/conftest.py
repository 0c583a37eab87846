"""A service on each database, with people; each test has new ones. Nothing is told but by the tests."""

from collections.abc import Iterator

import pytest

from tests.requirements import require

require("server")

from tests.api.access.world import make_world  # noqa: E402 - after the check for the extra
from tests.api.backends import service_on  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.client import Client  # noqa: E402


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    for client in service_on(request.param, tmp_path_factory.mktemp("service")):
        client.app.state.noticing.close()
        client.app.state.reducing.worker.close()  # jobs stay as the tests put them
        yield client


@pytest.fixture
def callers(client: Client) -> Callers:
    client.forget()
    return Callers(client, make_world(client.app.state.database))
