"""Which processes Ray starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature


@contextmanager
def fewer_processes() -> Iterator[None]:
    """Have Ray leave out what adds machines to a cluster, and what copies workers' logs to a driver.

    Both would be a process each, with a second of its own to load, and with nothing to do here.
    """
    from ray._private import parameter

    made, less = parameter.RayParams, {"no_monitor": True, "include_log_monitor": False}
    if less.keys() <= signature(made).parameters.keys():  # another version may know them no more
        parameter.RayParams = partial(made, **less)
    try:
        yield
    finally:
        parameter.RayParams = made
