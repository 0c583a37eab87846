"""What the store costs a small job: time and waits on a disk, requests behind S3; memory of a large file."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.record import Record, Target
from bench.timing import Timed
from cluster.store import open_store
from cluster.store.local import LocalObjects
from cluster.store.published import ObjectStore
from reduction.outputs.folder import FILES

JOBS = 60
SIZES = dict(zip(FILES, (200_000, 400_000, 30_000, 80_000, 120_000, 400_000), strict=True))
"""Bytes of the files of a reduction of some thousand frames."""
LARGE = 256 * 2**20
LIMIT_MS = 20.0
LIMIT_MIB = 96.0
REQUESTS = ("create", "put", "stage", "get", "size", "entries", "folders")


def store(scratch: Path, frames: int | None, _repetitions: int) -> Record:
    """Each step of a job's way into a store on this disk, one job after the other."""
    made = _made(scratch / "made")
    url = str(scratch / "store")
    open_store(url)
    steps: dict[str, Callable[[str], object]] = {
        "find": lambda key: open_store(url).find("results", key),
        "publish": lambda key: open_store(url).publish("results", key, made),
        "log": lambda key: open_store(url).put_log(key, 1, "begun\nended\n"),
        "version": lambda key: open_store(url).add_version("campaign", key, key),
        "version, unchanged": lambda key: open_store(url).add_version("campaign", key, key),
    }
    jobs = frames or JOBS
    timed = {name: Timed(name, f"{name}, one job", 1) for name in steps}
    for number in range(jobs):
        for name, step in steps.items():
            wall, cpu = time.perf_counter(), time.process_time()
            step(f"{number:064x}")
            timed[name].cpu_s.append(time.process_time() - cpu)
            timed[name].wall_s.append(time.perf_counter() - wall)
    record = Record(
        "store", {"jobs": jobs, "files": len(SIZES), "bytes": sum(SIZES.values())}, [*timed.values()]
    )
    new = [name for name in steps if name != "version, unchanged"]
    total_ms = 1e3 * sum(statistics.median(timed[name].wall_s) for name in new)
    growth = _growth(scratch)
    record.values = {
        **{f"{name}, ms": 1e3 * statistics.median(one.wall_s) for name, one in timed.items()},
        "waits for the disk": {name: _waits(step) for name, step in steps.items()},
        "requests": _requests(scratch / "counted", made),
        f"memory that a file of {LARGE >> 20} MiB adds, MiB": growth,
    }
    record.targets = [
        Target("store's part of a small job, ms", LIMIT_MS, total_ms, at_least=False),
        Target("memory that a large file adds, MiB", LIMIT_MIB, max(growth.values()), at_least=False),
    ]
    return record


def _made(folder: Path) -> Path:
    folder.mkdir()
    for name, size in SIZES.items():
        (folder / name).write_bytes(os.urandom(size))
    return folder


def _waits(step: Callable[[str], object]) -> int:
    """How many files and folders a step of one more job flushes; those at once count each."""
    with patch.object(os, "fsync", wraps=os.fsync) as waiting:
        step("one more")
    return int(waiting.call_count)


def _requests(root: Path, made: Path) -> dict[str, dict[str, int]]:
    """Requests that the same steps would send to S3, the opening of the store left out."""
    count: Counter[str] = Counter()

    class Counted(LocalObjects):
        def __getattribute__(self, name: str) -> Any:
            if name in REQUESTS:
                count[name] += 1
            return super().__getattribute__(name)

    open_store(root)
    counted = ObjectStore(Counted(root))
    found: dict[str, dict[str, int]] = {}
    for name, step in (
        ("publish", lambda: counted.publish("results", "k", made)),
        ("publish, there already", lambda: counted.publish("results", "k", made)),
        ("log", lambda: counted.put_log("j", 1, "text")),
        ("version", lambda: counted.add_version("c", "o", "k")),
        ("version, unchanged", lambda: counted.add_version("c", "o", "k")),
    ):
        count.clear()
        step()
        found[name] = dict(count)
    return found


def _growth(scratch: Path) -> dict[str, float]:
    """Peak memory of a fresh process beyond what it had, after keeping and after fetching a large file."""
    path = scratch / "large"
    with path.open("wb") as file:
        for _ in range(LARGE >> 20):
            file.write(os.urandom(2**20))
    code = (
        "import sys; from bench.store import peaks; from pathlib import Path; "
        "print(*peaks(sys.argv[1], Path(sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, str(scratch / "memory"), str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    before, put, fetched = map(float, done.stdout.split())
    return {"put": put - before, "fetched": fetched - before}


def peaks(url: str, path: Path) -> tuple[float, float, float]:
    """Peak memory, MiB: at first, after a file was put into a store, and after it was fetched."""
    opened = open_store(url)
    before = _peak()
    raw = opened.put_raw(path)
    put = _peak()
    opened.fetch_raw(raw.sha256, path.with_name("back")).unlink()
    return before, put, _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
