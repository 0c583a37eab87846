"""Plain reads and copies, on as many cores as decoders may use: what these are held against."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from bench.pinning import allowed_cores
from bench.timing import Case
from reduction.cores import cores, on_all_cores

BUFFER_BYTES = 32 << 20
COPIED = "memory copied"

Read = Callable[[Path], None]


def plain_reads() -> Read:
    """A function that reads a file by `os.preadv`, a part of it on each core, into one buffer per core."""
    buffers = [np.ones(BUFFER_BYTES, np.uint8) for _ in range(allowed_cores())]

    def read(path: Path) -> None:
        size, count = path.stat().st_size, min(cores(), len(buffers))
        descriptor = os.open(path, os.O_RDONLY)

        def part(number: int) -> None:
            offset, stop = size * number // count, size * (number + 1) // count
            while offset < stop:
                view = buffers[number].data[: stop - offset]
                offset += os.preadv(descriptor, [view], offset)

        try:
            on_all_cores(part, range(count))
        finally:
            os.close(descriptor)

    return read


def copies() -> Case:
    """Memory copied by `numpy.copyto`, a part of it on each core; a frame of it is a buffer."""
    source, goal = (np.ones((4, BUFFER_BYTES), np.uint8) for _ in range(2))

    def copy(count: int, number: int) -> None:
        part = slice(4 * number // count, 4 * (number + 1) // count)
        np.copyto(goal[part], source[part])

    def run() -> None:
        count = min(cores(), 4)
        on_all_cores(partial(copy, count), range(count))

    return Case(COPIED, "numpy.copyto of 32 MiB", 4, run)
