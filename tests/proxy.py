"""A TCP proxy on loopback that refuses, cuts and loses answers when told to."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.postgres import free_port

PART = 1 << 16


class Proxy:
    """Passes connections on to a port of this machine.

    Attributes
    ----------
    port : int
        Where it listens, unless it refuses.
    lose_after : bytes or None
        The answer to the next request that holds these bytes is thrown away, and its connection cut.
    passes : int
        How many bytes of that answer are passed on first.
    lost : int
        How many were.
    """

    def __init__(self, to: int) -> None:
        self._to, self.port = to, free_port()
        self.lose_after: bytes | None = None
        self.passes = 0
        self.lost = 0
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.resume()

    def refuse(self) -> None:
        """Cut all connections and refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def resume(self) -> None:
        """Take connections again."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._to)) as server:
            with self._lock:
                self._open = {one for one in self._open if one.fileno() >= 0} | {client, server}
            losing, left = False, 0
            while True:
                ready, _, _ = select.select([client, server], [], [])
                if client in ready:
                    data = client.recv(PART)
                    if self.lose_after is not None and self.lose_after in data:
                        self.lose_after, losing, left = None, True, self.passes
                    server.sendall(data)
                    if not data:
                        return
                if server in ready:
                    data = server.recv(PART)
                    if losing and len(data) >= left:
                        client.sendall(data[:left])
                        self.lost += 1
                        return
                    left -= len(data)
                    if not data:
                        return
                    client.sendall(data)


@contextmanager
def proxied(to: int) -> Iterator[Proxy]:
    """A proxy before a port, ended with the body."""
    proxy = Proxy(to)
    try:
        yield proxy
    finally:
        proxy.refuse()
