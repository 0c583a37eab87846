"""A service with nobody in it; the world, made once for all workers of a run, served; and a browser at it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from tests.api.nodes.running import NODE  # noqa: E402 - after the check for the extra
from tests.api.nodes.world import SECRET  # noqa: E402
from tests.api.people.conftest import client  # noqa: E402, F401 - the fixture
from tests.api.uploads.served import LEAN, Served  # noqa: E402
from tests.api.web.browser import Portal, chromium  # noqa: E402
from tests.api.web.world import FREE, World, copied, made_once, opened  # noqa: E402


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world as it was made, or that of UMBRA_WORLD: look, but do not change it; `world` is a copy."""
    if "UMBRA_WORLD" in os.environ:
        return opened(Path(os.environ["UMBRA_WORLD"]))
    base = tmp_path_factory.getbasetemp()
    return made_once(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture
def world(made: World, tmp_path: Path) -> World:
    """A copy for one test."""
    return copied(made, tmp_path / "world")


@pytest.fixture(scope="session")
def served(made: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on a copy, for all tests of a worker: they leave in it what others do not mind."""
    world = copied(made, tmp_path_factory.mktemp("served") / "world")
    settings = {f"UMBRA_{name.upper()}": str(value) for name, value in FREE.items()}
    settings |= {
        "UMBRA_UPLOAD_NODES": json.dumps([{"name": "chile", "url": NODE}]),
        "UMBRA_NODE_SECRET": SECRET,
    }
    served = Served(world.home, LEAN, settings={"NUMBA_NUM_THREADS": "1", **settings})
    served.start()
    yield served
    served.kill()


@pytest.fixture(scope="module")
def portal(served: Served, made: World) -> Iterator[Portal]:
    """A browser at the service, of one test file."""
    with chromium() as browser:
        yield Portal(served, made, browser)
