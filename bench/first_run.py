"""The first reduction after installation: empty caches, a fresh process, the command itself."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from bench.record import Record, Target
from bench.recordings import field_scene, named_plan, ser_file, setting
from bench.timing import Timed

FRAMES = 500
LIMIT_S = 15.0


def first_run(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Seconds of ``umbra reduce`` with empty caches of numba and matplotlib, and of the run after it."""
    scene = field_scene(frames or FRAMES)
    path = ser_file(scratch / "first.ser", scene)
    plan = named_plan(scene)
    if plan.target is None:
        raise ValueError("the bench names its target")
    target = f"{plan.target.x:.1f},{plan.target.y:.1f}"
    first = Timed("first", "umbra reduce, caches of numba and matplotlib empty", scene.frames)
    second = Timed("second", "umbra reduce, the run after it", scene.frames)
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # as a user's command runs: on what there is
    for k in range(min(repetitions, 3)):
        caches = scratch / f"caches-{k}"
        run = partial(_run, path, target, caches, scratch / "out")
        run(first)
        run(second)
        shutil.rmtree(caches)
    os.sched_setaffinity(0, pinned)
    record = Record(
        "first_run", setting(scene) | {"frames": scene.frames, "cores": os.cpu_count()}, [first, second]
    )
    record.values = {"first_s": min(first.wall_s), "second_s": min(second.wall_s)}
    record.targets = [
        Target("first reduction, seconds", LIMIT_S, statistics.median(first.wall_s), at_least=False)
    ]
    return record


def _run(path: Path, target: str, caches: Path, out: Path, timed: Timed) -> None:
    command = [
        sys.executable, "-m", "umbra", "reduce", str(path), "--target", target, "--time-is", "start",
        "--out", str(out), "--overwrite",
    ]  # fmt: skip
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "MPLCONFIGDIR": str(caches / "matplotlib"),
    }
    (caches / "matplotlib").mkdir(parents=True, exist_ok=True)
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    timed.wall_s.append(time.perf_counter() - wall)
    timed.cpu_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
