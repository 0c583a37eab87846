"""Whole recordings read and solved, and how their times compare with the truth."""

from dataclasses import dataclass

import numpy as np

from ingest.burnt_in import read_burnt_in
from ingest.ocr.options import vti_options
from ingest.ocr.stamps import BurntIn
from tests.ingest.ocr.inserters import Recording, Scene

MIDNIGHT_NS = 1_769_817_600_000_000_000
DATE = "2026-01-31"


@dataclass(frozen=True)
class Outcome:
    """Of a scene: shares of frames; `wrong` counts frames that are wrong and not flagged."""

    found: BurntIn
    raw: float
    exact: float
    flagged: float
    wrong: int


def outcome(scene: Scene, model: str = "auto") -> Outcome:
    """Read a scene; a time is exact within the last digit that is shown."""
    vti = vti_options(model, DATE)
    assert vti is not None
    recording = Recording(scene)
    found = read_burnt_in(recording, vti)
    truth = scene.shown_s(scene.numbers)
    away = (found.stamps.stamp_ns - MIDNIGHT_NS) * 1e-9 - truth
    right = np.abs(away) <= 1.01 * scene.unit_s()
    flagged = found.unsure | found.mixed
    return Outcome(
        found=found,
        raw=float((~found.repaired).mean()),
        exact=float(right.mean()),
        flagged=float(flagged.mean()),
        wrong=int((~right & ~flagged).sum()),
    )


def scenes(count: int = 20, frames: int = 500) -> list[Scene]:
    """Scenes of the study: models, NTSC and PAL, both positions, noise, compression, drops and repeats."""
    out = []
    for k in range(count):
        rng = np.random.default_rng([2026, k])
        ntsc = k % 2 == 0
        places = np.sort(rng.choice(np.arange(5, frames - 5), 6, replace=False))
        jumps = {int(p): int(rng.choice([2, 4, -2, 10])) for p in places} if k % 5 != 4 else {}
        out.append(
            Scene(
                model=("iota", "kiwi", "gps-boxsprite", "ghs")[k // 2 % 4],
                height=480 if ntsc else 576,
                width=640 if ntsc else 720,
                frames=frames,
                seed=100 + k,
                noise=float(rng.uniform(3, 22)),
                strength=float(rng.uniform(110, 200)),
                quality=None if rng.random() < 0.5 else int(rng.integers(60, 95)),
                safe=bool(rng.random() < 0.5),
                top_first=bool(rng.random() < 0.5),
                box=k % 3 == 1,
                outline=k % 3 == 2,
                start_s=float(rng.uniform(0, 86_399.0)) if k != 7 else 86_399.5,
                drift_ppm=float(rng.uniform(-60, 60)),
                count=int(rng.integers(1_000, 900_000)),
                jumps=jumps,
            )
        )
    return out
