"""Which processes Ray starts, and with how many threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@contextmanager
def fewer_processes() -> Iterator[None]:
    """Have Ray leave out what adds machines, what copies workers' logs, and a dashboard's server.

    Each would be a process, with a second of its own to load, and with nothing to do here. `ray.init` would
    wait for the last, which without a dashboard gathers statistics that nobody sends.
    """
    from ray._private import node, parameter

    made, less = parameter.RayParams, {"no_monitor": True, "include_log_monitor": False}
    if less.keys() <= signature(made).parameters.keys():  # another version may know them no more
        parameter.RayParams = partial(made, **less)
    served = getattr(node.Node, "start_api_server", None)
    if served is not None:
        node.Node.start_api_server = _nothing_served
    try:
        yield
    finally:
        parameter.RayParams = made
        if served is not None:
            node.Node.start_api_server = served


def _nothing_served(_node: Any, **_options: Any) -> None:
    """In place of `Node.start_api_server`: the node keeps its first URL of a dashboard, none."""


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes that start meanwhile have one thread per math library.

    Results must not depend on a thread count; tasks share the CPUs by themselves.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
