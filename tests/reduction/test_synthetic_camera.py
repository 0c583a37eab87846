"""What a scene's camera does to the light: mosaic, fields, gamma, glow, bad pixels, burnt-in digits."""

import dataclasses
import math

import numpy as np
import pytest

from reduction.synthetic import Occultation, Overlay, Scene, SceneSource, SceneStar, shift_bound_px

STAR = SceneStar(80.3, 60.6, 4e4)
DARK_SKY = Scene(frames=40, height=120, width=160, stars=(STAR,), sky_e=120.0)
QUIET = dataclasses.replace(DARK_SKY, stars=(SceneStar(80.0, 60.0, 0.0),))


def test_digits_change_every_frame_and_stay_where_they_are() -> None:
    overlay = Overlay(x=8, y=100, dot_px=1, level=0.9)
    scene = dataclasses.replace(DARK_SKY, overlay=overlay, drift_px=(30.0, 0.0), bit_depth=8, offset_adu=9.0)
    plain = dataclasses.replace(scene, overlay=None)
    level = round(0.9 * 255)
    covers = []
    for i in (0, 1, 2):
        with_digits, without = scene.frame(i), plain.frame(i)
        covered = with_digits != without
        assert (with_digits[covered] == level).all()
        ys, xs = np.nonzero(covered)
        assert (ys.min(), xs.min()) >= (100, 8)
        assert ys.max() < 107
        covers.append(covered)
    assert not np.array_equal(covers[0], covers[1])
    assert (covers[0] & covers[1]).sum() > 100  # hours and minutes stand still
    assert overlay.text(25, 0.05) == "00:00:01 2500 000025"


def test_a_box_hides_the_sky_and_soft_digits_are_between() -> None:
    boxed = dataclasses.replace(QUIET, overlay=Overlay(x=8, y=100, dot_px=1, boxed=True), bit_depth=8)
    values = boxed.frame(0)[100:107, 8:128]
    assert set(np.unique(values).tolist()) == {0, round(0.95 * 255)}
    soft = dataclasses.replace(boxed, overlay=Overlay(x=8, y=100, dot_px=2, boxed=True, soft_px=0.7))
    assert np.unique(soft.frame(0)[100:114, 8:150]).size > 10


def test_hot_pixels_differ_blink_and_dead_ones_are_blind() -> None:
    scene = dataclasses.replace(QUIET, hot_pixels=192, hot_e=2000.0, hot_spread=0.5, dead_pixels=50)
    dark = np.mean([scene.calibration_frame("dark", i) for i in range(40)], axis=0) - scene.offset_adu
    flat = scene.calibration_frame("flat", 0) - scene.offset_adu
    excess = np.sort(dark[dark > 20.0])
    assert excess.size == pytest.approx(192, abs=3)
    assert np.median(excess) == pytest.approx(2000.0, rel=0.25)
    assert np.log10(excess).std() == pytest.approx(0.5, rel=0.2)
    assert (flat < 5000.0).sum() == pytest.approx(50, abs=1)
    blinking = dataclasses.replace(scene, hot_blinking=0.25)
    lights = np.stack([blinking.frame(i).astype(float) for i in range(40)])
    steady = np.stack([scene.frame(i).astype(float) for i in range(40)])
    noisier = (lights.std(axis=0) > 3.0 * steady.std(axis=0)) & (steady.mean(axis=0) > 600.0)
    assert 30 <= noisier.sum() <= 48
    on = lights[:, noisier].max(axis=0) - lights[:, noisier].min(axis=0)
    above = lights[:, noisier] > lights[:, noisier].min(axis=0) + 0.5 * on
    assert above.mean() == pytest.approx(0.5, abs=0.1)


def test_glow_is_dark_current_in_a_corner() -> None:
    scene = dataclasses.replace(QUIET, glow_e=500.0, glow_px=30.0, vignetting=0.5)
    dark = np.mean([scene.calibration_frame("dark", i) for i in range(40)], axis=0) - scene.offset_adu
    assert dark[-1, -1] == pytest.approx(500.0, abs=20.0)
    assert dark[-1, -61] == pytest.approx(500.0 * math.exp(-2.0), abs=10.0)
    assert dark[:40, :40].mean() < 10.0


def test_rows_have_offsets_of_their_own_on_every_frame() -> None:
    frames = np.stack([dataclasses.replace(QUIET, row_noise_adu=5.0).frame(i) for i in range(40)])
    offsets = np.median(frames, axis=2) - 220.0
    assert offsets.std() == pytest.approx(5.0, rel=0.1)
    assert abs(np.corrcoef(offsets[:-1].ravel(), offsets[1:].ravel())[0, 1]) < 0.1


def test_gamma_is_undone_by_its_inverse() -> None:
    linear = dataclasses.replace(DARK_SKY, offset_adu=20.0, bit_depth=12)
    curved = dataclasses.replace(linear, gamma=0.45)
    full = 4095.0
    undone = full * (np.stack([curved.frame(i) for i in range(10)]) / full) ** (1.0 / 0.45)
    straight = np.stack([linear.frame(i) for i in range(10)]).astype(float)
    assert undone.mean() == pytest.approx(straight.mean(), rel=1e-3)
    assert np.abs(undone - straight).max() < 3.0
    well = dataclasses.replace(curved, full_well_e=500.0, stars=(SceneStar(80.0, 60.0, 1e6),))
    assert well.frame(0).max() == well.saturation_adu == round(full * (520.0 / full) ** 0.45)


