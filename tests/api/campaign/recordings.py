"""Recordings of the stations, in the paper's formats, whose D and R are known."""

import zipfile
from pathlib import Path

import numpy as np

from ingest.writers import write_avi, write_fits_sequence, write_ser, write_times_csv
from reduction.synthetic import Occultation, Scene, star_field
from tests.api.campaign.truth import Place, edges_ns
from tests.ingest.fstf.writer import Frame, Layout, Recording, write_v2

FRAMES = 120
CADENCE_S = 0.1
DEPTH = 0.9
LARGE = (480, 640)
"""Height and width of the recording that comes to any size."""


def scene_of(place: Place, large_bytes: int = 0) -> Scene:
    """What a station sees: a dozen seconds about its event, or as many as make a large file."""
    number = sum(place.email.encode())
    large = place.kind == "large"
    height, width = LARGE if large else (120, 160)
    frames = max(FRAMES, large_bytes // (2 * height * width)) if large else FRAMES
    eight = place.kind == "avi"
    disappear, reappear = edges_ns(place)
    start = (disappear + reappear) // 2 - round(frames * CADENCE_S * 0.5e9) - number * 1_234_567
    stars = star_field(6, height, width, seed=number, flux_e=(4e3, 2e4), margin_px=26.0, separation_px=26.0)
    return Scene(
        frames=frames,
        height=height,
        width=width,
        seed=number,
        stars=stars,
        target=3,
        start_ns=start,
        occultations=(Occultation((disappear - start) * 1e-9, (reappear - start) * 1e-9, DEPTH),),
        drift_px=(3.0, -2.0),
        wind_px=0.2,
        fwhm_px=3.0,
        sky_e=120.0,
        read_noise_e=4.0,
        gain_e_per_adu=12.0 if eight else 1.0,
        offset_adu=9.0 if eight else 150.0,
        bit_depth=8 if eight else 16,
        cadence_s=CADENCE_S,
        exposure_s=CADENCE_S,
    )


def write(place: Place, folder: Path, large_bytes: int) -> tuple[Path, Path | None]:
    """The station's recording, and the table of its times, where the format has none."""
    scene = scene_of(place, large_bytes)
    frames = (scene.frame(k) for k in range(scene.frames))
    stamps = scene.frame_start_ns(np.arange(scene.frames))
    path = folder / f"{place.email.partition('@')[0]}.{place.kind}"
    if place.kind in {"ser", "large"}:
        path = path.with_suffix(".ser")
        write_ser(path, frames, stamps_ns=stamps, observer=place.name, instrument="synthetic")
        return path, None
    if place.kind == "avi":
        write_avi(path, frames, rate=1 / CADENCE_S)
        table = folder / f"{path.stem}-times.csv"
        write_times_csv(table, stamps, scene.exposure_s)
        return path, table
    if place.kind == "adv":
        pictures = [
            Frame(
                frame,
                utc_ns=int(stamp),
                exposure_s=CADENCE_S,
                ticks=(k * 1_000_000, (k + 1) * 1_000_000),
            )
            for k, (frame, stamp) in enumerate(zip(frames, stamps, strict=True))
        ]
        write_v2(path, Recording(scene.width, scene.height, 16, {1: Layout(bits=16)}, pictures))
        return path, None
    sequence = folder / path.stem
    write_fits_sequence(
        sequence,
        frames,
        stamps_ns=stamps,
        exposure_s=scene.exposure_s,
        gain_e_per_adu=scene.gain_e_per_adu,
        read_noise_e=scene.read_noise_e,
        header={"OBSERVER": place.name},
    )
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in sorted(sequence.iterdir()):
            archive.write(one, f"night/{one.name}")
    return path, None


def target_of(place: Place, large_bytes: int) -> str:
    """X,Y of the target on the first frame."""
    star = scene_of(place, large_bytes).target_star
    return f"{star.x:.0f},{star.y:.0f}"
