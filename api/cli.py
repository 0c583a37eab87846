"""The verb `umbra serve`."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from api.listening import GRACE_S, address_of, listen, make_server, told_to_end
from cluster.executors import RayExecutor
from cluster.family import end_all
from reduction.command import run_verb
from reduction.errors import ResourceError

STOPPED = "umbra serve: stopped\n"
ENDING = frozenset({signal.SIGINT, signal.SIGTERM})


def serve(arguments: list[str]) -> int:
    """Run `umbra serve`; returns the exit code."""
    return run_verb("serve", _serve, arguments)


def _serve(
    host: Annotated[str, typer.Option(metavar="H", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="P", min=0, max=65535, help="Port; 0 is a free one.")] = 8000,
    data: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder of recordings (UMBRA_DATA, or this folder).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=1024, help="Reductions at once (CPUs).")
    ] = None,
) -> None:
    """Serve the HTTP API: reductions of recordings in DIR. Jobs are kept in UMBRA_HOME."""
    with told_to_end() as told:
        try:
            _run(host, port, data, workers, told)
        except KeyboardInterrupt:
            sys.stderr.write(STOPPED)


@contextmanager
def _ending_in_time() -> Iterator[None]:
    """End this process where the body, told to end, does not: Ray's start cannot be interrupted.

    A busy machine takes minutes for it. Nothing has begun by then that would have to be put away.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    over = threading.Event()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    def guard() -> None:
        while ours.recv(1)[0] not in ENDING:
            if over.is_set():
                return
        if not over.wait(GRACE_S):
            end_all()
            sys.stderr.write(STOPPED)
            sys.stderr.flush()
            os._exit(0)

    watching = threading.Thread(target=guard, name="umbra-guard", daemon=True)
    watching.start()
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        theirs.send(b"\0")
        watching.join()
        ours.close()
        theirs.close()


def _run(host: str, port: int, data: str | None, workers: int | None, told: threading.Event) -> None:
    """Start everything, serve, end everything."""
    try:
        import uvicorn

        from api.app import create_app
    except ImportError as error:
        raise ResourceError(
            f"the service needs {error.name}; pip install 'umbra-occultation[server]'"
        ) from error
    from api.logs import keep_log
    from api.notes import notes
    from api.settings import make_settings, reached_by

    settings = make_settings(data, host, workers)
    keep_log(settings.log)
    listener = listen(host, port)
    where = address_of(listener, host)
    settings = reached_by(settings, where)
    try:
        with _ending_in_time():
            executor = RayExecutor(workers=settings.workers)
        try:
            app = create_app(settings, executor)
            stopping = app.state.supervisor.stopping

            def ready() -> None:
                lines = (where + "/api/v1", f"  data  {settings.data}", f"  jobs  {settings.home}")
                sys.stdout.write("umbra serve: " + "\n".join([*lines, *notes(app)]) + "\n")
                sys.stdout.flush()

            config = uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=GRACE_S,
                lifespan="on",
                proxy_headers=bool(settings.proxies),
                forwarded_allow_ips=settings.proxies,
            )
            server = make_server(config, ready, stopping.set, told)
            server.run(sockets=[listener])
        finally:
            executor.close()
    finally:
        listener.close()
