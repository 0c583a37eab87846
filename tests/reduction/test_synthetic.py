"""Scenes against what they promise: noise, positions, events, times."""

import dataclasses
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_kernels.photometry import aperture_sums
from reduction.stack import FrameSource, Stack
from reduction.synthetic import (
    Bump,
    Occultation,
    Scene,
    SceneSource,
    SceneStar,
    combined_bound_px,
    flux_bounds,
    position_bound_px,
    shift_bound_px,
    star_field,
    star_image,
)

EMPTY = Scene(frames=4, height=120, width=160, stars=(SceneStar(80.0, 60.0, 0.0),))


def test_a_frame_follows_from_seed_and_number_alone() -> None:
    scene = dataclasses.replace(EMPTY, frames=50, wind_px=1.0, stars=(SceneStar(80.0, 60.0, 2e4),))
    alone = scene.frame(37)
    for i in range(37):
        scene.frame(i)
    np.testing.assert_array_equal(alone, scene.frame(37))
    assert not np.array_equal(alone, scene.frame(38))
    assert not np.array_equal(alone, dataclasses.replace(scene, seed=2).frame(37))


@pytest.mark.parametrize("sky_e", [4.0, 99.0, 101.0, 900.0])
def test_sky_noise_has_the_mean_and_variance_of_photons_and_reading(sky_e: float) -> None:
    scene = dataclasses.replace(
        EMPTY, height=300, width=400, sky_e=sky_e, dark_e=1.0, read_noise_e=3.0, gain_e_per_adu=0.5
    )
    electrons = (np.stack([scene.frame(i) for i in range(4)]).astype(float) - scene.offset_adu) * 0.5
    variance = sky_e + 1.0 + 9.0 + 0.25 / 12.0
    n = electrons.size
    assert electrons.mean() == pytest.approx(sky_e + 1.0, abs=5.0 * math.sqrt(variance / n))
    assert electrons.var() == pytest.approx(variance, rel=5.0 * math.sqrt(2.2 / n))


def test_star_flux_is_poisson() -> None:
    scene = dataclasses.replace(
        EMPTY,
        frames=600,
        height=41,
        width=41,
        stars=(SceneStar(20.3, 19.8, 5000.0),),
        sky_e=100.0,
        dark_e=1.0,
    )
    sums = np.array([scene.frame(i).sum(dtype=float) - 41 * 41 * 201.0 for i in range(600)])
    variance = 5000.0 + 41 * 41 * (101.0 + 4.0 + 1.0 / 12.0)
    assert sums.mean() == pytest.approx(5000.0, abs=5.0 * math.sqrt(variance / 600))
    assert sums.var() == pytest.approx(variance, rel=5.0 * math.sqrt(2.0 / 600))


@pytest.mark.parametrize("beta", [None, 3.0])
@given(x=st.floats(38.0, 42.0), y=st.floats(38.0, 42.0), fwhm=st.floats(1.0, 6.0))
@settings(max_examples=25, deadline=None)
def test_star_image_is_the_pixel_average_of_its_profile(
    beta: float | None, x: float, y: float, fwhm: float
) -> None:
    image = star_image(x, y, fwhm, (81, 81), beta)
    fine = (np.arange(40) + 0.5) / 40 - 0.5
    u, v = 40 + fine[None, :] - x, 40 + fine[:, None] - y
    r2 = u**2 + v**2
    if beta is None:
        sigma2 = (fwhm / 2.354820045) ** 2
        profile = np.exp(-0.5 * r2 / sigma2) / (2.0 * math.pi * sigma2)
    else:
        a2 = fwhm**2 / (4.0 * (2.0 ** (1.0 / beta) - 1.0))
        profile = (beta - 1.0) / (math.pi * a2) * (1.0 + r2 / a2) ** -beta
    assert image[40, 40] == pytest.approx(profile.mean(), rel=3e-3, abs=1e-7)
    assert (0.98 if beta else 1.0 - 1e-9) <= image.sum() <= 1.0 + (1e-4 if beta else 1e-9)


