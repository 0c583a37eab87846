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
from tests.processes import below

THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(slots=True)
class Cluster:
    """A head, and nodes that work."""

    port: int
    folder: Path
    environment: dict[str, str]
    nodes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    started: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def token(self) -> dict[str, str]:
        """Variables by which a driver is let in."""
        return {name: self.environment[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        """Start a node and wait until it says that it runs."""
        self.started += 1
        log = self.folder / f"node{self.started}.log"
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *options]
        command += ["--node-ip-address=127.0.0.1", "--disable-usage-stats", "--block"]
        command += ["--min-worker-port=0", "--max-worker-port=0"]  # any: clusters of other tests run beside
        command += ["--no-monitor", "--include-log-monitor=false"]  # nobody scales it, no driver shows logs
        command += [f"--object-store-memory={100 * 2**20}"]
        with log.open("wb") as file:
            node = subprocess.Popen(
                command, stdout=file, stderr=file, env=self.environment, start_new_session=True
            )
        self.nodes.append(node)
        ends = time.monotonic() + 600
        while b"Ray runtime started" not in log.read_bytes():
            if node.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(log.read_text(errors="replace"))
            time.sleep(0.1)
        return node

    def start_head(self, cpus: int = 0) -> None:
        """Start the head; again, after it was ended, in place of all that there was."""
        self.start(
            "--head",
            f"--port={self.port}",
            f"--num-cpus={cpus}",
            "--include-dashboard=false",
            f"--temp-dir={self.folder}",
        )

    def start_node(self, cpus: int) -> "subprocess.Popen[bytes]":
        """Start a node that works."""
        return self.start(f"--address={self.address}", f"--num-cpus={cpus}")

    def end(self, node: "subprocess.Popen[bytes]") -> None:
        """Kill a node with all that it started: asked to end, Ray's nodes take ten seconds each."""
        inside = below(node.pid)
        for pid in (node.pid, *inside):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ProcessLookupError):  # what the raylet left behind when it was killed before
            os.killpg(node.pid, signal.SIGKILL)
        node.wait(300)
        self.nodes.remove(node)

    def stop(self) -> None:
        """End every node."""
        for node in self.nodes[::-1]:
            self.end(node)


@contextmanager
def running(
    *cpus: int, environment: Mapping[str, str] = MappingProxyType({}), head_cpus: int = 0
) -> Iterator[Cluster]:
    """A new cluster with a worker node for each number of CPUs; `environment` is added to the nodes' own."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # its sockets' names must be short
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    nodes = {**os.environ, **token, **THREADS, "RAY_USAGE_STATS_ENABLED": "0", **environment}
    cluster = Cluster(free_port(), folder, nodes)
    try:
        cluster.start_head(head_cpus)
        for number in cpus:
            cluster.start_node(number)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
