"""The demo's campaign: one asteroid, one star, three stations, everything known."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ingest.writers import write_avi, write_fits_sequence, write_ser, write_times_csv
from reduction.synthetic import Bump, CalibrationKind, Occultation, Scene, star_field

MID_EVENT_NS = 1_773_523_052_400_000_000  # 2026-03-14T21:17:32.4Z
DEPTH = 0.901  # the asteroid is 2.4 mag fainter than the star
CALIBRATION_FRAMES = 16

Container = Literal["SER", "FITS", "AVI"]


@dataclass(frozen=True, slots=True)
class Asteroid:
    """A round body: its radius and the speed of its shadow."""

    radius_km: float = 22.0
    speed_km_s: float = 14.0

    def half_duration_s(self, chord_km: float) -> float:
        """Half of the time that the star is hidden, `chord_km` from the centre."""
        return math.sqrt(self.radius_km**2 - chord_km**2) / self.speed_km_s


@dataclass(frozen=True, slots=True)
class DemoStation:
    """An observer: where the chord runs, and what was recorded.

    `chord_km` is the distance of the chord from the centre, `mid_ns` the UTC of its middle.
    """

    key: str
    title: str
    container: Container
    chord_km: float
    mid_ns: int
    scene: Scene

    @property
    def event(self) -> Occultation:
        """The true event, on the scene's clock."""
        return self.scene.occultations[0]

    def event_ns(self) -> tuple[int, int]:
        """True UTC of disappearance and reappearance, nanoseconds."""
        start = self.scene.start_ns
        return start + round(self.event.disappear_s * 1e9), start + round(self.event.reappear_s * 1e9)


@dataclass(frozen=True, slots=True)
class Recording:
    """Files of a station: what `umbra reduce` is given."""

    path: Path
    times: Path | None = None
    bias: Path | None = None
    dark: Path | None = None
    flat: Path | None = None


ASTEROID = Asteroid()


def demo_stations(frames: int) -> tuple[DemoStation, DemoStation, DemoStation]:
    """Return the three stations, north to south.

    Parameters
    ----------
    frames : int
        Frames of each recording; the event lies in the middle.
    """
    return (_ser_station(frames), _fits_station(frames), _avi_station(frames))


def _ser_station(frames: int) -> DemoStation:
    scene = Scene(
        frames=frames,
        height=288,
        width=384,
        seed=41,
        stars=star_field(12, 288, 384, seed=6, flux_e=(1.5e3, 6e4), margin_px=45.0, separation_px=36.0),
        target=8,
        drift_px=(23.0, -10.0),
        wind_px=0.5,
        fwhm_px=3.2,
        seeing_rms=0.06,
        sky_e=140.0,
        gain_e_per_adu=0.8,
        read_noise_e=2.5,
        offset_adu=200.0,
        cadence_s=0.04,
        exposure_s=0.04,
    )
    return _station("A", "16-bit SER with a time trailer; 25 px of drift, wind", "SER", 15.0, -840, scene)


def _fits_station(frames: int) -> DemoStation:
    scene = Scene(
        frames=frames,
        height=240,
        width=320,
        seed=42,
        stars=star_field(10, 240, 320, seed=13, flux_e=(4e3, 9e4), margin_px=40.0, separation_px=34.0),
        target=7,
        drift_px=(-4.0, 6.0),
        rotation_deg=0.4,
        transparency=(
            (0.0, 1.0),
            (0.2, 0.95),
            (0.33, 0.28),
            (0.42, 0.7),
            (0.6, 0.9),
            (0.72, 0.4),
            (0.85, 1.0),
        ),
        fwhm_px=2.8,
        sky_e=160.0,
        dark_e=40.0,
        gain_e_per_adu=1.2,
        read_noise_e=4.0,
        vignetting=0.35,
        pixel_rms=0.01,
        hot_pixels=60,
        hot_e=2500.0,
        cadence_s=0.06,
        exposure_s=0.05,
    )
    return _station("B", "FITS sequence; passing cloud; bias, dark and flat frames", "FITS", 2.0, 0, scene)


def _avi_station(frames: int) -> DemoStation:
    scene = Scene(
        frames=frames,
        height=288,
        width=384,
        seed=43,
        stars=star_field(10, 288, 384, seed=21, flux_e=(3e3, 4.2e4), margin_px=52.0, separation_px=40.0),
        target=8,
        bumps=(Bump(int(frames * 0.7), 34.0, -21.0),),
        wind_px=0.3,
        fwhm_px=4.0,
        sky_e=170.0,
        gain_e_per_adu=12.5,
        read_noise_e=6.0,
        offset_adu=9.0,
        bit_depth=8,
        cadence_s=0.04,
        exposure_s=0.04,
    )
    return _station("C", "8-bit AVI with a times file; telescope knocked by 40 px", "AVI", -12.0, 1370, scene)


def _station(
    key: str, title: str, container: Container, chord_km: float, late_ms: int, scene: Scene
) -> DemoStation:
    """Put the event into the middle of a scene: `late_ms` after the campaign's mid-event."""
    mid_ns = MID_EVENT_NS + late_ms * 1_000_000
    mid_s = round(scene.frames * scene.cadence_s / 2.0, 1)
    half = ASTEROID.half_duration_s(chord_km)
    placed = replace(
        scene,
        start_ns=mid_ns - round(mid_s * 1e9),
        occultations=(Occultation(mid_s - half, mid_s + half, DEPTH),),
    )
    return DemoStation(key, title, container, chord_km, mid_ns, placed)


def record(station: DemoStation, folder: Path) -> Recording:
    """Write a station's recording into `folder`; stamps name the start of exposure."""
    scene, key = station.scene, station.key
    frames = (scene.frame(i) for i in range(scene.frames))
    stamps = scene.frame_start_ns(np.arange(scene.frames))
    if station.container == "SER":
        path = folder / f"{key}.ser"
        write_ser(path, frames, stamps_ns=stamps, observer=f"Station {key}", instrument="synthetic")
        return Recording(path)
    if station.container == "AVI":
        path = folder / f"{key}.avi"
        write_avi(path, frames, rate=1.0 / scene.cadence_s)
        write_times_csv(folder / f"{key}-times.csv", stamps, scene.exposure_s)
        return Recording(path, times=folder / f"{key}-times.csv")
    write_fits_sequence(
        folder / key,
        frames,
        stamps_ns=stamps,
        exposure_s=scene.exposure_s,
        gain_e_per_adu=scene.gain_e_per_adu,
        read_noise_e=scene.read_noise_e,
        header={"OBSERVER": f"Station {key}"},
    )
    kinds: tuple[CalibrationKind, ...] = ("bias", "dark", "flat")
    for kind in kinds:
        write_fits_sequence(
            folder / f"{key}-{kind}",
            (scene.calibration_frame(kind, i) for i in range(CALIBRATION_FRAMES)),
            exposure_s=scene.exposure_s,
            image_type=kind.upper(),
            stem=kind,
        )
    masters = {kind: folder / f"{key}-{kind}" for kind in kinds}
    return Recording(folder / key, bias=masters["bias"], dark=masters["dark"], flat=masters["flat"])
