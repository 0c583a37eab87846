"""Many small recordings as a campaign: what a job costs beyond its reduction, two cores, a second run."""

import json
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.campaign_queue import queue_costs
from bench.campaign_runs import SERVERS, SUPERVISOR, Ran, ran, shares
from bench.machine_gain import machine_gain
from bench.pinning import allowed_cores
from bench.record import Record, Target
from bench.timing import Timed
from cluster.campaign.digests import Digests
from cluster.campaign.manifest import read_manifest
from cluster.demo_stations import FRAMES, planned_stations, write_uploads
from cluster.recording import reduce_to_folder
from reduction.cores import at_most

STATIONS = 40
SKIPPED = 4
"""Recordings until a worker has loaded what it needs."""

OVERHEAD_MS = 20.0
GAIN = 1.7
AGAIN = 0.02
ROUNDS = 2


def campaign(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Each run in a process of its own, with its own store; one core and two in turn."""
    stations = max(2 * SKIPPED, (frames or 5 * STATIONS) // 5)
    manifest = scratch / "campaign.csv"
    (scratch / "uploads").mkdir()
    write_uploads(planned_stations(stations), scratch / "uploads", manifest)
    record = Record("campaign", {"recordings": stations, "frames each": FRAMES, "pixels": "160 x 120"})
    alone = _alone(manifest, scratch / "alone")
    between = (SKIPPED, stations)
    one, two, again = [], [], []
    machine: list[float] = []
    for number in range(min(ROUNDS, repetitions)):
        one.append(ran(manifest, scratch / f"one{number}", 1, 1))
        if allowed_cores() > 1:
            two.append(ran(manifest, scratch / f"two{number}", 2, 2))
            machine.append(round(machine_gain(), 3))
        again.append(ran(manifest, scratch / f"one{number}", 1, 1))
    apart = ran(manifest, scratch / "apart", 1, min(2, allowed_cores()), between)
    record.timed = [alone, _timed("one worker", one), *([_timed("two workers", two)] if two else [])]
    costs = _costs(apart, stations - SKIPPED)
    ways = {"one": one, "two": two, "again": again}
    shortest = {name: min(r.wall_s for r in runs) for name, runs in ways.items() if runs}
    record.values = {
        "a job beyond its reduction": costs,
        "a reduction by a worker over one in this process, processor time": round(
            statistics.median(event["reduced_cpu_s"] for event in apart.done[SKIPPED:])
            / statistics.median(alone.cpu_s),
            3,
        ),
        "plain Python by all cores over one, at that time": machine,
        "whole command, s": {name: round(value, 3) for name, value in shortest.items()},
        "whole command again, processor s": round(min(r.cpu_s for r in again), 3),
        "stages": _stages(scratch / "apart"),
        "bytes of a recording": _bytes_of(scratch / "uploads") // stations,
        "queue": queue_costs(scratch),
        "digest, MB/s": _digest_mb_s(scratch / "large"),
    }
    record.targets = [
        Target("a job beyond its reduction, ms", OVERHEAD_MS, costs["wall, ms"], at_least=False),
        Target("a second run over the first", AGAIN, shortest["again"] / shortest["one"], at_least=False),
    ]
    if two:
        gain = min(r.working_s for r in one) / min(r.working_s for r in two)
        record.targets.append(Target("many recordings, faster on 2 cores by", GAIN, gain))
    return record


def _alone(manifest: Path, out: Path) -> Timed:
    """Each recording reduced in this process, by one thread, after some that are not counted."""
    timed = Timed("in this process", "reduce_to_folder, one recording after the other", FRAMES)
    observations = [each for each in read_manifest(manifest).observations if each.station != "cut"]
    with at_most(1):
        for number, each in enumerate(observations):
            wall, cpu = time.perf_counter(), time.process_time()
            reduce_to_folder(each.request, out / each.station)
            if number >= SKIPPED:
                timed.wall_s.append(time.perf_counter() - wall)
                timed.cpu_s.append(time.process_time() - cpu)
    return timed


def _timed(name: str, runs: list[Ran]) -> Timed:
    frames = sum(event["frames"] for event in runs[0].done)
    timed = Timed(
        name, "umbra campaign run: first order to last result; processor time of all processes", frames
    )
    timed.wall_s = [r.working_s for r in runs]
    timed.cpu_s = [r.cpu_s for r in runs]
    return timed


def _costs(run: Ran, jobs: int) -> dict[str, float]:
    """What a job costs beyond its reduction; one worker, the supervisor on another core.

    By the clock, nothing else but a job's end and the next one's beginning lies between two reductions.
    """
    first, last = run.done[SKIPPED - 1], run.done[-1]
    later = run.done[SKIPPED:]
    wall = last["time"] - first["time"] - sum(event["reduced_s"] for event in later)
    worker = sum(event["cpu_s"] - event["reduced_cpu_s"] for event in later)
    begin, end = run.middle
    used = shares(end, begin)
    return {
        "wall, ms": round(1e3 * wall / jobs, 2),
        "worker, processor ms": round(1e3 * worker / jobs, 2),
        "supervisor, processor ms": round(1e3 * used[SUPERVISOR] / jobs, 2),
        "Ray's servers, processor ms": round(1e3 * used[SERVERS] / jobs, 2),
        "Ray's servers, share of a core": round(used[SERVERS] / (last["time"] - first["time"]), 4),
    }


def _stages(store: Path) -> dict[str, Any]:
    """Seconds of each stage of a reduction, and bytes of a result, medians."""
    places = sorted(store.glob("results/*/*/summary.json"))
    seconds = [json.loads(path.read_text(encoding="utf-8"))["provenance"]["seconds"] for path in places]
    sizes = [sum(file.stat().st_size for file in path.parent.iterdir()) for path in places]
    return {
        "seconds": {name: round(statistics.median(each[name] for each in seconds), 4) for name in seconds[0]},
        "bytes of a result": round(statistics.median(sizes)),
    }


def _digest_mb_s(path: Path) -> float:
    """How fast a supervisor makes the digest of a file that is in memory, one thread."""
    size = 256 << 20
    path.write_bytes(bytes(size))
    with closing(Digests(None)) as digests:
        began = time.process_time()
        digests.of(path)
        return round(size / 1e6 / (time.process_time() - began), 1)


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
