"""The scenes that a reduction must get right, each with what is peculiar to it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ingest.writers import write_fits_sequence, write_ser
from reduction.result import Flag
from reduction.synthetic import Bump, Occultation, Scene, SceneStar

FRAMES = 600
CADENCE_S = 0.05
LENGTH_S = FRAMES * CADENCE_S

TARGET = SceneStar(140.3, 110.7, 9_000.0)
COMPARISONS = (
    SceneStar(70.2, 60.4, 30_000.0),
    SceneStar(215.6, 75.1, 22_000.0),
    SceneStar(200.8, 160.3, 14_000.0),
    SceneStar(85.7, 165.9, 9_500.0),
    SceneStar(150.1, 55.3, 6_000.0),
    SceneStar(110.4, 140.8, 2_500.0),
)

CLEAR = Scene(
    frames=FRAMES,
    height=216,
    width=288,
    seed=11,
    stars=(TARGET, *COMPARISONS),
    occultations=(Occultation(0.42 * LENGTH_S + 0.013, 0.55 * LENGTH_S + 0.031, 0.85),),
    wind_px=0.3,
    gain_e_per_adu=0.9,
    cadence_s=CADENCE_S,
    exposure_s=CADENCE_S,
)


@dataclass(frozen=True, slots=True)
class SceneCase:
    """A scene, how it is recorded, and the flags it must raise: bit -> frames."""

    scene: Scene
    write: Callable[[Scene, Path], Path]
    flags: tuple[tuple[Flag, tuple[int, ...]], ...] = ()
    saturated: tuple[int, ...] = ()  # stars of the scene that saturate
    options: tuple[tuple[str, Any], ...] = ()  # of the plan

    @property
    def target_saturated(self) -> bool:
        """Whether the target itself is beyond the detector."""
        return self.scene.target in self.saturated


def little_ser(scene: Scene, folder: Path) -> Path:
    """SER, little-endian, stamps at the start of exposure, the mosaic named in its header."""
    path = folder / "scene.ser"
    frames = map(scene.frame, range(scene.frames))
    write_ser(path, frames, stamps_ns=_stamps(scene), colour=scene.colour)
    return path


def big_ser(scene: Scene, folder: Path) -> Path:
    """SER, big-endian."""
    path = folder / "scene.ser"
    write_ser(path, map(scene.frame, range(scene.frames)), stamps_ns=_stamps(scene), byte_order="big")
    return path


def fits_folder(scene: Scene, folder: Path) -> Path:
    """A folder of FITS files with a full header."""
    write_fits_sequence(
        folder / "scene",
        map(scene.frame, range(scene.frames)),
        stamps_ns=_stamps(scene),
        exposure_s=scene.exposure_s,
        gain_e_per_adu=scene.gain_e_per_adu,
        read_noise_e=scene.read_noise_e,
    )
    return folder / "scene"


def _stamps(scene: Scene) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return scene.frame_start_ns(np.arange(scene.frames))


def _with_star(index: int, flux_e: float) -> tuple[SceneStar, ...]:
    stars = list(CLEAR.stars)
    stars[index] = replace(stars[index], flux_e=flux_e)
    return tuple(stars)


def _unocculted(scene: Scene) -> tuple[int, ...]:
    light = scene.target_light(np.arange(scene.frames))
    return tuple(np.flatnonzero(light == 1.0).tolist())


_SATURATED_TARGET = replace(CLEAR, seed=21, stars=_with_star(0, 600_000.0), full_well_e=30_000.0)

SCENES: dict[str, SceneCase] = {
    "drift": SceneCase(replace(CLEAR, seed=12, drift_px=(23.0, 10.0)), little_ser),
    "eight-bit sky": SceneCase(
        replace(
            CLEAR,
            seed=13,
            bit_depth=8,
            gain_e_per_adu=12.0,
            sky_e=140.0,
            read_noise_e=3.0,
            offset_adu=8.0,
            fwhm_px=3.4,
        ),
        little_ser,
    ),
    "cloud 4:1": SceneCase(
        replace(CLEAR, seed=14, transparency=((0.0, 1.0), (0.15, 0.9), (0.3, 0.25), (0.5, 0.6), (0.7, 1.0))),
        little_ser,
    ),
    "bump of 40 px": SceneCase(
        replace(CLEAR, seed=15, bumps=(Bump(150, 32.0, -24.0), Bump(400, -20.0, 10.0, 60))), little_ser
    ),
    "hidden on frame 0": SceneCase(
        replace(CLEAR, seed=16, drift_px=(8.0, -5.0), occultations=(Occultation(-2.0, 4.017, 0.95),)),
        little_ser,
    ),
    "one comparison star": SceneCase(
        replace(CLEAR, seed=17, stars=(TARGET, COMPARISONS[0]), drift_px=(6.0, 4.0)), little_ser
    ),
    "big-endian": SceneCase(replace(CLEAR, seed=18, drift_px=(4.0, -3.0)), big_ser),
    "FITS, shallow event": SceneCase(
        replace(CLEAR, seed=19, occultations=(Occultation(8.01, 20.02, 0.25),)), fits_folder
    ),
    "saturated star": SceneCase(
        replace(CLEAR, seed=20, stars=_with_star(1, 600_000.0), full_well_e=30_000.0),
        little_ser,
        saturated=(1,),
    ),
    "saturated target": SceneCase(
        _SATURATED_TARGET,
        little_ser,
        flags=((Flag.SATURATED, _unocculted(_SATURATED_TARGET)),),
        saturated=(0,),
    ),
    "repeated and missing frames": SceneCase(
        replace(CLEAR, seed=22, repeated=(50, 51, 200, 451), missing=(100, 101, 350)),
        little_ser,
        flags=((Flag.REPEATED, (50, 51, 200, 451)), (Flag.TIME_GAP, (100, 348))),
    ),
    "wind": SceneCase(replace(CLEAR, seed=23, wind_px=2.0, seeing_rms=0.05), little_ser),
    "rotation": SceneCase(replace(CLEAR, seed=24, rotation_deg=1.0, drift_px=(5.0, 2.0)), little_ser),
}
"""Every scene by name."""
