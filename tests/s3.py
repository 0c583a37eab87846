"""An S3 server of the tests' own (moto), on loopback, ended with them.

It has an environment of its own, `.venv/s3`, which the Makefile makes: its dependencies do not fit Umbra's.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import free_port

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "umbra", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
BUCKET = "umbra-tests"


def program() -> str | None:
    """Path of moto's server."""
    own = Path(sys.prefix) / "s3" / "bin" / "moto_server"
    return str(own) if own.exists() else shutil.which("moto_server")


@dataclass(slots=True)
class Server:
    """A server with one bucket; its objects are gone with it."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, prefix: str, port: int | None = None, **options: object) -> str:
        """Where a store may be; `port`: that of a proxy before the server."""
        said = "".join(f"&{name}={value}" for name, value in options.items())
        return f"s3://{BUCKET}/{prefix}?endpoint=http://127.0.0.1:{port or self.port}{said}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(300)


def _made(endpoint: str) -> bool:
    """Make the bucket; False while nobody answers."""
    asked = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return bool(answer.status == 200)
    except OSError:  # nobody listens yet, or it is slow to answer
        return False


@contextmanager
def running() -> Iterator[Server]:
    """A new server."""
    with tempfile.TemporaryFile() as log:
        port = free_port()
        command = [program() or "moto_server", "-H", "127.0.0.1", "-p", str(port)]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ | CREDENTIALS)
        server = Server(port, process)
        try:
            ends = time.monotonic() + 300
            while not _made(server.endpoint):
                if process.poll() is not None or time.monotonic() > ends:
                    log.seek(0)
                    raise RuntimeError(log.read().decode())
                time.sleep(0.1)
            yield server
        finally:
            server.stop()