@pytest.mark.parametrize("colour", ["rggb", "grbg", "gbrg", "bggr"])
def test_a_mosaic_sees_each_colour_through_its_own_pixels(colour: str) -> None:
    red = SceneStar(80.0, 60.0, 2e5, colour=(1.0, 0.0, 0.0))
    scene = dataclasses.replace(DARK_SKY, stars=(red,), sky_colour=(0.5, 1.0, 2.0))
    scene = dataclasses.replace(scene, colour=colour, fwhm_px=4.0)  # type: ignore[arg-type]  # by name
    mean = np.mean([scene.frame(i) for i in range(10)], axis=0) - scene.offset_adu
    for k, letter in enumerate(colour):
        sky = {"r": 60.0, "g": 120.0, "b": 240.0}[letter]
        cell = mean[k // 2 :: 2, k % 2 :: 2]
        assert cell[:15, :15].mean() == pytest.approx(sky, rel=0.02)
        light = cell[20:40, 30:50].sum() - 400 * sky
        assert light == pytest.approx(5e4 if letter == "r" else 0.0, abs=1500.0)
    assert SceneSource(scene).info.colour == colour


@pytest.mark.parametrize("order", ["top", "bottom"])
def test_fields_show_two_instants(order: str) -> None:
    scene = dataclasses.replace(
        DARK_SKY,
        fields=order,  # type: ignore[arg-type]  # by name
        frames=11,
        drift_px=(80.0, 0.0),
        stars=(dataclasses.replace(STAR, x=30.0, flux_e=2e5),),
        fwhm_px=4.0,
        occultations=(Occultation(0.225, 0.25, 1.0),),
    )
    first = 0 if order == "top" else 1
    x = np.arange(20, 80)
    pixels = scene.frame(2).astype(float) - 220.0
    for field, row in ((0, first), (1, 1 - first)):
        rows, truth = pixels[row::2], scene.truth(2, field)
        light = rows[20:40, 20:80]
        assert (light * x).sum() / light.sum() == pytest.approx(truth.x[0], abs=0.15)
        assert light.sum() == pytest.approx(1e5, rel=0.02)
        assert truth.dx == pytest.approx(8.0 * (2 + 0.5 * field))
    assert scene.truth(4, 0).target_light == 1.0  # exposed from 0.2 to 0.225 s
    assert scene.truth(4, 1).target_light == pytest.approx(0.0, abs=1e-12)
    dimmed = scene.frame(4).astype(float)[:, 40:90] - 220.0
    assert abs(dimmed[1 - first :: 2].sum()) < 0.02 * dimmed[first::2].sum()


def test_wind_of_the_second_field_is_another() -> None:
    scene = dataclasses.replace(DARK_SKY, fields="top", wind_px=2.0, frames=500)
    shifts = np.array([[scene.truth(i, k).dx for k in (0, 1)] for i in range(500)])
    np.testing.assert_allclose(shifts.std(axis=0), 2.0, rtol=0.15)
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.2


def test_no_light_comes_through_opaque_cloud() -> None:
    scene = dataclasses.replace(DARK_SKY, opaque=((10, 30),))
    assert [scene.truth(i).transparency for i in (9, 10, 29, 30)] == [1.0, 0.0, 0.0, 1.0]
    assert scene.frame(20).max() < 300
    assert scene.frame(30).max() > 1000


def test_focus_and_scale_change() -> None:
    scene = dataclasses.replace(
        DARK_SKY,
        frames=21,
        seeing=((0.0, 1.0), (0.5, 2.0), (1.0, 1.0)),
        scale_change=0.01,
        stars=(dataclasses.replace(STAR, x=149.5, y=59.5), STAR),
    )
    assert [scene.truth(i).fwhm_px for i in (0, 10, 20)] == pytest.approx([3.0, 6.0, 3.0])
    assert scene.truth(20).x[0] == pytest.approx(79.5 + 70.0 * 1.01)
    assert scene.truth(20).scale == pytest.approx(1.01)
    assert scene.frame(0)[60:62, 80:82].max() > 2.5 * scene.frame(10)[60:62, 80:82].max()


def test_the_bound_follows_seeing_colour_and_fields() -> None:
    plain = shift_bound_px(DARK_SKY, [0], [0, 20])
    blurred = dataclasses.replace(DARK_SKY, seeing=((0.0, 1.0), (1.0, 2.0)))
    found = shift_bound_px(blurred, [0], [0, 39])
    assert found[0] == pytest.approx(plain[0], rel=1e-3)
    wide = dataclasses.replace(DARK_SKY, fwhm_px=6.0)
    assert found[1] == pytest.approx(shift_bound_px(wide, [0], [0])[0], rel=0.01)
    halves = shift_bound_px(dataclasses.replace(DARK_SKY, fields="top"), [0], [0])
    assert halves[0] == pytest.approx(plain[0] * math.sqrt(2.0), rel=1e-6)
    white = shift_bound_px(dataclasses.replace(DARK_SKY, colour="rggb"), [0], [0])
    assert white[0] == pytest.approx(plain[0], rel=1e-6)
    green = dataclasses.replace(STAR, colour=(0.0, 1.0, 0.0))
    half = shift_bound_px(dataclasses.replace(DARK_SKY, colour="rggb", stars=(green,)), [0], [0])
    assert half[0] == pytest.approx(plain[0] * math.sqrt(2.0), rel=1e-6)
    coarse = dataclasses.replace(DARK_SKY, gamma=0.45, bit_depth=8, gain_e_per_adu=10.0, offset_adu=1.0)
    fine = dataclasses.replace(coarse, bit_depth=16, offset_adu=1.0)
    assert shift_bound_px(coarse, [0], [0])[0] != pytest.approx(shift_bound_px(fine, [0], [0])[0], rel=1e-4)


def test_a_gamma_must_be_positive() -> None:
    with pytest.raises(ValueError, match="gamma"):
        dataclasses.replace(DARK_SKY, gamma=0.0)
