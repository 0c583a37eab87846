"""A service with nobody in it, and what its e-mails say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

from tests.api.client import Client, serving  # noqa: E402 - after the check for the extra
from tests.api.executors import Scripted  # noqa: E402


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "data").mkdir()
    free: dict[str, Any] = {"rate_visitor": "999999/second", "rate_address": "999999/second"}
    with serving(tmp_path / "data", tmp_path / "home", Scripted(), **free) as client:
        yield client
