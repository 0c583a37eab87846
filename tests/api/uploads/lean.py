"""`umbra serve` but for Ray, in ``python -m tests.api.uploads.lean OPTIONS``: reductions run in it."""

import sys
from typing import Any

import api.cli
from cluster.executors import InProcess


def here(workers: int, **_: Any) -> InProcess:
    return InProcess(workers)


if __name__ == "__main__":
    vars(api.cli)["RayExecutor"] = here
    sys.exit(api.cli.serve(sys.argv[1:]))
