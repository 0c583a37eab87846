"""Burnt-in times: whole synthetic recordings read and solved against their truth, and lines a second.

``python -m bench vti`` (or ``make vti``): 20 recordings of 500 frames, and again with a fifth of the frames
unreadable.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.inserters import Recording, Scene
from bench.record import Record, Target
from bench.timing import Case, interleave
from ingest.burnt_in import read_burnt_in
from ingest.ocr.cells import read_cells
from ingest.ocr.crop import normalise
from ingest.ocr.network import recogniser
from ingest.ocr.options import vti_options
from ingest.ocr.parse import parse
from ingest.ocr.read import find_overlay_time, sample_frames
from ingest.ocr.stamps import BurntIn

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


def vti(_scratch: Path, frames: int | None, repetitions: int) -> Record:
    """All scenes, clean and with a fifth of the frames unreadable; then the speed of reading."""
    frames = frames or 500
    count = 20 if frames >= 500 else 4
    record = Record("vti", {"recordings": count, "frames": frames})
    kinds = {"clean": 0.0, "a fifth unreadable": 0.2}
    for kind, share in kinds.items():
        found = [
            (scene, outcome(scene)) for scene in (replace(s, spoilt=share) for s in scenes(count, frames))
        ]
        record.values[kind] = {
            "exact, least of a recording": min(one.exact for _, one in found),
            "frames wrong and not flagged": sum(one.wrong for _, one in found),
            "frames flagged": sum(one.flagged for _, one in found) / count,
            "frames read digit for digit": sum(one.raw for _, one in found) / count,
        }
        record.values[f"{kind}, each"] = [_told(scene, one) for scene, one in found]
    clean, spoilt = (record.values[kind] for kind in kinds)
    timed = interleave(_speed(), repetitions)
    record.timed = list(timed.values())
    wrong = "frames wrong and not flagged"
    record.targets = [
        Target("clean: frame times exact, least of a recording", 1.0, clean["exact, least of a recording"]),
        Target(f"clean: {wrong}", 0, clean[wrong], at_least=False),
        Target(f"a fifth unreadable: {wrong}", 0, spoilt[wrong], at_least=False),
        Target("lines read a second, one core", 500.0, timed["read"].frames_per_s),
    ]
    return record


def _told(scene: Scene, found: Outcome) -> dict[str, Any]:
    size = f"{scene.width}x{scene.height}"
    return {
        "scene": f"{scene.model} {size} noise {scene.noise:.0f} of {scene.strength:.0f} JPEG {scene.quality}",
        "exact": found.exact,
        "wrong unflagged": found.wrong,
        "flagged": round(found.flagged, 4),
        "raw": round(found.raw, 4),
    }


def _speed() -> list[Case]:
    """Lines of IOTA-VTI, 640 columns: crop, network, cells and digits; a line is a field's."""
    recording = Recording(Scene(frames=64))
    network = recogniser()
    overlay = find_overlay_time(sample_frames(recording), network)
    assert overlay is not None
    frames = recording.read(0, 64)
    fields = np.concatenate([frames[:, 0::2], frames[:, 1::2]])
    pictures = normalise(fields, overlay.crop)

    def read() -> None:
        columns = network.columns(normalise(fields, overlay.crop))
        parse(read_cells(columns, overlay.cells), overlay.layout)

    return [
        Case("read", "crop, recogniser, cells, digits", len(fields), read),
        Case("recogniser", "forward pass in NumPy", len(fields), lambda: network.columns(pictures)),
        Case("crop", "normalisation of the crop", len(fields), lambda: normalise(fields, overlay.crop)),
    ]
