"""Aperture photometry in every home, against photutils and slow twins."""

import math

import numpy as np
import pytest
from scipy import special

from gpu_kernels._agnostic.special import erf
from gpu_kernels.calibrate import Development, develop
from gpu_kernels.device import read_only
from gpu_kernels.photometry import (
    LEAST_SKY_PIXELS,
    StarStatus,
    aperture_sums,
    development_arrays,
    measure,
    peaks_within,
)
from tests.gpu_kernels.homes import Home, in_homes
from tests.gpu_kernels.test_photometry import HEIGHT, WIDTH, peer_sums, slow_sky

RADII = np.array([0.5, 2.0, math.sqrt(5.0), 6.5])


@in_homes(aperture_sums)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_sums_are_photutils(home: Home, dtype: str) -> None:
    rng = np.random.default_rng(5)
    frames = rng.uniform(0, 250, (3, HEIGHT, WIDTH)).astype(dtype)
    x, y = rng.uniform(-4, WIDTH + 4, (3, 7)), rng.uniform(-4, HEIGHT + 4, (3, 7))
    x[:, 0], y[:, 0] = (40.0, 40.5, 80.5), (30.0, 30.5, 60.5)  # rims on centres, edges and corners
    x[:, 1] = -300.0
    x[1, 2] = np.nan
    y[2, 3] = np.inf
    sums, areas = home.run(aperture_sums, frames, x, y, RADII)
    for f, s, k in np.ndindex(3, 7, RADII.size):
        if not (np.isfinite(x[f, s]) and np.isfinite(y[f, s])):
            assert np.isnan([sums[f, s, k], areas[f, s, k]]).all()
        elif areas[f, s, k] == 0.0:
            assert s == 1 or not (-0.5 < x[f, s] < WIDTH - 0.5 and -0.5 < y[f, s] < HEIGHT - 0.5)
            assert sums[f, s, k] == 0.0
        else:
            total, area, size = peer_sums(frames[f], float(x[f, s]), float(y[f, s]), float(RADII[k]))
            assert abs(sums[f, s, k] - total) <= 1e-12 * size
            assert areas[f, s, k] == pytest.approx(area, rel=1e-12, abs=1e-12)


@in_homes(measure)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_sky_is_its_slow_twin(home: Home, dtype: str) -> None:
    rng = np.random.default_rng(11)
    frames = rng.poisson(9.0, (4, HEIGHT, WIDTH)).astype(np.float64)
    frames[1] = rng.normal(60.0, 6.0, (HEIGHT, WIDTH))
    frames[2] = 7.0  # no noise at all
    frames[3] = rng.poisson(0.1, (HEIGHT, WIDTH))  # MAD is 0
    frames[:, 20:23, 30:34] += 90.0
    frames = frames.astype(dtype)
    if dtype == "float32":
        frames[:, 10:30, 20:24] = np.nan
    x, y = rng.uniform(-4, WIDTH + 4, (4, 9)), rng.uniform(-4, HEIGHT + 4, (4, 9))
    x[:, 0], y[:, 0] = 30.0, 22.0
    x[:, 1], y[:, 1] = -11.0, 30.0
    x[:, 2] = np.nan
    got = home.run(measure, frames, x, y, np.array([3.0]), 5.0, 13.0)
    for f, s in np.ndindex(4, 9):
        mean, sigma, kept = slow_sky(frames[f], float(x[f, s]), float(y[f, s]), 5.0, 13.0, 3.0)
        assert got.sky_count[f, s] == kept
        assert got.sky[f, s] == pytest.approx(mean, rel=1e-12, nan_ok=True)
        assert got.sky_sigma[f, s] == pytest.approx(sigma, rel=1e-10, abs=1e-10, nan_ok=True)
    assert (got.status[:, 2] == StarStatus.LOST).all()


@in_homes(measure)
def test_as_the_compiled_text_to_the_last_digits(home: Home) -> None:
    rng = np.random.default_rng(6)
    frames = rng.normal(40.0, 5.0, (5, HEIGHT, WIDTH)).astype(np.float32)
    frames[0, 30, 44], frames[1, 10, 10], frames[2, 5, 60] = np.nan, np.inf, -np.inf
    x, y = rng.uniform(-3, WIDTH + 3, (5, 12)), rng.uniform(-3, HEIGHT + 3, (5, 12))
    x[0, 0], y[0, 0], x[1, 0], y[1, 0], x[2, 0], y[2, 0] = 44.2, 30.1, 10.0, 11.0, 61.0, 6.0
    expected = measure(frames, x, y, RADII, 7.0, 12.0)
    got = home.run(measure, frames, x, y, RADII, 7.0, 12.0)
    for name in ("status", "sky_count", "peak"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
    for name in ("flux", "area", "sky", "sky_sigma"):
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), rtol=1e-11, atol=1e-9)
    assert (got.status & StarStatus.NOT_FINITE).any()
    assert (got.status & StarStatus.OFF_FRAME).any()