def test_stars_lie_where_the_truth_says() -> None:
    stars = (SceneStar(60.0, 40.0, 2e5), SceneStar(110.0, 80.0, 2e5))
    scene = dataclasses.replace(
        EMPTY, frames=11, stars=stars, drift_px=(8.0, -5.0), rotation_deg=3.0, bumps=(Bump(5, 4.0, 3.0, 2),)
    )
    y, x = np.mgrid[:120, :160]
    for i in (0, 5, 6, 7, 10):
        truth = scene.truth(i)
        light = scene.frame(i).astype(float) - 220.0
        for k in range(2):
            near = (x - truth.x[k]) ** 2 + (y - truth.y[k]) ** 2 < 64
            assert (light * near * x).sum() / (light * near).sum() == pytest.approx(truth.x[k], abs=0.02)
            assert (light * near * y).sum() / (light * near).sum() == pytest.approx(truth.y[k], abs=0.02)
    start, bumped, after, end = (scene.truth(i) for i in (0, 5, 7, 10))
    assert (start.x[0], start.y[0]) == (60.0, 40.0)
    assert (bumped.dx, bumped.dy) == pytest.approx((8.0, 0.5))
    assert (after.dx, after.dy) == pytest.approx((5.6, -3.5))
    assert (end.dx, end.dy, end.rotation_deg) == pytest.approx((8.0, -5.0, 3.0))


def test_wind_is_rms_per_axis_and_zero_on_frame_zero() -> None:
    scene = dataclasses.replace(EMPTY, frames=2000, wind_px=2.0)
    shifts = np.array([(t.dx, t.dy) for t in map(scene.truth, range(2000))])
    assert tuple(shifts[0]) == (0.0, 0.0)
    np.testing.assert_allclose(shifts.std(axis=0), 2.0, rtol=0.1)


def test_occultation_is_averaged_over_the_exposure() -> None:
    scene = dataclasses.replace(
        EMPTY, frames=20, cadence_s=1.0, exposure_s=0.5, occultations=(Occultation(5.125, 9.75, 0.8),)
    )
    light = scene.target_light(np.arange(20))
    assert light[4] == 1.0
    assert light[5] == pytest.approx(1.0 - 0.8 * 0.75)
    np.testing.assert_allclose(light[6:10], 0.2)  # reappears in the dead time of frame 9
    assert light[10] == 1.0


def test_event_may_begin_before_the_recording() -> None:
    scene = dataclasses.replace(EMPTY, occultations=(Occultation(-3.0, 0.075, 1.0),))
    np.testing.assert_allclose(scene.target_light(np.arange(4)), [0.0, 0.5, 1.0, 1.0], atol=1e-12)


def test_missing_exposures_leave_a_gap_in_time() -> None:
    scene = dataclasses.replace(EMPTY, frames=6, missing=(2, 3, 5), cadence_s=0.1, exposure_s=0.1)
    assert scene.exposure_number(np.arange(6)).tolist() == [0, 1, 4, 6, 7, 8]
    steps = np.diff(scene.frame_start_ns(np.arange(6)))
    np.testing.assert_array_equal(steps, [1e8, 3e8, 2e8, 1e8, 1e8])


def test_repeated_frames_hold_the_pixels_and_truth_of_the_frame_before() -> None:
    scene = dataclasses.replace(
        EMPTY, repeated=(2, 3), wind_px=1.0, occultations=(Occultation(0.1, 0.2, 0.5),)
    )
    np.testing.assert_array_equal(scene.frame(1), scene.frame(3))
    assert scene.truth(3).x.tolist() == scene.truth(1).x.tolist()
    np.testing.assert_array_equal(scene.target_light(np.arange(4)), 1.0)
    steps = np.diff(scene.frame_start_ns(np.arange(4)))
    assert (steps == 50_000_000).all()


def test_cloud_dims_every_star() -> None:
    stars = (SceneStar(60.0, 40.0, 1e4), SceneStar(110.0, 80.0, 4e3))
    scene = dataclasses.replace(
        EMPTY, frames=101, stars=stars, transparency=((0.0, 1.0), (0.5, 0.25), (1.0, 1.0))
    )
    assert scene.truth(50).flux_e.tolist() == [2500.0, 1000.0]
    assert scene.truth(25).transparency == pytest.approx(0.625)


