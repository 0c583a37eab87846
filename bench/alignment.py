"""Where a frame lies: time per frame and error against the truth."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import peers
from bench.record import Record
from bench.recordings import SPARSE_STARS, field_scene, render, setting
from bench.timing import Case, interleave
from reduction.plan import Position, ReductionPlan
from reduction.run import default_block
from reduction.scan import scan
from reduction.survey import Survey, survey
from reduction.synthetic import Scene, SceneSource, shift_bound_px
from reduction.tracking import Tracker
from reduction.view import View

Frames = NDArray[Any]
Floats = NDArray[np.float64]
SLOW = 40
"""Frames that a peer gets which takes more than ten milliseconds a frame."""


def alignment(_scratch: Path, frames: int | None, repetitions: int) -> Record:
    """Umbra's Tracker against astroalign, scikit-image and OpenCV, in memory."""
    scene = field_scene(frames or 400)
    pixels = render(scene)
    found = _survey(scene)
    tracker = Tracker(found.field)
    few = min(SLOW, scene.frames)
    reference = pixels[0]
    aligns: dict[str, tuple[str, int, peers.Align]] = {
        "umbra": (
            "Tracker.place, up to 16 guides chosen by itself",
            scene.frames,
            partial(_place, tracker),
        ),
        "astroalign": ("find_transform(reference, frame)", few, peers.astroalign_shift(reference)),
        "astroalign, reference points": (
            "find_transform(points, frame), reference's stars found once",
            few,
            peers.astroalign_points_shift(reference),
        ),
        "scikit-image, 10": (
            "phase_cross_correlation, float32, upsampling 10",
            few,
            peers.skimage_shift(reference, 10),
        ),
        "scikit-image, 100": (
            "phase_cross_correlation, float32, upsampling 100",
            few,
            peers.skimage_shift(reference, 100),
        ),
        "scikit-image, plain 10": (
            "plain correlation, spectrum of the reference kept, upsampling 10",
            few,
            peers.skimage_spectrum_shift(reference, 10),
        ),
        "opencv": ("phaseCorrelate, float32", few, peers.opencv_shift(reference)),
    }
    cases = [
        Case(name, what, n, partial(_all, align, pixels[:n])) for name, (what, n, align) in aligns.items()
    ]
    sparse = _sparse_case(few)
    for case in (*cases, sparse):
        case.run()
    record = Record("alignment", setting(scene) | {"frames": scene.frames})
    record.timed = list(interleave([*cases, sparse], repetitions).values())
    record.compare(["umbra"], [case.name for case in cases[1:]])
    guides = _stars_of(scene, found)
    record.values = {
        "error_px": {name: _error(scene, align, pixels, few) for name, (_, _, align) in aligns.items()},
        "bound_px": _bound(scene, guides, few),
        "guides": len(guides),
    }
    return record


def _survey(scene: Scene) -> Survey:
    """Pass 1 of the scene, target named, guides chosen by Umbra."""
    stack = SceneSource(scene, cycle=scene.frames)
    plan = ReductionPlan(target=Position(x=scene.target_star.x, y=scene.target_star.y))
    return survey(View(stack), scan(stack, default_block(stack)), plan)


def _place(tracker: Tracker, frame: Frames) -> peers.Shift:
    placement = tracker.place(frame)
    return placement.transform.tx, placement.transform.ty


def _all(align: Callable[[Frames], peers.Shift], frames: Frames) -> Floats:
    return np.array([align(frame) for frame in frames])


def _error(scene: Scene, align: peers.Align, pixels: Frames, frames: int) -> float:
    """Error of the shift, one axis, rms about its mean: an error of frame 0 is in all of them."""
    first = scene.truth(0)
    truth = np.array([(t.dx - first.dx, t.dy - first.dy) for t in (scene.truth(i) for i in range(1, frames))])
    error = _all(align, pixels[1:frames]) - truth
    return round(float(np.sqrt(np.mean(error.var(axis=0)))), 5)


def _bound(scene: Scene, guides: list[int], frames: int) -> float:
    """Cramer-Rao bound from the guides, one axis, rms over the same frames."""
    bound = shift_bound_px(scene, guides, range(1, frames))
    return round(float(np.sqrt(np.mean(bound**2))), 5)


def _stars_of(scene: Scene, found: Survey) -> list[int]:
    """Stars of the scene that Umbra took as guides."""
    x = np.array([star.x for star in scene.stars])
    y = np.array([star.y for star in scene.stars])
    return [int(np.argmin(np.hypot(x - u, y - v))) for u, v in zip(found.field.u, found.field.v, strict=True)]


def _sparse_case(frames: int) -> Case:
    """astroalign where there is little to match: it alone depends on the number of stars."""
    scene = field_scene(frames, stars=SPARSE_STARS)
    pixels = render(scene)
    run = partial(_all, peers.astroalign_shift(pixels[0]), pixels)
    return Case(
        f"astroalign, {SPARSE_STARS} stars", "find_transform(reference, frame), sparse field", frames, run
    )
