"""Memory of a campaign's workers against what their tasks declare, by the length of recordings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.campaign_large import DISTINCT, listed, noisy
from bench.campaign_runs import ran
from bench.pinning import allowed_cores
from bench.record import Record, Target
from bench.recordings import field_scene
from cluster.campaign import hands
from ingest.writers import write_avi, write_ser
from reduction.synthetic import Scene, SceneStar

HEIGHT, WIDTH = 240, 320
LENGTHS = (500, 5000, 20000)
MARGIN_PX = 30.0


def campaign_memory(scratch: Path, frames: int | None, _repetitions: int) -> Record:
    """Two workers; a long FFV1 recording is shared by them, and so has a leader and two that work."""
    share = 1.0 if frames is None else frames / LENGTHS[-1]
    scene = replace(field_scene(DISTINCT), height=HEIGHT, width=WIDTH, stars=_within())
    writers: dict[str, Callable[[Path, int], None]] = {
        "SER": lambda path, count: write_ser(path, noisy(scene, count), stamps_ns=_stamps(scene, count)),
        "FFV1": lambda path, count: write_avi(path, noisy(scene, count), rate=25, codec="ffv1"),
    }
    record = Record("campaign_memory", {"pixels": f"{WIDTH} x {HEIGHT}, 8 bit", "workers": 2})
    declared = hands.RECORDING_BYTES / 2**20
    for kind, write in writers.items():
        found: dict[str, float] = {}
        for length in LENGTHS:
            count = max(40, round(share * length))
            path = scratch / f"{kind}{count}.{'avi' if kind == 'FFV1' else 'ser'}"
            write(path, count)
            manifest = scratch / f"{kind}{count}.csv"
            listed(manifest, scene.stars[0], [path.name])
            run = ran(manifest, scratch / f"{kind}{count}", 2, allowed_cores(), peaks=True)
            found[f"{count} frames, {path.stat().st_size >> 20} MiB"] = round(max(run.peaks.values()), 1)
            path.unlink()
        record.values[f"most memory of a worker, {kind}, MiB"] = found
        most = max(found.values())
        record.targets.append(Target(f"most memory of a worker, {kind}, MiB", declared, most, at_least=False))
    return record


def _within() -> tuple[SceneStar, ...]:
    """Stars of the benches' field that stand within smaller frames, the brightest first."""
    inside = [
        star
        for star in field_scene(DISTINCT).stars
        if MARGIN_PX < star.x < WIDTH - MARGIN_PX and MARGIN_PX < star.y < HEIGHT - MARGIN_PX
    ]
    return tuple(sorted(inside, key=lambda star: -star.flux_e))


def _stamps(scene: Scene, count: int) -> NDArray[np.int64]:
    step = round(scene.cadence_s * 1e9)
    return scene.start_ns + np.arange(count, dtype=np.int64) * step
