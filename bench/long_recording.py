"""A long recording, made quickly: rendered frames there and back again, new noise on each.

`KEPT` frames of a drifting field are rendered; the recording runs through them forwards and backwards,
so that nothing jumps but the wind. Each recorded frame gets noise of its own on top, 0 or 1 ADU per
pixel by chance (mean 0.5, variance 0.25 ADU^2, as more read noise of 0.5 ADU would be): no two frames are
equal, and neighbours do not share their noise.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.recordings import CADENCE_S, field_scene, render
from ingest.writers import write_fits_sequence, write_ser
from reduction.synthetic import Occultation, Scene

KEPT = 600
PATTERNS = 16
MASTERS = 9
EVENT_AT = 0.6


def calibrated_scene(frames: int) -> Scene:
    """The field of the benches, seen by a camera that needs calibration, as long as what is rendered."""
    length = min(KEPT, frames)
    return dataclasses.replace(
        field_scene(length),
        occultations=(),
        dark_e=24.0,
        vignetting=0.25,
        pixel_rms=0.02,
        hot_pixels=150,
        hot_e=400.0,
    )


def long_recording(path: Path, scene: Scene, frames: int) -> Path:
    """Write `frames` frames as SER, with one event."""
    hidden = dataclasses.replace(
        scene, occultations=(Occultation(-1.0, scene.frames * CADENCE_S + 1.0, 0.9),)
    )
    clear, dark = render(scene), render(hidden, max(1, min(scene.frames, frames // 20)))
    stamps = scene.start_ns + (np.arange(frames) * round(CADENCE_S * 1e9)).astype(np.int64)
    write_ser(path, _frames(clear, dark, frames), stamps_ns=stamps)
    return path


def _frames(clear: NDArray[Any], dark: NDArray[Any], frames: int) -> Iterator[NDArray[Any]]:
    rng = np.random.default_rng(11)
    noise = rng.integers(0, 2, (PATTERNS, clear[0].size), clear.dtype)
    kept = clear.shape[0]
    period = max(1, 2 * kept - 2)
    # the event begins where the recording passes rendered frame 0
    begin = round(EVENT_AT * frames / period) * period if frames > period else round(EVENT_AT * frames)
    out = np.empty_like(clear[0])
    for i in range(frames):
        at = i % period
        at = at if at < kept else period - at
        source = clear
        if begin <= i < begin + dark.shape[0] and at < dark.shape[0]:
            source = dark
        pattern, shift = rng.integers(PATTERNS), int(rng.integers(noise.shape[1]))
        flat, base = out.reshape(-1), source[at].reshape(-1)
        np.add(base[shift:], noise[pattern][: base.size - shift], out=flat[shift:])
        np.add(base[:shift], noise[pattern][base.size - shift :], out=flat[:shift])
        yield out


def master_frames(folder: Path, scene: Scene) -> dict[str, Path]:
    """Write dark and flat frames of the scene's camera as FITS."""
    found = {}
    for kind in ("dark", "flat"):
        found[kind] = folder / kind
        frames = (scene.calibration_frame(kind, k) for k in range(MASTERS))
        write_fits_sequence(found[kind], frames, exposure_s=scene.exposure_s, image_type=kind.upper())
    return found
