"""Which processes Ray starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any


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
