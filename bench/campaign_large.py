"""One large FFV1 recording as a campaign, shared by two workers on two cores against one on one."""

from collections.abc import Iterator
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
from cluster.campaign.manifest import write_manifest
from ingest.writers import write_avi
from reduction.synthetic import Scene, SceneStar

FRAMES = 12000
ROUNDS = 2
GAIN = 1.7
DISTINCT = 64


def campaign_large(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Each run in a process of its own, with its own store; one core and two in turn."""
    count = frames or FRAMES
    scene = field_scene(DISTINCT)
    manifest = scratch / "large.csv"
    write_avi(scratch / "large.avi", noisy(scene, count), rate=25, codec="ffv1")
    listed(manifest, scene.stars[TARGET], ["large.avi"])
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
    record.values = {
        "whole command, s": {
            name: round(min(r.wall_s for r in runs), 2) for name, runs in (("one", one), ("two", two)) if runs
        }
    }
    record.timed = [_timed("one worker", one, count), *([_timed("two workers", two, count)] if two else [])]
    if two:
        gain = min(r.working_s for r in one) / min(r.working_s for r in two)
        record.targets.append(Target("one FFV1 recording, faster on 2 cores by", GAIN, gain))
    return record


def noisy(scene: Scene, count: int) -> Iterator[NDArray[Any]]:
    """Rendered frames again and again, each with noise of its own, so that none is like another."""
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


def listed(manifest: Path, star: SceneStar, names: list[str]) -> None:
    """Write a manifest of recordings of one target."""
    target = f"{star.x:.0f},{star.y:.0f}"
    rows = [{"station": name.replace("/", "-"), "input": name, "target": target} for name in names]
    write_manifest(manifest, rows, True)
