"""The service's database, as a file."""

from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from tests.api.database.contract import DatabaseContract  # noqa: E402 - after the check for the extra

require("postgres")  # one test looks at what is told of a server that is away


class TestSqlite(DatabaseContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'umbra.sqlite'}"
