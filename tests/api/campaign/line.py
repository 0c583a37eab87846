"""A line to a server that stops after so many bytes until it is told to go on: so faults are placed."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.postgres import free_port

PART = 1 << 16


class Line:
    """Passes connections on to a port of this machine, and counts what goes up, or comes down.

    Attributes
    ----------
    port : int
        Where it listens.
    passed : int
        Bytes that went its way.
    reached : threading.Event
        Set when the line has stopped.
    """

    def __init__(self, to: int, down: bool = False) -> None:
        self.to, self.port, self._metered = to, free_port(), down
        self.passed = 0
        self.reached = threading.Event()
        self._stop_at: int | None = None
        self._moving = threading.Condition()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop_after(self, more: int) -> None:
        """Let so many bytes pass, then none."""
        with self._moving:
            self._stop_at = self.passed + more
            self.reached.clear()
            self._moving.notify_all()

    def go_on(self) -> None:
        """Let all bytes pass."""
        with self._moving:
            self._stop_at = None
            self._moving.notify_all()

    def cut(self) -> None:
        """End all connections."""
        with self._moving:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.clear()
            self._stop_at = None
            self._moving.notify_all()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                client.close()
                continue
            with self._moving:
                self._open |= {client, server}
            for way, down in (((client, server), False), ((server, client), True)):
                args = (*way, down is self._metered)
                threading.Thread(target=self._pass, args=args, daemon=True).start()

    def _pass(self, source: socket.socket, goal: socket.socket, metered: bool) -> None:
        with suppress(OSError):
            while data := source.recv(PART):
                if metered:
                    self._count(len(data))
                goal.sendall(data)
        self._end(source, goal)

    def _count(self, more: int) -> None:
        with self._moving:
            while self._stop_at is not None and self.passed >= self._stop_at:
                self.reached.set()
                self._moving.wait()
            self.passed += more

    def _end(self, *both: socket.socket) -> None:
        for one in both:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def line_to(port: int, down: bool = False) -> Iterator[Line]:
    """A line before a port, ended with the body."""
    line = Line(port, down)
    try:
        yield line
    finally:
        line.close()


def halted(line: Line, process: "subprocess.Popen[str]", more: int) -> None:
    """Let so many bytes pass for a process, and wait until they have."""
    line.stop_after(more)
    ends = time.monotonic() + 600
    while not line.reached.wait(0.2):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends, line.passed
