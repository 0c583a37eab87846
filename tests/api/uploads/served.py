"""A service in a process of its own, on a socket, which is killed and started again."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from api.database.migrate import migrate
from api.database.transactions import Database
from tests.api.access.world import make_world
from tests.api.uploads.observer import key_for

ROOT = Path(__file__).parents[3]
SERVE = ("umbra", "serve")
LEAN = ("tests.api.uploads.lean",)


@dataclass
class Served:
    """Starts and kills a service.

    Attributes
    ----------
    port : int
        Chosen by the first start, and kept.
    key, observation : str
        Of somebody who may upload to it.
    """

    home: Path
    module: Sequence[str] = LEAN
    before: Sequence[str] = ()
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0
    key: str = ""
    observation: str = ""
    process: "subprocess.Popen[str] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> str:
        return self.settings.get("UMBRA_DATABASE") or f"sqlite:///{self.home / 'umbra.sqlite'}"

    def people(self) -> None:
        """Somebody with an observation, made beside the service."""
        self.home.mkdir(parents=True, exist_ok=True)
        database = Database(self.database)
        migrate(database.engine)
        world = make_world(database)
        self.observation = world.strict["observation"]
        self.key = key_for(database, world.people["owner"].id)
        database.close()

    def start(self) -> None:
        options = ["--port", str(self.port), "--data", str(self.home.parent / "data"), "--workers", "1"]
        (self.home.parent / "data").mkdir(exist_ok=True)
        environment = {**os.environ, "UMBRA_HOME": str(self.home), "PYTHONPATH": str(ROOT), **self.settings}
        self.process = subprocess.Popen(
            [*self.before, sys.executable, "-m", *self.module, *options],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        line = self.process.stdout.readline()
        found = re.match(r"umbra serve: http://127\.0\.0\.1:(\d+)/api/v1\n", line)
        assert found is not None, line + self.process.stderr.read()
        self.port = int(found[1])

    def kill(self) -> None:
        """At once, and all that it has started: nobody says good-bye."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()
            self.process = None

    def restart(self) -> None:
        self.kill()
        ends = time.monotonic() + 60
        while True:
            try:
                self.start()
            except AssertionError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.2)
            else:
                return


@contextmanager
def running(home: Path, module: Sequence[str] = LEAN, **settings: str) -> Iterator[Served]:
    """A service with somebody who may upload."""
    served = Served(home, module, settings=settings)
    served.people()
    served.start()
    try:
        yield served
    finally:
        served.kill()
