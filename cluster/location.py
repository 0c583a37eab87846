"""Where any process finds the pixels of a recording that is open here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.formats import expand, open_in_place
from ingest.stack import ZarrStack
from reduction.errors import DataError, ResourceError
from reduction.stack import Stack


@dataclass(frozen=True, slots=True)
class Location:
    """Absolute paths of a recording with random access: the files in place, or the stack made of them."""

    paths: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str


def locate(stack: Stack, inputs: Sequence[str]) -> Location:
    """Return where `stack`, opened from `inputs`, can be opened again."""
    paths = [stack.path] if isinstance(stack, ZarrStack) else expand(list(inputs))
    return Location(tuple(str(Path(p).absolute()) for p in paths), stack.info.shape, stack.info.dtype)


def not_seen(path: Path | str) -> ResourceError:
    """What a worker says of a file that another process has."""
    return ResourceError(
        f"{path}: not to be seen by this worker; keep recordings and scratch on a file system that "
        "every node shares"
    )


def reopen(location: Location) -> Stack:
    """Open a recording again, in another process.

    Raises
    ------
    ResourceError
        The files are not to be seen from this process.
    DataError
        They are another recording by now.
    """
    for path in location.paths:
        if not Path(path).exists():
            raise not_seen(path)
    stack = open_in_place([*location.paths])
    if stack is None or (stack.info.shape, stack.info.dtype) != (location.shape, location.dtype):
        found = "another format" if stack is None else f"{stack.info.shape} {stack.info.dtype}"
        if stack is not None:
            stack.close()
        raise DataError(
            f"{location.paths[0]}: changed while it was reduced: {found}, was {location.shape} "
            f"{location.dtype}; reduce it again when it is complete"
        )
    return stack
