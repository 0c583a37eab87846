"""A service in a process of its own, on a socket, which is killed and started again."""

import json
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

    def options(self) -> list[str]:
        (self.home.parent / "data").mkdir(exist_ok=True)
        return ["--port", str(self.port), "--data", str(self.home.parent / "data"), "--workers", "1"]

    def start(self) -> None:
        environment = {**os.environ, "UMBRA_HOME": str(self.home), "PYTHONPATH": str(ROOT), **self.settings}
        self.process = subprocess.Popen(
            [*self.before, sys.executable, "-m", *self.module, *self.options()],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        line = self.process.stdout.readline()
        self.port = port_of(line or self.process.stderr.read())

    def kill(self) -> None:
        """At once, and all that it has started: nobody says good-bye."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()
            self.process = None

    def restart(self) -> None:
        self.kill()
        ends = time.monotonic() + 300
        while True:
            try:
                self.start()
            except AssertionError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.2)
            else:
                return


@dataclass
class Forged(Served):
    """The same, each forked from a process that has loaded everything: many kills take less time."""

    verb: str = "serve"
    forge: "subprocess.Popen[str] | None" = None
    pid: int = 0

    def kindle(self) -> None:
        """Load everything."""
        if self.forge is None:
            self.forge = subprocess.Popen(
                [sys.executable, "-m", *LEAN, "FORGE"],
                cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip

    def start(self) -> None:
        self.kindle()
        assert self.forge is not None
        assert self.forge.stdin is not None
        assert self.forge.stdout is not None
        told = self.home.parent / f"told-{self.verb}"
        told.unlink(missing_ok=True)
        order = {
            "verb": self.verb,
            "arguments": self.options(),
            "environment": {**self.environment(), **self.settings},
            "told": str(told),
        }
        self.forge.stdin.write(json.dumps(order) + "\n")
        self.forge.stdin.flush()
        self.pid = int(self.forge.stdout.readline())
        ends = time.monotonic() + 300
        while not told.exists() or "\n" not in told.read_text():
            assert time.monotonic() < ends, "the service does not start"
            time.sleep(0.02)
        self.port = port_of(told.read_text())

    def environment(self) -> dict[str, str]:
        return {"UMBRA_HOME": str(self.home)}

    def kill(self) -> None:
        if self.pid:
            os.killpg(self.pid, signal.SIGKILL)
            self.pid = 0

    def close(self) -> None:
        self.kill()
        if self.forge is not None:
            self.forge.communicate()


def port_of(said: str) -> int:
    found = re.match(r"umbra (?:serve|node): http://127\.0\.0\.1:(\d+)/api/v1\n", said)
    assert found is not None, said
    return int(found[1])


@contextmanager
def forged(home: Path, **settings: str) -> Iterator[Forged]:
    """A service that is often killed, with somebody who may upload."""
    served = Forged(home, settings=settings)
    served.people()
    served.start()
    try:
        yield served
    finally:
        served.close()


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
