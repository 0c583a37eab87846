"""What the stations of the world recorded, with a true event, or none."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from ingest.writers import write_ser
from reduction.synthetic import Scene, star_field
from tests.api.campaign import recordings, truth
from tests.api.campaign.truth import Place
from tests.api.web.cast import ADA, EVA, Member

WIDE = (240, 320)
"""Height and width of what is looked at in the frame viewer."""
FRAMES = 240
CLOUD = (20, 26)
"""Frames, from and to (excluded), on which Eva saw no star."""


def scene_of(member: Member) -> Scene:
    """The recording of a station: Ada's is larger and less calm than those of the end-to-end test."""
    place = placed(member)
    if member is EVA:
        near = recordings.scene_of(truth.PLACES[-1])
        return _wide(replace(near, seed=77, occultations=(), opaque=(CLOUD,)), 150)
    scene = recordings.scene_of(place)
    if member is not ADA:
        return scene
    late = (FRAMES - scene.frames) // 2 * scene.cadence_s
    (event,) = scene.occultations
    moved = replace(event, disappear_s=event.disappear_s + late, reappear_s=event.reappear_s + late)
    shaken = replace(
        scene,
        start_ns=scene.start_ns - round(late * 1e9),
        occultations=(moved,),
        drift_px=(9.0, -6.0),
        wind_px=0.35,
        transparency=((0.0, 1.0), (0.3, 0.93), (0.7, 0.88), (1.0, 0.98)),
        scintillation=0.03,
        hot_pixels=12,
        hot_e=900.0,
    )
    return _wide(shaken, FRAMES)


def _wide(scene: Scene, frames: int) -> Scene:
    height, width = WIDE
    stars = star_field(
        12, height, width, seed=scene.seed, flux_e=(3e3, 6e4), margin_px=34.0, separation_px=30.0
    )
    return replace(scene, height=height, width=width, frames=frames, stars=stars, target=5)


def placed(member: Member) -> Place:
    assert member.place is not None, member.key
    return member.place


def target_of(member: Member) -> dict[str, float]:
    """The target on the first frame."""
    star = scene_of(member).target_star
    return {"x": round(star.x, 1), "y": round(star.y, 1)}


def write(member: Member, folder: Path) -> tuple[Path, Path | None]:
    """The station's recording, and the table of its times, where the format has none."""
    place = placed(member)
    if place.kind == "cut":
        path = folder / "capture_0312.ser"
        path.write_bytes(b"LUCAM-RECORDER" + struct.pack("<7I", 0, 0, 1, 640, 480, 16, 900) + bytes(40))
        return path, None
    if member is ADA or member is EVA:
        scene = scene_of(member)
        path = folder / f"{member.key}.ser"
        stamps = scene.frame_start_ns(np.arange(scene.frames))
        frames = (scene.frame(k) for k in range(scene.frames))
        write_ser(
            path, frames, stamps_ns=stamps, observer=member.key, instrument="synthetic", telescope="C11"
        )
        return path, None
    return recordings.write(place, folder, 0)


def write_field(member: Member, path: Path) -> None:
    """A picture of the field with the target, as observers add one."""
    from PIL import Image

    frame = np.asarray(scene_of(member).frame(0), np.float64)
    low, high = np.percentile(frame, [1.0, 99.8])
    shown = np.clip((frame - low) / (high - low), 0.0, 1.0) ** 0.7 * 255
    Image.fromarray(shown.astype(np.uint8)).resize((640, 480)).save(path)
