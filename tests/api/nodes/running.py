"""A service and a node of it, each a process of its own, with lines between them that can be cut."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.api.nodes.world import KEY, SECRET
from tests.api.uploads.served import Forged, Served
from tests.postgres import free_port
from tests.proxy import Proxy, proxied


def _reserved() -> int:
    """A port that is given to nobody who does not name it, for as long as this process lives."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
        held.detach()
    return port


NODE = f"http://127.0.0.1:{_reserved()}"
"""Where the node of the portal's tests listens, while one runs."""


@contextmanager
def serving_node(folder: Path, central: str) -> Iterator[Served]:
    """A node at `NODE`, by the real command."""
    folder.mkdir()
    options = (
        "--central",
        central,
        "--data",
        str(folder),
        "--name",
        "chile",
        "--port",
        NODE.rpartition(":")[2],
    )
    node = RealNode(folder, ("umbra", "node", *options), settings={"UMBRA_NODE_KEY": KEY})
    node.start()
    try:
        yield node
    finally:
        node.kill()


@dataclass
class RealNode(Served):
    """Started by options alone."""

    def options(self) -> list[str]:
        return []


@dataclass
class ForgedNode(Forged):
    """A node that is often killed; forked from the same process as its service."""

    verb: str = "node"
    central: str = ""

    def options(self) -> list[str]:
        return ["--port", str(self.port), "--data", str(self.home), "--central", self.central]

    def environment(self) -> dict[str, str]:
        return {"UMBRA_NODE_NAME": "chile", "UMBRA_NODE_KEY": KEY, "UMBRA_NODE_DISK_RESERVE": "0"}

    def close(self) -> None:
        self.kill()


@dataclass
class Chain:
    """Observer, line, node, line, service.

    Attributes
    ----------
    first, second : Proxy
        The line of the observer to the node, and of the node to the service.
    """

    service: Forged
    node: ForgedNode
    first: Proxy
    second: Proxy
    lines: tuple[Proxy, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = (self.first, self.second)


@contextmanager
def chain(folder: Path) -> Iterator[Chain]:
    """Start all of it."""
    node = ForgedNode(folder / "node", port=free_port())
    service = Forged(folder / "home", port=free_port())
    with proxied(node.port) as first, proxied(service.port) as second:
        service.settings = {
            "UMBRA_DISK_RESERVE": "0",
            "UMBRA_UPLOAD_NODES": f'[{{"name": "chile", "url": "http://127.0.0.1:{first.port}"}}]',
            "UMBRA_NODE_SECRET": SECRET,
        }
        node.central = f"http://127.0.0.1:{second.port}"
        service.people()
        try:
            service.start()
            node.forge = service.forge
            node.start()
            yield Chain(service, node, first, second)
        finally:
            node.close()
            service.close()
