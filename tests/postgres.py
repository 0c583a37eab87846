"""A PostgreSQL of the tests' own, on loopback, ended with them.

`fresh` gives a database of a server that all tests of a process share, `running` a server that a test may
kill.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
FORGETFUL = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
"""Settings of a server that need not survive a power cut."""


def program(name: str) -> str | None:
    """Path of one of PostgreSQL's programs; Debian keeps them out of the way."""
    found = [folder / name for folder in FOLDERS if (folder / name).exists()]
    return str(found[0]) if found else shutil.which(name)


@dataclass(slots=True)
class Server:
    """A server and what starts it again."""

    folder: Path
    port: int
    settings: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://umbra@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        command = [program("postgres") or "postgres", "-D", str(self.folder), "-p", str(self.port)]
        command += ["-c", f"unix_socket_directories={self.folder}", "-c", "listen_addresses=127.0.0.1"]
        command += [part for setting in ("max_connections=200", *self.settings) for part in ("-c", setting)]
        log = (self.folder.parent / "log").open("ab")
        with log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, user=somebody(self.folder))
        ends = time.monotonic() + 300
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError((self.folder.parent / "log").read_text())
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=60).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """End it as a power loss of the server process would: no clean-up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        time.sleep(0.2)  # its children notice and go

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(300)


def somebody(folder: Path) -> int | None:
    """PostgreSQL refuses to run as root: the user as whom it runs then, who gets `folder`."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("nobody").pw_uid
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, -1)
    return user


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(*settings: str) -> Iterator[Server]:
    """A new server, with its data in a folder of its own: pytest's are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="umbra-postgres-") as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        command = [program("initdb") or "initdb", "-D", str(data), "-U", "umbra", "-A", "trust", "-N"]
        subprocess.run(command, check=True, capture_output=True, user=somebody(folder))
        server = Server(data, free_port(), settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@dataclass(slots=True)
class _Shared:
    """The server of all tests of this process, once one has asked for it."""

    closing: ExitStack = field(default_factory=ExitStack)
    server: Server | None = None
    numbers: Iterator[int] = field(default_factory=count)
    filled: dict[Callable[[str], None], str] = field(default_factory=dict)
    """Databases that others are copies of, by what has filled them."""

    def make(self, like: str = "template1") -> str:
        """Name of a new database, on the server that is started for the first one."""
        import psycopg

        if self.server is None:
            self.server = self.closing.enter_context(running(*FORGETFUL))
        name = f"fresh{next(self.numbers)}"
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        return name

    def copy(self, fill: Callable[[str], None]) -> str:
        """Name of a new database with what `fill` puts into one."""
        if fill not in self.filled:
            name = self.make()
            assert self.server is not None
            fill(self.server.url_of(name))
            self.filled[fill] = name
        return self.make(self.filled[fill])


_shared = _Shared()


@contextmanager
def fresh(fill: Callable[[str], None] | None = None) -> Iterator[str]:
    """URL of a new database, gone with the body; its server stays for the next one.

    `fill` puts something into a database of its URL; that is done once, and copied.
    """
    import psycopg

    name = _shared.make() if fill is None else _shared.copy(fill)
    server = _shared.server
    assert server is not None
    try:
        yield server.url_of(name)
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def close_shared() -> None:
    """End the server that `fresh` has started."""
    _shared.server = None
    _shared.filled.clear()
    _shared.closing.close()
