"""The recordings that are measured: one field of stars, as SER, FITS sequence, AVI and in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.writers import write_avi, write_fits_sequence, write_ser
from reduction.plan import Position, ReductionPlan, Sky
from reduction.synthetic import Occultation, Scene, star_field

HEIGHT, WIDTH = 480, 640
CADENCE_S = 0.04
FWHM_PX = 3.5
RADIUS_PX = 4.0
SKY_PX = (10.0, 16.0)
TARGET, REFERENCES, GUIDE = 5, (0, 1), 2
NAMED = (TARGET, *REFERENCES, GUIDE)
STARS, SPARSE_STARS = 60, 12
SER_HEADER = 178


def field_scene(frames: int, bits: int = 8, stars: int = STARS) -> Scene:
    """A field as a small camera sees it: drift, wind, one deep event in the second half.

    The number of stars matters to astroalign, which matches triangles among up to 50 of them; the
    others do not see it.
    """
    gain, offset = (4.0, 8.0) if bits == 8 else (1.0, 100.0)
    length = frames * CADENCE_S
    return Scene(
        frames=frames,
        height=HEIGHT,
        width=WIDTH,
        stars=star_field(stars, HEIGHT, WIDTH, seed=7, flux_e=(800.0, 10_000.0), separation_px=16.0),
        seed=3,
        target=TARGET,
        occultations=(Occultation(0.6 * length, 0.7 * length, 0.9),),
        drift_px=(12.0, -7.0),
        wind_px=0.3,
        fwhm_px=FWHM_PX,
        sky_e=200.0,
        gain_e_per_adu=gain,
        offset_adu=offset,
        bit_depth=bits,
        cadence_s=CADENCE_S,
        exposure_s=CADENCE_S,
    )


def named_plan(scene: Scene) -> ReductionPlan:
    """Target, two references and a guide by position; aperture and sky as the peers have them."""

    def at(star: int) -> Position:
        return Position(x=scene.stars[star].x, y=scene.stars[star].y)

    return ReductionPlan(
        target=at(TARGET),
        references=tuple(at(star) for star in REFERENCES),
        guides=(at(GUIDE),),
        aperture_px=RADIUS_PX,
        sky_px=Sky(inner=SKY_PX[0], outer=SKY_PX[1]),
    )


def setting(scene: Scene) -> dict[str, Any]:
    """What a record says of its recording."""
    return {
        "width": scene.width,
        "height": scene.height,
        "dtype": scene.dtype,
        "stars_in_field": len(scene.stars),
        "stars_named": len(NAMED),
        "fwhm_px": scene.fwhm_px,
        "aperture_px": RADIUS_PX,
        "sky_px": list(SKY_PX),
    }


def render(scene: Scene, frames: int | None = None) -> NDArray[Any]:
    """The first frames of a scene in memory."""
    count = scene.frames if frames is None else frames
    out = np.empty((count, scene.height, scene.width), scene.dtype)
    for i in range(count):
        out[i] = scene.frame(i)
    return out


def ser_file(path: Path, scene: Scene) -> Path:
    """Write a scene as SER."""
    write_ser(path, _frames(scene), stamps_ns=_stamps(scene))
    return path


def ser_head(path: Path, whole: Path, scene: Scene, frames: int) -> Path:
    """Write the first frames of a SER file that holds all of `scene`."""
    pixels = np.memmap(
        whole, scene.dtype, "r", SER_HEADER, (scene.frames, scene.height, scene.width)
    )  # fmt: skip
    write_ser(path, iter(pixels[:frames]), stamps_ns=_stamps(scene)[:frames])
    return path


def fits_folder(path: Path, scene: Scene) -> Path:
    """Write a scene as a FITS sequence."""
    write_fits_sequence(path, _frames(scene), stamps_ns=_stamps(scene), exposure_s=scene.exposure_s)
    return path


def avi_file(path: Path, scene: Scene) -> Path:
    """Write a scene as AVI, FFV1."""
    write_avi(path, _frames(scene), rate=1.0 / scene.cadence_s, codec="ffv1")
    return path


def _frames(scene: Scene) -> Iterator[NDArray[Any]]:
    return map(scene.frame, range(scene.frames))


def _stamps(scene: Scene) -> NDArray[np.int64]:
    return scene.frame_start_ns(np.arange(scene.frames))


@dataclass(slots=True)
class SerReader:
    """A SER file as the peers read it: header skipped, one buffer, no copy."""

    path: Path
    scene: Scene

    def __iter__(self) -> Iterator[NDArray[Any]]:
        buffer = np.empty((self.scene.height, self.scene.width), self.scene.dtype)
        with self.path.open("rb", buffering=0) as file:
            file.seek(SER_HEADER)
            for _ in range(self.scene.frames):
                file.readinto(buffer.data)
                yield buffer


@dataclass(slots=True)
class FitsReader:
    """A FITS sequence as the peers read it: ``astropy.io.fits``, one file after the other."""

    folder: Path

    def __iter__(self) -> Iterator[NDArray[Any]]:
        from astropy.io import fits

        for path in sorted(self.folder.iterdir()):
            with fits.open(path, memmap=False) as hdus:
                yield hdus[0].data
