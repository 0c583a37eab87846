"""Burnt-in digits: found where there are some, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from reduction.overlay import Line, find_overlay, masked, text_lines
from reduction.synthetic import Overlay, Scene, SceneStar, star_field
from tests.sample_data import sample
from tests.scenes.hard_scenes import HARD, VIDEO
from tests.scenes.scenes import SCENES

Frames = list[NDArray[np.uint8]]


def sampled(scene: Scene, count: int = 8) -> list[NDArray[np.uint16]]:
    """Frames evenly spread over a scene."""
    return [scene.frame(int(k)) for k in np.linspace(0, scene.frames - 1, count)]


@pytest.mark.parametrize("boxed", [False, True])
@pytest.mark.parametrize(("dots", "soft"), [(1, 0.0), (2, 0.0), (2, 0.8), (3, 0.5)])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_every_digit_lies_under_the_mask(boxed: bool, dots: int, soft: float, level: float) -> None:
    digits = Overlay(x=11, y=200, dot_px=dots, boxed=boxed, soft_px=soft, level=level)
    scene = replace(VIDEO, width=400, drift_px=(30.0, 20.0), overlay=digits, frames=80)
    plain = replace(scene, overlay=None)
    frames = sampled(scene)
    lines = find_overlay(frames)
    mask = masked(lines, (scene.height, scene.width))
    assert mask.any()
    for k in (0, 17, 63):  # frames that were not looked at, too
        changed = np.abs(scene.frame(k).astype(int) - plain.frame(k)) > 20
        assert not (changed & ~mask).any()
    rows, columns = np.nonzero(mask)
    assert rows.min() >= 200 - 4 - 3 * dots
    assert rows.max() <= 200 + 7 * dots + 4 + 3 * dots
    assert columns.max() <= 11 + 20 * 6 * dots + 12 * dots


def test_two_lines_are_two_boxes() -> None:
    frames = sampled(replace(VIDEO, overlay=Overlay(x=10, y=10)))
    below = sampled(replace(VIDEO, seed=9, overlay=Overlay(x=30, y=200)))
    both = [np.maximum(a, b) for a, b in zip(frames, below, strict=True)]
    lines = find_overlay(both)
    assert len(lines) == 2
    for line, first in zip(lines, (10, 200), strict=True):
        assert line.top < first
        assert line.bottom > first + 13


@pytest.mark.parametrize("name", [*HARD, *SCENES])
def test_ordinary_scenes_have_none(name: str) -> None:
    scene = {**HARD, **SCENES}[name].scene
    assert find_overlay(sampled(replace(scene, overlay=None))) == ()


@pytest.mark.parametrize("fwhm", [1.2, 3.0, 6.0])
@pytest.mark.parametrize("drift", [(0.0, 0.0), (60.0, 0.0)])
def test_crowds_of_saturated_stars_are_no_text(fwhm: float, drift: tuple[float, float]) -> None:
    stars = star_field(150, 480, 640, seed=3, flux_e=(2e4, 3e7), separation_px=12.0)
    crowd = replace(VIDEO, height=480, width=640, stars=stars, fwhm_px=fwhm, drift_px=drift, wind_px=0.0)
    assert find_overlay(sampled(crowd)) == ()


def test_a_row_of_equal_stars_is_no_text() -> None:
    row = tuple(SceneStar(30.0 + 14.0 * k, 120.0, 5e5) for k in range(18))
    assert find_overlay(sampled(replace(VIDEO, stars=row, wind_px=0.0))) == ()


def test_text_on_one_frame_alone_is_not_burnt_in() -> None:
    frames = sampled(replace(VIDEO, overlay=None))
    frames[3] = replace(VIDEO, overlay=Overlay(x=10, y=10)).frame(100)
    assert text_lines(frames[3])
    assert find_overlay(frames) == ()


def test_frames_of_nothing_have_none() -> None:
    assert find_overlay([]) == ()
    assert find_overlay([np.zeros((40, 60), np.uint8)] * 4) == ()
    assert find_overlay([np.full((40, 60), np.nan, np.float32)] * 4) == ()
    assert masked((), (4, 5)).size == 0
    assert masked((Line(1, 2, 0, 3),), (4, 5)).sum() == 3


@pytest.mark.parametrize("folder", ["002", "004", "005_tvsafe", "007", "009", "011_tvsafe"])
def test_lines_of_a_real_inserter(folder: str) -> None:
    """Strips of IOTA-VTI fields (stored as ink on white), put together to frames over a noisy sky."""
    files = sorted(sample(f"vti/{folder}").glob("*.bmp"))
    rng = np.random.default_rng(7)
    frames: Frames = []
    for even, odd in zip(files[0::2], files[1::2], strict=False):
        strips = [255 - np.asarray(Image.open(path).convert("L")) for path in (even, odd)]
        height, width = strips[0].shape
        frame = np.clip(rng.normal(22.0, 5.0, (480, width)), 0, 255).astype(np.uint8)
        for k, strip in enumerate(strips):
            frame[400 + k : 400 + 2 * height : 2] = np.maximum(strip, frame[400 + k : 400 + 2 * height : 2])
        frames.append(frame)
    (line,) = find_overlay(frames)
    mask = masked((line,), frames[0].shape)
    ink = np.max(frames, axis=0) > 200
    labels, _ = ndimage.label(ink & ~mask)  # specks of the strips' edges
    assert all(rows.stop - rows.start < 10 for rows, _ in ndimage.find_objects(labels))
    assert (ink & mask).sum() > 0.9 * ink.sum()
    assert line.top >= 390