def test_pixels_stop_at_full_well_and_at_the_top_of_the_digitiser() -> None:
    bright = (SceneStar(80.0, 60.0, 1e7),)
    well = dataclasses.replace(EMPTY, stars=bright, full_well_e=20_000.0, gain_e_per_adu=2.0)
    assert well.frame(0).max() == well.saturation_adu == 10_100
    top = dataclasses.replace(EMPTY, stars=bright, bit_depth=8)
    assert top.frame(0).dtype == np.uint8
    assert top.frame(0).max() == top.saturation_adu == 255
    assert dataclasses.replace(EMPTY, stars=bright, bit_depth=12).frame(0).max() == 4095


def test_calibration_frames_undo_the_camera() -> None:
    scene = dataclasses.replace(
        EMPTY,
        frames=40,
        sky_e=500.0,
        dark_e=50.0,
        vignetting=0.4,
        pixel_rms=0.05,
        hot_pixels=30,
        hot_e=3000.0,
    )
    light, dark, flat, bias = (
        np.mean([make(i) for i in range(40)], axis=0)
        for make in (
            scene.frame,
            lambda i: scene.calibration_frame("dark", i),
            lambda i: scene.calibration_frame("flat", i),
            lambda i: scene.calibration_frame("bias", i),
        )
    )
    field = (flat - dark) / 20_000.0
    sky = (light - dark) / field
    assert sky.mean() == pytest.approx(500.0, rel=2e-3)
    assert sky.std() < 12.0
    assert (dark - bias > 2000.0).sum() == 30
    assert field[0, 0] == pytest.approx(0.6, abs=0.15)
    assert field[55:65, 75:85].mean() == pytest.approx(1.0, abs=0.03)


def test_moments_of_a_bright_star_reach_the_bound() -> None:
    """Without sky and noise, the mean of the photons is the best estimate of a Gaussian's centre."""
    bound = position_bound_px(20_000.0, 4.0, 0.0, 0.0)
    assert bound == pytest.approx(
        math.hypot(4.0 / 2.354820045, 1 / math.sqrt(12)) / math.sqrt(20_000.0), rel=0.01
    )


@given(flux=st.floats(500.0, 1e6), sky=st.floats(1.0, 1e4))
@settings(max_examples=20, deadline=None)
def test_the_bound_falls_with_flux_and_rises_with_sky(flux: float, sky: float) -> None:
    bound = position_bound_px(flux, 3.0, sky, 2.0)
    assert position_bound_px(2 * flux, 3.0, sky, 2.0) < bound < position_bound_px(flux, 3.0, 2 * sky, 2.0)
    assert combined_bound_px([bound] * 4) == pytest.approx(bound / 2)


def test_shift_bound_joins_stars_frame_by_frame() -> None:
    stars = (SceneStar(40.0, 40.0, 9e3), SceneStar(80.0, 80.0, 3e4), SceneStar(120.0, 40.0, 0.0))
    scene = dataclasses.replace(
        EMPTY,
        stars=stars,
        transparency=((0.0, 1.0), (1.0, 0.25)),
        occultations=(Occultation(0.0, 0.05, 1.0),),
    )

    def one(flux: float) -> float:
        return position_bound_px(flux, 3.0, 120.0, 2.0, 1.0)

    expected = [one(3e4), combined_bound_px([one(9e3 * 0.25), one(3e4 * 0.25)])]
    np.testing.assert_allclose(shift_bound_px(scene, [0, 1, 2], [0, 3]), expected, rtol=2e-3)
    assert np.isinf(shift_bound_px(scene, [2], [0, 1])).all()


def test_no_light_bounds_nothing() -> None:
    assert position_bound_px(0.0, 3.0, 10.0, 2.0) == math.inf
    assert combined_bound_px([math.inf]) == math.inf


def test_a_scene_is_a_source_and_a_stack() -> None:
    scene = dataclasses.replace(EMPTY, frames=10, missing=(4,))
    source = SceneSource(scene, camera_known=True)
    assert isinstance(source, Stack)
    assert isinstance(source, FrameSource)
    assert source.info.shape == (10, 120, 160)
    assert (source.info.gain_e_per_adu, source.info.read_noise_e) == (1.0, 2.0)
    blocks = list(source.blocks(4, start=1))
    assert [(b.start, b.frames.shape[0]) for b in blocks] == [(1, 4), (5, 4), (9, 1)]
    np.testing.assert_array_equal(blocks[1].frames[1], scene.frame(6))
    np.testing.assert_array_equal(source.read(6, 7)[0], scene.frame(6))
    assert source.times.mid_ns[5] - source.times.mid_ns[0] == 6 * 50_000_000
    assert source.times.mid_ns[0] == scene.start_ns + 25_000_000


