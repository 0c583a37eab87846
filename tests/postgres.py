"""A PostgreSQL of the tests' own, on loopback, ended with them."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def program(name: str) -> str | None:
    """Path of one of PostgreSQL's programs; Debian keeps them out of the way."""
    found = [folder / name for folder in FOLDERS if (folder / name).exists()]
    return str(found[0]) if found else shutil.which(name)


@dataclass(slots=True)
class Server:
    """A server and what starts it again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://umbra@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        command = [program("postgres") or "postgres", "-D", str(self.folder), "-p", str(self.port)]
        command += ["-c", f"unix_socket_directories={self.folder}", "-c", "listen_addresses=127.0.0.1"]
        command += ["-c", "max_connections=200"]
        log = (self.folder.parent / "log").open("ab")
        with log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, user=somebody(self.folder))
        ends = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError((self.folder.parent / "log").read_text())
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=5).close()
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
            self.process.wait(30)


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
def running() -> Iterator[Server]:
    """A new server, with its data in a folder of its own: pytest's are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="umbra-postgres-") as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        command = [program("initdb") or "initdb", "-D", str(data), "-U", "umbra", "-A", "trust", "-N"]
        subprocess.run(command, check=True, capture_output=True, user=somebody(folder))
        server = Server(data, free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()
