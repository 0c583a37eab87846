"""Bad pixels found from a recording: those there are, and none of a star's."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.defects import Defects, find_defects
from reduction.synthetic import Scene, SceneStar
from reduction.synthetic.camera import sensor
from tests.scenes.hard_scenes import CLEAR, HARD, VIDEO
from tests.scenes.scenes import SCENES

STILL = replace(CLEAR, wind_px=0.1, occultations=())


def sampled(scene: Scene, count: int = 32) -> list[NDArray[np.uint16]]:
    """Frames evenly spread over a scene."""
    return [scene.frame(int(k)) for k in np.linspace(0, scene.frames - 1, count)]


def true_excess(scene: Scene) -> NDArray[np.float64]:
    """Excess of each pixel in ADU: the mean of dark frames tells."""
    dark = np.mean([scene.calibration_frame("dark", k) for k in range(300)], axis=0)
    return np.asarray(dark - np.median(dark), np.float64)


def inner(array: NDArray[Any]) -> NDArray[Any]:
    """Without the two outermost rows and columns, which have not neighbours all around."""
    return array[2:-2, 2:-2]


@pytest.mark.parametrize("drift", [(0.0, 0.0), (5.0, 3.0), (-32.0, 24.0)])
def test_one_percent_of_hot_pixels_is_found_on_any_field(
    drift: tuple[float, float],
) -> None:
    scene = replace(STILL, drift_px=drift, hot_pixels=768, hot_e=400.0, hot_spread=0.5)
    true, found = true_excess(scene), find_defects(sampled(scene))
    hot = inner(true > 30.0)
    treated = inner((found.excess != 0.0) | found.broken)
    assert (hot & ~treated).sum() <= 0.02 * hot.sum()
    assert not (treated & inner(true < 5.0)).any()
    corrected = inner(found.excess) > 0.0
    error = inner(found.excess - true)[corrected]
    frame_noise = np.sqrt(inner(true)[corrected].clip(0.0) / 0.9 + 124.0 / 0.81)
    assert np.median(np.abs(error) / frame_noise) < 0.25
    assert abs(np.median(error / frame_noise)) < 0.05


def test_blinking_and_dead_pixels_are_repaired() -> None:
    scene = replace(
        STILL, drift_px=(24.0, -32.0), hot_pixels=200, hot_e=600.0, hot_blinking=0.5, dead_pixels=100
    )
    found = find_defects(sampled(scene))
    blinking = np.zeros(found.broken.size, bool)
    blinking[sensor(scene).blinking] = True
    blinking = inner(blinking.reshape(found.broken.shape))
    dead = inner(sensor(scene).flat == 0.0)
    assert (inner(found.broken) & blinking).sum() >= 0.9 * blinking.sum()
    assert (inner(found.broken) & dead).sum() >= 0.97 * dead.sum()
    assert ((inner(found.excess) != 0.0) & dead).sum() <= 1  # a dead one may be hot


@pytest.mark.parametrize("fwhm", [1.15, 1.3, 2.0, 4.0])
@pytest.mark.parametrize("drift", [(0.0, 0.0), (1.0, 0.4), (3.0, 2.0), (40.0, 0.0)])
def test_sharp_stars_are_not_eaten(fwhm: float, drift: tuple[float, float]) -> None:
    rng = np.random.default_rng(5)
    stars = tuple(
        SceneStar(float(rng.uniform(10, 310)), float(rng.uniform(10, 230)), float(flux))
        for flux in np.geomspace(1e5, 300, 80)
    )
    found = find_defects(sampled(replace(STILL, stars=stars, fwhm_px=fwhm, drift_px=drift, wind_px=0.0)))
    assert found.count == (0, 0)


@pytest.mark.parametrize("name", [*HARD, *SCENES])
def test_sound_sensors_have_none(name: str) -> None:
    scene = replace({**HARD, **SCENES}[name].scene, hot_pixels=0, dead_pixels=0, overlay=None)
    assert find_defects(sampled(scene)).count == (0, 0)


def test_rough_sensitivity_and_glow_are_no_defects() -> None:
    scene = replace(STILL, sky_e=900.0, pixel_rms=0.02, vignetting=0.4, glow_e=3_000.0, drift_px=(9.0, 4.0))
    assert sum(find_defects(sampled(scene)).count) <= 3


def test_eight_bits_of_a_dark_sky() -> None:
    dark = replace(VIDEO, sky_e=3.0, read_noise_e=2.0, offset_adu=4.0, hot_pixels=20, hot_e=200.0)
    found = find_defects(sampled(dark))
    assert 17 <= sum(found.count) <= 21


def test_a_mosaic_is_judged_colour_by_colour() -> None:
    scene = replace(
        STILL,
        colour="rggb",
        sky_colour=(0.4, 1.0, 0.6),
        sky_e=800.0,
        drift_px=(20.0, 9.0),
        hot_pixels=100,
        hot_e=900.0,
    )
    frames = sampled(scene)
    found = find_defects(frames, step=2)
    true = inner(true_excess(scene)) > 500.0
    treated = inner((found.excess != 0.0) | found.broken)
    assert (true & treated).sum() >= 0.95 * true.sum()
    assert (treated & ~true).sum() <= 1


def test_a_pixel_that_is_always_full_is_repaired() -> None:
    scene = replace(VIDEO, hot_pixels=40, hot_e=90_000.0, drift_px=(9.0, 3.0))
    found = find_defects(sampled(scene))
    assert found.count[0] == 0
    assert 35 <= found.count[1] <= 40


def test_few_frames_and_small_frames_are_left_as_they_are() -> None:
    scene = replace(STILL, hot_pixels=50, hot_e=5_000.0)
    assert find_defects(sampled(scene, 7)).count == (0, 0)
    assert find_defects([np.zeros((4, 4), np.uint8)] * 9).count == (0, 0)
    assert find_defects([]).count == (0, 0)


def test_a_picture_that_is_rough_all_over_is_no_sensor_of_defects() -> None:
    rng = np.random.default_rng(1)
    texture = np.where(rng.random((120, 160)) < 0.2, 200, 20).astype(np.uint8)
    noise = [np.clip(texture + rng.normal(0, 2, texture.shape), 0, 255).astype(np.uint8) for _ in range(16)]
    assert find_defects(noise).count == (0, 0)


def test_counts() -> None:
    defects = Defects(np.array([[0.0, 3.0]], np.float32), np.array([[True, False]]))
    assert defects.count == (1, 1)
