"""Runs of ``umbra campaign run`` in a process of their own, with what the system counted meanwhile."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.pinning import on_cores
from bench.processes import Process, tree
from cluster.campaign.manifest import read_manifest

SAMPLE_S = 0.5
SUPERVISOR, WORKERS, SERVERS = "supervisor", "workers", "Ray's servers"


@dataclass(slots=True)
class Ran:
    """A run.

    Attributes
    ----------
    wall_s : float
        From the start of the command to its end.
    cpu_s : float
        Processor time of the command and of all that it started, when the last observation had ended: later
        Ray's processes are gone, and nobody has their times.
    shares : dict
        The same by who used it: `SUPERVISOR`, `WORKERS`, `SERVERS`.
    done : list of dict
        Events of observations that were reduced, in order.
    begun, ended : float
        POSIX seconds: the first order began, the last one was done.
    middle : tuple
        Processes when the first of `between` were done, and when the second were.
    peaks : dict
        Most memory of any process, MiB, by the task that it ran when it was looked at.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)
    done: list[dict[str, Any]] = field(default_factory=list)
    begun: float = 0.0
    ended: float = 0.0
    middle: tuple[dict[int, Process], dict[int, Process]] = ({}, {})
    peaks: dict[str, float] = field(default_factory=dict)

    @property
    def working_s(self) -> float:
        """From the first order to the last one's end."""
        return self.ended - self.begun


def ran(
    manifest: Path,
    store: Path,
    workers: int,
    cores: int,
    between: tuple[int, int] = (0, 0),
    peaks: bool = False,
) -> Ran:
    """Run a campaign on local Ray, bound to `cores`; look at its processes when so many were done."""
    command = [sys.executable, "-m", "umbra", "campaign", "run", str(manifest), "--store", str(store)]
    command += ["--ray", "local", "--workers", str(workers), "--json"]
    found, began = Ran(), time.monotonic()
    observations, over_with = len(read_manifest(manifest).observations), 0
    middle: list[dict[int, Process]] = []
    with on_cores(cores), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(process.pid, found.peaks, over))
        if peaks:
            watch.start()
        total = -1
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "started":
                found.begun = found.begun or event["time"]
            elif event["event"] == "done" and event.get("frames"):
                found.done.append(event)
                found.ended = event["time"]
                if len(found.done) in between:
                    middle.append(tree(process.pid))
            elif event["event"] == "end":
                total = event["total"]
            if event["event"] in {"done", "failed", "cancelled"}:
                over_with += 1
                if over_with == observations:
                    found.shares = shares(tree(process.pid))
                    found.cpu_s = sum(found.shares.values())
        over.set()
        if peaks:
            watch.join()
    found.wall_s = time.monotonic() - began
    if total < 0 or process.returncode not in {0, 3}:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
    if len(middle) == 2:
        found.middle = (middle[0], middle[1])
    return found


def shares(processes: dict[int, Process], before: dict[int, Process] | None = None) -> dict[str, float]:
    """Processor time that the supervisor, the workers and Ray's servers used, seconds; since `before`."""
    used = dict.fromkeys((SUPERVISOR, WORKERS, SERVERS), 0.0)
    for pid, each in processes.items():
        earlier = (before or {}).get(pid)
        used[_part_of(each.title)] += each.cpu_s - (0.0 if earlier is None else earlier.cpu_s)
    return used


def _part_of(title: str) -> str:
    """Whose a process is: Ray renames its workers by what they do, and they are idle between two orders."""
    if title.startswith("ray::") and "Agent" not in title:
        return WORKERS
    return SUPERVISOR if "umbra campaign" in title else SERVERS


def _watch(pid: int, peaks: dict[str, float], over: threading.Event) -> None:
    """Look at all processes again and again."""
    while not over.wait(SAMPLE_S):
        for each in tree(pid).values():
            title = each.title.split("(")[0].split(" ")[0] if each.title.startswith("ray::") else ""
            if title:
                peaks[title] = max(peaks.get(title, 0.0), each.peak_mib)
