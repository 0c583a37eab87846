"""The verb `umbra node`: take uploads near the observer, and hand them over to the service."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from api.listening import GRACE_S, address_of, listen, make_server, told_to_end
from reduction.command import run_verb
from reduction.errors import RequestError, ResourceError

Data = Annotated[str | None, typer.Option("--data", metavar="DIR", help="Its folder (UMBRA_NODE_DATA).")]


def node(arguments: list[str]) -> int:
    """Run `umbra node`; returns the exit code."""
    if arguments and arguments[0] in {"-h", "help"}:
        arguments = ["--help"]
    action = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    if not action:
        return run_verb("node", _serve, arguments)
    if action not in ACTIONS:
        sys.stderr.write(f"umbra node: no such action: {action!r}; there are: {', '.join(ACTIONS)}\n")
        return RequestError.exit_code
    return run_verb(f"node {action}", ACTIONS[action], arguments[1:])


def _serve(
    central: Annotated[
        str | None, typer.Option(metavar="URL", help="The service (UMBRA_NODE_CENTRAL).")
    ] = None,
    data: Data = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="As the service knows it (UMBRA_NODE_NAME).")
    ] = None,
    host: Annotated[str, typer.Option(metavar="H", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="P", min=0, max=65535, help="Port; 0 is a free one.")] = 8001,
) -> None:
    """Take uploads, keep them in DIR, hand them over to the service at URL. The key is in UMBRA_NODE_KEY.

    Also: umbra node status --data DIR tells what it holds; umbra node key NAME, at the service, its key.
    """
    with told_to_end() as told:
        try:
            _run(central, data, name, host, port, told)
        except KeyboardInterrupt:
            sys.stderr.write("umbra node: stopped\n")


def _run(
    central: str | None, data: str | None, name: str | None, host: str, port: int, told: threading.Event
) -> None:
    try:
        import uvicorn

        from api.logs import keep_log
        from api.nodes.app import create_node
        from api.nodes.settings import node_settings
    except ImportError as error:
        raise ResourceError(f"a node needs {error.name}; pip install 'umbra-occultation[server]'") from error
    settings = node_settings(central=central, data=data, name=name)
    keep_log(settings.log)
    app = create_node(settings)
    listener = listen(host, port)
    try:

        def ready() -> None:
            lines = (f"{address_of(listener, host)}/api/v1", f"  central  {settings.central}")
            sys.stdout.write(
                "\n".join((f"umbra node: {lines[0]}", lines[1], f"  data     {settings.data}\n"))
            )
            sys.stdout.flush()

        config = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S, lifespan="on"
        )
        make_server(config, ready, app.state.handing.stopping.set, told).run(sockets=[listener])
    finally:
        listener.close()


def _status(
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Tell what a node holds, what was handed over, and what keeps the rest; also while it runs."""
    import os

    from api.database.transactions import Database
    from api.nodes import status

    folder = data or os.environ.get("UMBRA_NODE_DATA")
    path = Path(folder or ".") / "node.sqlite"
    if not path.is_file():
        raise RequestError(f"{path.parent}: no node's folder; --data names it")
    database = Database(path)
    try:
        report = status.report(database)
    finally:
        database.close()
    sys.stdout.write(json.dumps(report, indent=1) + "\n" if as_json else status.text_of(report))


def _key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the node, as in UMBRA_UPLOAD_NODES.")],
) -> None:
    """Print the key of a node, at the service: made from UMBRA_NODE_SECRET, for the node's UMBRA_NODE_KEY."""
    from api.nodes import tickets
    from api.nodes.known import NodeName
    from api.settings import SHORTEST_SECRET, checked, home_folder

    try:
        TypeAdapter(NodeName).validate_python(name)
    except ValidationError as error:
        raise RequestError(f"{name!r}: small letters, digits and hyphens, at most 32") from error
    home = home_folder()
    secret = checked({"data": home, "home": home}).node_secret.get_secret_value()
    if len(secret) < SHORTEST_SECRET:
        raise RequestError(
            f"UMBRA_NODE_SECRET: {SHORTEST_SECRET} characters or more are needed: openssl rand -hex 32"
        )
    sys.stdout.write(tickets.key_of(secret, name) + "\n")


ACTIONS: dict[str, Callable[..., None]] = {"status": _status, "key": _key}
