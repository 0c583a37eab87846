"""A service on each database."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.api.client import Client, serving
from tests.api.executors import Scripted
from tests.api.migrated import fresh
from tests.requirements import require

FREE: dict[str, Any] = {"rate_visitor": "999999/second", "rate_address": "999999/second"}


def service_on(backend: str, folder: Path) -> Iterator[Client]:
    """A service with nobody in it; ``sqlite`` or ``postgres``."""
    (folder / "data").mkdir()
    if backend == "sqlite":
        with serving(folder / "data", folder / "home", Scripted(), **FREE) as client:
            yield client
        return
    require("postgres")
    with (
        fresh() as url,
        serving(folder / "data", folder / "home", Scripted(), database=url, **FREE) as client,
    ):
        yield client
