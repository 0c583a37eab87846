"""Processor time and memory of a process and of all that it started, as the system counts them."""

import os
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its parent, its title, processor time, and the most memory that it held at once.

    `cpu_s` includes children that ended and were waited for.
    """

    parent: int
    title: str
    cpu_s: float
    peak_mib: float


def tree(top: int) -> dict[int, Process]:
    """A process and all below it, by number."""
    everything: dict[int, Process] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        found = _read(folder)
        if found is not None:
            everything[int(folder.name)] = found
    below = {top} & everything.keys()
    while True:
        more = {pid for pid, each in everything.items() if each.parent in below} - below
        if not more:
            return {pid: everything[pid] for pid in below}
        below |= more


def _read(folder: Path) -> Process | None:
    """What the system says of a process; None where it has gone meanwhile."""
    try:
        stat = (folder / "stat").read_text()
        status = (folder / "status").read_text()
        title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), "0")
    return Process(int(fields[1]), title, sum(map(int, fields[11:15])) * TICK_S, int(peak) / 1024.0)