def test_a_cycle_shows_its_frames_over_and_over() -> None:
    scene = dataclasses.replace(EMPTY, frames=100)
    source = SceneSource(scene, cycle=7)
    np.testing.assert_array_equal(source.read(12, 16), np.stack([scene.frame(i % 7) for i in range(12, 16)]))


def test_a_long_scene_needs_the_memory_of_one_block() -> None:
    scene = dataclasses.replace(EMPTY, frames=100_000)
    source = SceneSource(scene)
    source.read(0, 1)
    tracemalloc.start()
    source.read(99_990, 99_998)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * source.info.frame_bytes + 4_000_000


def test_star_field_keeps_its_distances() -> None:
    stars = star_field(30, 480, 640, seed=5, margin_px=20.0, separation_px=30.0)
    assert len(stars) == 30
    assert stars[0].flux_e == pytest.approx(1e5)
    assert stars[-1].flux_e == pytest.approx(2e3)
    for k, a in enumerate(stars):
        assert 20.0 <= a.x <= 619.0
        assert 20.0 <= a.y <= 459.0
        assert all(math.hypot(a.x - b.x, a.y - b.y) >= 30.0 for b in stars[:k])
    with pytest.raises(ValueError, match="do not fit"):
        star_field(50, 90, 90, seed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 0}, "at least one frame"),
        ({"target": 1}, "target is star 1 of 1"),
        ({"bit_depth": 17}, "bit_depth"),
        ({"repeated": (0,)}, "no frame before"),
        ({"exposure_s": 0.1}, "exposure"),
    ],
)
def test_impossible_scenes_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(EMPTY, **change)  # type: ignore[arg-type]  # fields by name
    with pytest.raises(IndexError):
        EMPTY.frame(4)


@pytest.mark.parametrize(("fwhm", "beta"), [(2.0, None), (3.0, 3.0)])
def test_the_flux_bound_is_what_a_fit_reaches_and_the_best_circle_what_circles_do(
    fwhm: float, beta: float | None
) -> None:
    """Many noisy stars at random places: weights by the true profile, and circles of all radii."""
    rng = np.random.default_rng(8)
    flux, variance = 400.0, 100.0
    places = 20.0 + rng.uniform(-0.5, 0.5, (4000, 2))
    stars = np.stack([star_image(float(x), float(y), fwhm, (41, 41), beta) for x, y in places])
    frames = flux * stars + rng.normal(0.0, 1.0, stars.shape) * np.sqrt(variance + flux * stars)
    weights = stars / (variance + flux * stars)
    fitted = (weights * frames).sum(axis=(1, 2)) / (weights * stars).sum(axis=(1, 2))
    sums, _ = aperture_sums(frames, places[:, :1], places[:, 1:], fwhm * np.linspace(0.5, 1.2, 15))
    scatter = (sums[:, 0].std(axis=0) / sums[:, 0].mean(axis=0)).min()
    bounds = flux_bounds(flux, fwhm, variance, beta)
    assert fitted.std() / flux == pytest.approx(bounds.known, rel=0.04)
    assert scatter == pytest.approx(bounds.circle, rel=0.04)
    assert bounds.known < bounds.circle < bounds.whole


@pytest.mark.parametrize(
    ("fwhm", "beta", "gain"),
    [(2.0, None, 0.021), (3.0, None, 0.039), (4.5, None, 0.057), (2.0, 3.0, 0.042), (3.0, 3.0, 0.065)],
)
def test_what_a_known_profile_gains_over_the_best_circle(
    fwhm: float, beta: float | None, gain: float
) -> None:
    bounds = flux_bounds(1.0, fwhm, 300.0, beta)
    assert bounds.circle / bounds.known - 1.0 == pytest.approx(gain, abs=0.003)
    assert 0.1 < bounds.whole / bounds.known - 1.0 < 0.16
    with_sky = flux_bounds(1.0, fwhm, 300.0, beta, 400.0)
    assert with_sky.known == bounds.known
    assert 0.005 < with_sky.circle / bounds.circle - 1.0 < 0.04
