"""A service."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.requirements import require

require("server")

from tests.api.client import Client, serving  # noqa: E402 - after the check for the extra
from tests.api.executors import Scripted  # noqa: E402


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    free: dict[str, Any] = {"rate_visitor": "999999/second", "rate_address": "999999/second"}
    with serving(folder / "data", folder / "home", Scripted(), **free) as client:
        yield client
