"""`umbra serve` but for Ray, in ``python -m tests.api.uploads.lean OPTIONS``: reductions run in it.

``FORGE`` in place of the options: every line on stdin, ``{"verb", "arguments", "environment", "told"}``,
starts `umbra serve` or `umbra node` in a process forked from this one, which has loaded everything; its id
goes to stdout, what it says to `told`.
"""

import json
import os
import signal
import sys
from typing import Any

import api.cli
import api.nodes.cli
from cluster.executors import InProcess


def here(workers: int, **_: Any) -> InProcess:
    return InProcess(workers)


def forge() -> None:
    import uvicorn

    import api.app
    import api.nodes.app

    assert api.app
    assert api.nodes.app
    assert uvicorn
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who are killed are not waited for
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            become(**order)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def become(verb: str, arguments: list[str], environment: dict[str, str], told: str) -> None:
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.update(environment)
    said = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(said, stream)
    verbs = {"serve": api.cli.serve, "node": api.nodes.cli.node}
    os._exit(verbs[verb](arguments))


if __name__ == "__main__":
    vars(api.cli)["RayExecutor"] = here
    if sys.argv[1:] == ["FORGE"]:
        forge()
    else:
        sys.exit(api.cli.serve(sys.argv[1:]))
