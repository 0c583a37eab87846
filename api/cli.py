"""The verb `umbra serve`."""

import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.executors import RayExecutor
from reduction.command import run_verb
from reduction.errors import RequestError, ResourceError

if TYPE_CHECKING:
    import uvicorn

GRACE_S = 5


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
    listener = _listen(host, port)
    where = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    settings = reached_by(settings, where)
    try:
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
            server = _server(config, ready, stopping.set)
            server.run(sockets=[listener])
        finally:
            executor.close()
    except KeyboardInterrupt:
        sys.stderr.write("umbra serve: stopped\n")
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
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


def _server(
    config: "uvicorn.Config", ready: Callable[[], None], stopping: Callable[[], None]
) -> "uvicorn.Server":
    """Return a server that tells when it is ready, and at once when it is asked to stop."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            stopping()  # ends long polls, which would hold up the stop
            super().handle_exit(sig, frame)

    return Server(config)
