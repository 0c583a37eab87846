"""Peak memory of reductions, outputs included: longer recordings, larger frames, every way pixels come in."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.generating import KINDS, scene_of
from bench.pinning import allowed_cores, on_cores
from bench.record import Record, Target
from bench.recordings import field_scene, render, setting
from ingest.writers import write_avi, write_fits_sequence

FRAMES = (10_000, 100_000)
LARGE_FRAMES = 450
"""More than pass 1 looks at: from there on, nothing grows but the light curve."""
FILE_FRAMES = 240
LIMIT_MIB = 1024.0
GROWTH = 1.05
PLAIN, LARGE = "640x480 8 bit", "1920x1080 16 bit"


def memory(scratch: Path, frames: int | None, _repetitions: int) -> Record:
    """Each in a fresh process, on all cores; ``ru_maxrss``."""
    lengths = FRAMES if frames is None else (frames, 10 * frames)
    large = min(LARGE_FRAMES, frames or LARGE_FRAMES)
    record = Record("memory", setting(field_scene(40)))
    with on_cores(allowed_cores()):
        _generated(PLAIN, 64, scratch)  # compiles; a compiler's memory is no reduction's
        short, long = (_generated(PLAIN, n, scratch) for n in lengths)
        kinds = {kind: _generated(kind, large, scratch)["peak_mib"] for kind in KINDS if kind != PLAIN}
        files = _files(scratch, min(FILE_FRAMES, large))
    record.values = {
        "short": short,
        "long": long,
        "growth": round(long["peak_mib"] / short["peak_mib"], 4),
        f"peak_mib, {large} frames": kinds,
        f"peak_mib of umbra reduce, {min(FILE_FRAMES, large)} frames": files,
    }
    record.targets = [
        Target("peak memory of the longer recording, MiB", LIMIT_MIB, long["peak_mib"], at_least=False),
        Target("peak memory, longer over shorter", GROWTH, record.values["growth"], at_least=False),
    ] + [
        Target(f"peak memory, {what}, MiB", LIMIT_MIB, peak, at_least=False)
        for what, peak in (kinds | files).items()
    ]
    return record


def _generated(kind: str, frames: int, scratch: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.generating", kind, str(frames), str(scratch)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _files(scratch: Path, frames: int) -> dict[str, float]:
    """Peaks of ``umbra reduce`` on 1920x1080 16-bit files."""
    scene = dataclasses.replace(scene_of(KINDS[LARGE], frames), frames=KINDS[LARGE].distinct)
    pixels = render(scene)

    def brighter() -> Iterator[NDArray[Any]]:
        for i in range(frames):
            yield pixels[i % len(pixels)] + np.uint16(i // len(pixels) % 4)

    writers: dict[str, Callable[[Path], None]] = {
        "large.avi": lambda path: write_avi(path, brighter(), rate=25, codec="ffv1"),
        "large": lambda path: write_fits_sequence(path, brighter(), exposure_s=0.04),
    }
    names = {"large.avi": f"{LARGE}, FFV1", "large": f"{LARGE}, FITS folder"}
    found = {}
    for name, write in writers.items():
        write(scratch / name)
        found[names[name]] = _peak_of(
            ["reduce", str(scratch / name), "--out", str(scratch / "out"), "--overwrite"]
        )
    stack = scratch / "large.zarr"
    found[f"{LARGE}, umbra ingest of FFV1"] = _peak_of(["ingest", str(scratch / "large.avi"), str(stack)])
    found[f"{LARGE}, Zarr stack"] = _peak_of(
        ["reduce", str(stack), "--out", str(scratch / "out"), "--overwrite"]
    )
    return found


def _peak_of(arguments: list[str]) -> float:
    """Largest resident size of an ``umbra`` command, MiB."""
    with subprocess.Popen([sys.executable, "-m", "umbra", *arguments], stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"umbra {' '.join(arguments)}: exit code {process.returncode}")
    return round(usage.ru_maxrss / 1024.0, 1)
