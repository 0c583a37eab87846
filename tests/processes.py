"""The processes below one, by id: what a test may end, or must see gone."""

import time
from collections.abc import Iterable
from pathlib import Path


def below(pid: int) -> dict[int, bytes]:
    """Process ids below `pid`, with their command lines."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended meanwhile
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found: dict[int, bytes] = {}
    queue = [pid]
    while queue:
        for child in children.get(queue.pop(), []):
            try:
                found[child] = Path(f"/proc/{child}/cmdline").read_bytes()
            except OSError:
                continue
            queue.append(child)
    return found


def all_gone(pids: Iterable[int], seconds: float) -> bool:
    """Whether all have ended, at last after `seconds`."""
    ends = time.monotonic() + seconds
    while any(_runs(pid) for pid in pids):
        if time.monotonic() > ends:
            return False
        time.sleep(0.1)
    return True


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
