"""Automatic gain: told from clouds, twilight and quiet skies."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.autogain import noise_of
from reduction.caveats import Caveat
from reduction.result import ReductionResult
from reduction.run import reduce
from reduction.synthetic import Scene
from tests.recordings import SMALL
from tests.reduction.surveyed import Altered, held, plan_of, to_curve

FRAMES = 80
SCENE = replace(SMALL, frames=FRAMES, occultations=(), offset_adu=100.0, gain_e_per_adu=0.5)
CLOUD = ((0.0, 1.0), (0.3, 0.3), (0.6, 0.8), (1.0, 0.5))


def amplified(scene: Scene, gain: NDArray[Any]) -> Altered:
    """The recording of a camera that multiplied all but its offset by `gain`, frame by frame."""
    stack = held(scene)
    values = 100.0 + (stack.pixels - 100.0) * gain[:, None, None]
    return Altered(stack.source, np.rint(values).astype(np.uint16))


def notes_of(stack: Any, scene: Scene, folder: Path) -> dict[Caveat, str]:
    result: ReductionResult = reduce(to_curve(plan_of(scene)), stack, folder)
    return {note.caveat: note.message for note in result.notes}


def test_noise_of_an_image() -> None:
    rng = np.random.default_rng(1)
    x = np.linspace(0.0, 400.0, 300)  # a gradient does not count
    image = x + rng.normal(0.0, 7.0, (200, 300))
    image[50:60, 50:60] += 5000.0
    assert noise_of(image) == pytest.approx(7.0, rel=0.05)


@pytest.mark.parametrize("shape", ["steps", "slow"])
def test_a_gain_that_changes_is_said(shape: str, tmp_path: Path) -> None:
    number = np.arange(FRAMES)
    gain = 1.0 + 0.5 * (number // 20) if shape == "steps" else 1.0 + 0.4 * np.sin(number / 15.0)
    said = notes_of(amplified(SCENE, gain), SCENE, tmp_path)
    assert "rise and fall together" in said[Caveat.AUTOMATIC_GAIN]
    if shape == "steps":
        assert "factor of 2.5" in said[Caveat.AUTOMATIC_GAIN]


@pytest.mark.parametrize("name", ["clear", "cloud", "dark sky in cloud"])
def test_what_is_no_gain(name: str, tmp_path: Path) -> None:
    scene = {
        "clear": SCENE,
        "cloud": replace(SCENE, transparency=CLOUD),
        "dark sky in cloud": replace(SCENE, transparency=CLOUD, sky_e=2.0, read_noise_e=1.0),
    }[name]
    assert Caveat.AUTOMATIC_GAIN not in notes_of(held(scene), scene, tmp_path)


def test_a_sky_that_dims_with_the_stars(tmp_path: Path) -> None:
    """Exposures that grow: photon noise goes with the square root, gain in proportion."""
    number = np.arange(FRAMES)
    light = 1.0 + 0.5 * np.sin(number / 15.0)
    pixels = np.empty((FRAMES, SCENE.height, SCENE.width), np.uint16)
    for k in number:
        stars = tuple(replace(star, flux_e=star.flux_e * light[k]) for star in SCENE.stars)
        pixels[k] = replace(SCENE, stars=stars, sky_e=SCENE.sky_e * light[k]).frame(int(k))
    stack = Altered(held(SCENE).source, pixels)
    assert Caveat.AUTOMATIC_GAIN not in notes_of(stack, SCENE, tmp_path)
