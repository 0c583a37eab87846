"""Peak memory of a reduction, outputs included, for a recording and one ten times longer."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.record import Record, Target
from bench.recordings import field_scene, setting

FRAMES = (10_000, 100_000)
LIMIT_MIB = 1024.0
GROWTH = 1.05


def memory(scratch: Path, frames: int | None, _repetitions: int) -> Record:
    """Each in a fresh process, from a source that generates its frames; ``ru_maxrss``."""
    lengths = FRAMES if frames is None else (frames, 10 * frames)
    _measure(64, scratch)  # compiles; a compiler's memory is no reduction's
    short, long = (_measure(n, scratch) for n in lengths)
    record = Record("memory", setting(field_scene(40)))
    record.values = {
        "short": short,
        "long": long,
        "growth": round(long["peak_mib"] / short["peak_mib"], 4),
    }
    record.targets = [
        Target("peak memory of the longer recording, MiB", LIMIT_MIB, long["peak_mib"], at_least=False),
        Target("peak memory, longer over shorter", GROWTH, record.values["growth"], at_least=False),
    ]
    return record


def _measure(frames: int, scratch: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.generating", str(frames), str(scratch)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures
