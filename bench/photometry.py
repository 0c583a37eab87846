"""Four stars, one radius, known places: time per frame, and how well the sums agree."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from photutils.aperture import CircularAperture

from bench import peers
from bench.record import Record, Target
from bench.recordings import NAMED, RADIUS_PX, SKY_PX, field_scene, render, setting
from bench.timing import Case, interleave
from gpu_kernels.photometry import aperture_sums, measure

Frames = NDArray[Any]
Floats = NDArray[np.float64]
BLOCK = 64
RADII = np.array([RADIUS_PX])


def photometry(_scratch: Path, frames: int | None, repetitions: int) -> Record:
    """`gpu_kernels.photometry.measure` against photutils and sep, on frames in memory."""
    scene = field_scene(frames or 1_000)
    pixels = render(scene)
    places = np.array(
        [[(t.x[s], t.y[s]) for s in NAMED] for t in (scene.truth(i) for i in range(scene.frames))]
    )
    few, many = min(200, scene.frames), scene.frames
    methods: dict[str, tuple[str, int, Callable[[Frames, Floats], Floats]]] = {
        "umbra": ("measure, exact circles, clipped-mean sky, 64 frames a call", many, _umbra),
        "photutils, table": (
            "aperture_photometry and sigma_clipped_stats",
            few,
            partial(_peer, peers.photutils_table(RADIUS_PX, SKY_PX)),
        ),
        "photutils, stats": (
            "ApertureStats, sigma-clipped annulus",
            few,
            partial(_peer, peers.photutils_stats(RADIUS_PX, SKY_PX)),
        ),
        "photutils, lean": (
            "do_photometry, one clip of the annulus by hand",
            few,
            partial(_peer, peers.photutils_lean(RADIUS_PX, SKY_PX)),
        ),
        "sep": (
            "sum_circle with bkgann (plain mean), 5x5 subpixels",
            many,
            partial(_peer, peers.sep_annulus(RADIUS_PX, SKY_PX)),
        ),
        "sep, exact": (
            "sum_circle with bkgann (plain mean), exact circles",
            many,
            partial(_peer, peers.sep_exact(RADIUS_PX, SKY_PX)),
        ),
    }
    cases = [
        Case(name, what, n, partial(method, pixels[:n], places[:n]))
        for name, (what, n, method) in methods.items()
    ]
    for case in cases:
        case.run()
    record = Record("photometry", setting(scene) | {"frames": scene.frames})
    record.timed = list(interleave(cases, repetitions).values())
    record.compare(["umbra"], [case.name for case in cases[1:]])
    record.values = {
        "largest_difference_of_sums_from_photutils": _disagreement(pixels[:few], places[:few]),
        "flux_error_rms_adu": {
            name: _flux_error(method(pixels[:few], places[:few]), scene.target_light(np.arange(few)))
            for name, (_, _, method) in methods.items()
        },
    }
    record.targets = [
        Target("photometry against photutils", 20.0, record.found("umbra", "photutils, table")),
        Target("photometry against sep", 2.0, record.found("umbra", "sep")),
    ]
    return record


def _umbra(frames: Frames, places: Floats) -> Floats:
    flux = np.empty(places.shape[:2])
    for start in range(0, len(frames), BLOCK):
        at = slice(start, start + BLOCK)
        flux[at] = measure(frames[at], places[at, :, 0], places[at, :, 1], RADII, *SKY_PX).flux[:, :, 0]
    return flux


def _peer(method: peers.Measure, frames: Frames, places: Floats) -> Floats:
    return np.array([method(frame, at) for frame, at in zip(frames, places, strict=True)])


def _disagreement(frames: Frames, places: Floats) -> float:
    """Largest difference of an aperture sum from photutils' exact one, relative to the sum."""
    ours, _ = aperture_sums(frames, places[:, :, 0], places[:, :, 1], RADII)
    theirs = np.array(
        [
            CircularAperture(at, RADIUS_PX).do_photometry(frame.astype(np.float64), method="exact")[0]
            for frame, at in zip(frames, places, strict=True)
        ]
    )
    return float(np.max(np.abs(ours[:, :, 0] - theirs) / theirs))


def _flux_error(flux: Floats, light: Floats) -> float:
    """Standard deviation of a star's flux over frames on which it is constant, mean of the stars."""
    return round(float(flux[light == 1.0].std(axis=0).mean()), 4)
