"""The processes that this one has begun, and those that they have begun."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def below(pid: int) -> list[int]:
    """Process ids below `pid`, the nearest first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile
            parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, ())
    return found[1:]


def end_all() -> None:
    """End every process below this one, at once."""
    for pid in below(os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
