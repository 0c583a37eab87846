"""The service's database, on a server."""

from collections.abc import Iterator

import pytest

from tests.requirements import require

require("server")
require("postgres")

from tests.api.database.contract import DatabaseContract  # noqa: E402 - after the check for the extra
from tests.postgres import fresh  # noqa: E402


class TestPostgres(DatabaseContract):
    @pytest.fixture
    def url(self) -> Iterator[str]:
        with fresh() as url:
            yield url
