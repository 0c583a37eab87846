"""A Ray cluster of the tests' own: several nodes on loopback, each a process group, ended with them."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.postgres import free_port

THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(slots=True)
class Cluster:
    """A head without CPUs of its own, and nodes that work."""

    port: int
    folder: Path
    environment: dict[str, str]
    nodes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        """Start a node and wait until it says that it runs."""
        log = self.folder / f"node{len(self.nodes)}.log"
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *options]
        command += ["--node-ip-address=127.0.0.1", "--disable-usage-stats", "--block"]
        command += [f"--object-store-memory={100 * 2**20}"]
        with log.open("wb") as file:
            node = subprocess.Popen(
                command, stdout=file, stderr=file, env=self.environment, start_new_session=True
            )
        self.nodes.append(node)
        ends = time.monotonic() + 120
        while b"Ray runtime started" not in log.read_bytes():
            if node.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(log.read_text(errors="replace"))
            time.sleep(0.1)
        return node

    def stop(self) -> None:
        """End every node with all that it started."""
        for node in reversed(self.nodes):
            with suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGTERM)
        for node in self.nodes:
            try:
                node.wait(10)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(node.pid, signal.SIGKILL)
                node.wait(30)


@contextmanager
def running(*cpus: int, environment: Mapping[str, str] = MappingProxyType({})) -> Iterator[Cluster]:
    """A new cluster with a worker node for each number of CPUs; `environment` is added to the nodes' own."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # its sockets' names must be short
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    nodes = {**os.environ, **token, **THREADS, "RAY_USAGE_STATS_ENABLED": "0", **environment}
    cluster = Cluster(free_port(), folder, nodes)
    try:
        cluster.start(
            "--head",
            f"--port={cluster.port}",
            "--num-cpus=0",
            "--include-dashboard=false",
            f"--temp-dir={folder}",
        )
        for number in cpus:
            cluster.start(f"--address={cluster.address}", f"--num-cpus={number}")
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
