"""Mutated inputs for parsers: no crash but the errors of the house, no hang, no hunger.

`UMBRA_FUZZ` sets how many inputs each parser gets (2,000 in the ordinary run); ``make fuzz`` sets 100,000.
"""

import os
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from reduction.errors import UmbraError

COUNT = int(os.environ.get("UMBRA_FUZZ", "2000"))
LOG = os.environ.get("UMBRA_FUZZ_LOG")
MOST_SECONDS = 2.0
END_SECONDS = 30.0
MOST_KILOBYTES = 512 << 10
EXTREME = (0, 1, 0x7F, 0x80, 0xFF)


MANY = 10_000


def fewer(part: int) -> int:
    """Inputs for a slow parser: a part of them in the ordinary run, all where many are asked for."""
    return COUNT if COUNT >= MANY else max(150, COUNT // part)


def mutations(wholes: Sequence[bytes], count: int, head: int, seed: int = 1) -> Iterator[bytes]:
    """Damaged copies of sound inputs, most of the damage within their first `head` bytes."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        data = bytearray(wholes[number % len(wholes)])
        for _ in range(int(rng.integers(1, 4))):
            _damage(data, head, rng)
        yield bytes(data)


def _damage(data: bytearray, head: int, rng: np.random.Generator) -> None:
    kind = rng.integers(8)
    reach = len(data) if rng.random() < 0.2 else min(head, len(data))
    at = int(rng.integers(reach)) if reach else 0
    size = int(rng.choice([1, 2, 4, 8]))
    if kind < 3:
        for place in rng.integers(0, max(1, reach), size):
            if place < len(data):
                data[place] = int(rng.integers(256))
    elif kind == 3:
        data[at : at + size] = bytes([int(rng.choice(EXTREME))]) * min(size, len(data) - at)
    elif kind == 4:
        value = int(rng.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 65536, len(data)])) % (1 << 8 * size)
        data[at : at + size] = value.to_bytes(size, "little")[: len(data) - at]
    elif kind == 5:
        del data[int(rng.integers(len(data) + 1)) :]
    elif kind == 6:
        del data[at : at + int(rng.integers(1, 64))]
    else:
        data[at:at] = data[at : at + int(rng.integers(1, 64))]


@contextmanager
def _ended(number: int) -> Iterator[None]:
    """Fail an input that never comes back; the file stays for a look."""

    def end(*_: object) -> None:
        raise AssertionError(f"input {number} has taken {END_SECONDS:.0f} s of processor time")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, END_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def endure(path: Path, inputs: Iterator[bytes], read: Callable[[Path], None], parser: str) -> Counter[str]:
    """Read every input; what came of them, counted.

    Fails where anything but an error of the house is raised, where its message does not name the file, or
    where one input takes more than two seconds of processor time or half a gigabyte of memory.
    """
    outcomes: Counter[str] = Counter()
    slowest, worst = 0.0, 0
    for number, data in enumerate(inputs):
        path.write_bytes(data)
        unnamed = ""
        began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            with _ended(number):
                read(path)
            outcomes["read"] += 1
        except UmbraError as error:
            outcomes[type(error).__name__] += 1
            unnamed = "" if path.name in str(error) else str(error)
        assert not unnamed, f"input {number}: the message names no file: {unnamed}"
        slowest = max(slowest, time.process_time() - began)
        worst = max(worst, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        assert slowest < MOST_SECONDS, f"input {number} takes {slowest:.1f} s"
        assert worst < MOST_KILOBYTES, f"input {number} takes {worst >> 10} MiB"
    note(parser, outcomes, f"; slowest {slowest:.3f} s, most memory {worst >> 10} MiB")
    return outcomes


def note(parser: str, outcomes: Mapping[str, int], rest: str = "") -> None:
    """Write a line to the log, where one is kept: what came of a parser's inputs."""
    if LOG:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items()))
        with Path(LOG).open("a", encoding="utf-8") as log:
            log.write(f"{parser}: {counts}{rest}\n")