@in_homes(measure)
def test_frames_do_not_know_each_other(home: Home) -> None:
    rng = np.random.default_rng(7)
    frames = rng.integers(0, 255, (4, HEIGHT, WIDTH), np.uint8)
    x, y = rng.uniform(10, WIDTH - 10, (4, 3)), rng.uniform(10, HEIGHT - 10, (4, 3))
    whole = home.run(measure, frames, x, y, RADII, 7.0, 12.0)
    for f in range(4):
        alone = home.run(measure, frames[f : f + 1], x[f : f + 1], y[f : f + 1], RADII, 7.0, 12.0)
        np.testing.assert_array_equal(alone.flux[0], whole.flux[f])
        np.testing.assert_array_equal(alone.sky_sigma[0], whole.sky_sigma[f])


@in_homes(measure, aperture_sums)
def test_nothing_and_too_little(home: Home) -> None:
    empty = np.zeros((0, 30, 30), np.uint8)
    assert home.run(measure, empty, np.zeros((0, 2)), np.zeros((0, 2)), RADII, 5.0, 9.0).flux.shape == (
        0,
        2,
        4,
    )
    none = np.zeros((3, 0))
    assert home.run(aperture_sums, np.zeros((3, 30, 30)), none, none, RADII)[0].shape == (3, 0, 4)
    frame = np.full((1, HEIGHT, WIDTH), np.nan, np.float32)
    frame[0, 28:33, 38:43] = 6.0
    frame[0, 10 : 10 + LEAST_SKY_PIXELS - 1, 40] = 5.0
    place = np.array([[40.0]]), np.array([[30.0]])
    got = home.run(measure, frame, *place, np.array([2.0]), 8.0, 25.0)
    assert got.status[0, 0, 0] == StarStatus.NO_SKY
    assert (got.sky_count[0, 0], np.isnan(got.sky[0, 0])) == (0, True)


def test_error_function() -> None:
    x = np.linspace(-9.0, 9.0, 20_001)
    np.testing.assert_allclose(erf(x, np), special.erf(x), rtol=1e-15, atol=1e-15)


@in_homes(peaks_within)
def test_the_largest_pixel_touched(home: Home) -> None:
    rng = np.random.default_rng(8)
    frames = rng.integers(0, 60_000, (2, HEIGHT, WIDTH)).astype(np.uint16)
    x, y = rng.uniform(-4, WIDTH + 4, (2, 8)), rng.uniform(-4, HEIGHT + 4, (2, 8))
    x[0, 0], x[1, 1] = np.nan, -60.0
    found = home.run(peaks_within, frames, x, y, 3.4)
    rows, columns = np.indices((HEIGHT, WIDTH))
    for f, s in np.ndindex(2, 8):
        dx, dy = np.maximum(abs(columns - x[f, s]) - 0.5, 0), np.maximum(abs(rows - y[f, s]) - 0.5, 0)
        touched = dx**2 + dy**2 < 3.4**2
        twin = frames[f][touched].max() if touched.any() else np.nan
        assert found[f, s] == pytest.approx(twin, nan_ok=True)


@in_homes(measure)
def test_raw_frames_are_developed_on_the_way(home: Home) -> None:
    rng = np.random.default_rng(12)
    frames = rng.integers(0, 255, (3, HEIGHT, WIDTH), np.uint8)
    development = Development(
        response=(np.arange(256) * 1.1).astype(np.float32),
        offset=rng.uniform(0, 9, (HEIGHT, WIDTH)).astype(np.float32),
        scale=rng.uniform(0.8, 1.2, (HEIGHT, WIDTH)).astype(np.float32),
        defect=rng.random((HEIGHT, WIDTH)) < 0.02,
    )
    x, y = rng.uniform(10, WIDTH - 10, (3, 4)), rng.uniform(10, HEIGHT - 10, (3, 4))
    got = home.run(measure, frames, x, y, RADII, 7.0, 12.0, development=development)
    expected = measure(develop(frames, development), x, y, RADII, 7.0, 12.0)
    np.testing.assert_allclose(got.flux, expected.flux, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(got.sky_sigma, expected.sky_sigma, rtol=1e-9)


def test_a_development_as_compiled_texts_take_it() -> None:
    frames, ones = np.zeros((1, 4, 5), np.uint8), np.ones((4, 5), np.float32)
    response, offset, scale, defect = development_arrays(frames, Development(offset=ones))
    assert not offset.flags.writeable
    assert (response.size, scale.size, defect.size) == (0, 0, 0)
    with pytest.raises(ValueError, match=r"masters of shapes .* for frames of shape \(4, 5\)"):
        development_arrays(frames, Development(scale=ones[:3]))
    with pytest.raises(ValueError, match="mosaics are developed as a whole"):
        development_arrays(frames, Development(offset=ones, step=2))


def test_read_only_views_share_the_pixels() -> None:
    pixels = np.arange(6.0).reshape(2, 3)
    view = read_only(pixels)
    assert (view.flags.writeable, pixels.flags.writeable) == (False, True)
    assert np.shares_memory(view, pixels)
    assert read_only(pixels.T).flags.c_contiguous
