"""A process that listens: its socket, its server, and how it is told to end."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from reduction.command import EndedError
from reduction.errors import RequestError, ResourceError

if TYPE_CHECKING:
    import uvicorn

GRACE_S = 5
"""For requests under way, once it is told to end."""


@contextmanager
def told_to_end() -> Iterator[threading.Event]:
    """Let the first SIGTERM end the body, whatever it is at; give what is set by then.

    Python drops what is raised while some things are tidied up: so this is asked as well.
    """
    told = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        if not told.is_set():
            told.set()
            raise EndedError

    if threading.current_thread() is not threading.main_thread():
        yield told
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    RequestError
        There is no such address here.
    ResourceError
        The port is taken, or not allowed.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise RequestError(f"--host {host} --port {port}: no such address: {error}") from error
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise ResourceError(f"{host}:{port}: cannot listen: {error}; choose another --port") from error


def address_of(listener: socket.socket, host: str) -> str:
    """Where a socket is reached, for people."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def make_server(
    config: "uvicorn.Config",
    ready: Callable[[], None],
    stopping: Callable[[], None],
    told: threading.Event,
) -> "uvicorn.Server":
    """Return a server that tells when it is ready, and at once when it is asked to stop."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            self.should_exit |= told.is_set()
            if self.started and not self.should_exit:
                ready()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            stopping()  # ends long polls, which would hold up the stop
            super().handle_exit(sig, frame)

    return Server(config)
