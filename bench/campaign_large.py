"""Large recordings as a campaign: one FFV1 file on two cores against one, memory of workers by length."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.campaign_runs import Ran, ran
from bench.pinning import allowed_cores
from bench.record import Record, Target
from bench.recordings import TARGET, field_scene, render
from bench.timing import Timed
from cluster.campaign.hands import RECORDING_BYTES
from cluster.campaign.manifest import write_manifest
from ingest.writers import write_avi, write_ser
from reduction.synthetic import Scene, SceneStar

FRAMES = 4000
ROUNDS = 2
GAIN = 1.7
DISTINCT = 64
LENGTHS = (1, 4, 16)
SHORTEST = 1000
"""Frames of the shortest recording of which memory is measured; 320 x 240."""


def campaign_large(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Each run in a process of its own, with its own store; one core and two in turn."""
    count = frames or FRAMES
    scene = field_scene(DISTINCT)
    manifest = scratch / "large.csv"
    write_avi(scratch / "large.avi", noisy(scene, count), rate=25, codec="ffv1")
    _list(manifest, scene.stars[TARGET], ["large.avi"])
    size = (scratch / "large.avi").stat().st_size
    record = Record(
        "campaign_large",
        {"frames": count, "pixels": f"{scene.width} x {scene.height}, 8 bit", "codec": "FFV1", "bytes": size},
    )
    one, two = [], []
    for number in range(min(ROUNDS, repetitions)):
        one.append(ran(manifest, scratch / f"one{number}", 1, 1))
        if allowed_cores() > 1:
            two.append(ran(manifest, scratch / f"two{number}", 2, 2))
    record.timed = [_timed("one worker", one, count), *([_timed("two workers", two, count)] if two else [])]
    if two:
        gain = min(r.working_s for r in one) / min(r.working_s for r in two)
        record.targets.append(Target("one FFV1 recording, faster on 2 cores by", GAIN, gain))
    (scratch / "large.avi").unlink()
    shortest = SHORTEST if frames is None else max(40, frames // 16)
    found = _memory(scratch, shortest)
    declared = RECORDING_BYTES / 2**20
    record.values = {"declared, MiB": declared, "most memory of a worker, MiB": found}
    record.targets += [
        Target(f"most memory of a worker, {what}, MiB", declared, max(peaks.values()), at_least=False)
        for what, peaks in found.items()
    ]
    return record


def noisy(scene: Scene, count: int) -> Iterator[NDArray[Any]]:
    """Rendered frames again and again, each with a noise of its own, so that none is like another."""
    pixels = render(replace(scene, occultations=()))
    rng = np.random.default_rng(5)
    patterns = rng.integers(0, 3, (16, pixels[0].size), pixels.dtype)
    for number in range(count):
        shift = int(rng.integers(pixels[0].size))
        yield pixels[number % len(pixels)] + np.roll(patterns[number % 16], shift).reshape(pixels[0].shape)


def _timed(name: str, runs: list[Ran], frames: int) -> Timed:
    timed = Timed(
        name, "umbra campaign run: the order to its result; processor time of all processes", frames
    )
    timed.wall_s = [r.working_s for r in runs]
    timed.cpu_s = [r.cpu_s for r in runs]
    return timed


def _list(manifest: Path, star: SceneStar, names: list[str]) -> None:
    target = f"{star.x:.0f},{star.y:.0f}"
    rows = [{"station": name.replace("/", "-"), "input": name, "target": target} for name in names]
    write_manifest(manifest, rows, True)


def _memory(scratch: Path, shortest: int) -> dict[str, dict[str, float]]:
    """Most memory of any worker for each format and length, MiB; two workers, which share the large ones."""
    scene = replace(field_scene(DISTINCT), height=240, width=320, stars=_within(240, 320))
    writers: dict[str, Callable[[Path, int], None]] = {
        "SER": lambda path, count: write_ser(path, noisy(scene, count), stamps_ns=_stamps(scene, count)),
        "FFV1": lambda path, count: write_avi(path, noisy(scene, count), rate=25, codec="ffv1"),
    }
    found: dict[str, dict[str, float]] = {kind: {} for kind in writers}
    for kind, write in writers.items():
        for times in LENGTHS:
            path = scratch / f"{kind}{times}.{'avi' if kind == 'FFV1' else 'ser'}"
            write(path, times * shortest)
            manifest = scratch / f"{kind}{times}.csv"
            _list(manifest, scene.stars[0], [path.name])
            run = ran(manifest, scratch / f"{kind}{times}", 2, allowed_cores(), peaks=True)
            found[kind][f"{times * shortest} frames, {path.stat().st_size >> 20} MiB"] = round(
                max(run.peaks.values()), 1
            )
            path.unlink()
    return found


def _within(height: int, width: int) -> tuple[SceneStar, ...]:
    """Stars of the field that stand within smaller frames, the one to be measured first."""
    scene, margin = field_scene(DISTINCT), 30.0
    inside = [s for s in scene.stars if margin < s.x < width - margin and margin < s.y < height - margin]
    return tuple(sorted(inside, key=lambda star: -star.flux_e))


def _stamps(scene: Scene, count: int) -> NDArray[np.int64]:
    step = round(scene.cadence_s * 1e9)
    return scene.start_ns + np.arange(count, dtype=np.int64) * step
