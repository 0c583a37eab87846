"""Aperture photometry against photutils, slow twins and known noise."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from photutils.aperture import CircularAperture

from gpu_kernels.calibrate import Development, develop
from gpu_kernels.photometry import (
    LEAST_SKY_PIXELS,
    StarMeasurements,
    StarStatus,
    aperture_sums,
    clip_correction,
    measure,
    peaks_within,
)

HEIGHT, WIDTH = 61, 83
ARRAYS = ("flux", "area", "sky", "sky_sigma", "sky_count", "peak", "status")


def peer_sums(frame: NDArray[Any], x: float, y: float, radius: float) -> tuple[float, float, float]:
    """photutils' exact sum, area and sum of |w p| on the frame."""
    aperture = CircularAperture((x, y), radius)
    values = aperture.to_mask(method="exact").get_values
    weighted = values(frame.astype(np.float64))
    return float(weighted.sum()), float(values(np.ones(frame.shape)).sum()), float(np.abs(weighted).sum())


def slow_remedian(values: NDArray[np.float64]) -> float:
    """Medians of three values a third of the list apart, until eight or fewer are left."""
    while values.size > 8:
        values = np.median(values[: values.size // 3 * 3].reshape(3, -1), axis=0)
    return float(np.median(values))


def slow_sky(
    frame: NDArray[Any], x: float, y: float, inner: float, outer: float, clip: float
) -> tuple[float, float, int]:
    """Clipped mean, sigma and kept pixels, in plain NumPy."""
    rows, columns = np.indices(frame.shape)
    d2 = (columns - x) ** 2 + (rows - y) ** 2
    pixels = frame[(d2 >= inner * inner) & (d2 < outer * outer)].astype(np.float64)
    pixels = pixels[np.isfinite(pixels)]
    if pixels.size < LEAST_SKY_PIXELS:
        return math.nan, math.nan, 0
    start = slow_remedian(pixels)
    levels = np.unique(pixels)
    near = levels[np.argsort(np.abs(levels - start), kind="stable")]
    step = abs(near[1] - near[0]) if levels.size > 1 else 0.0
    if start not in levels:
        over, under = levels[levels > start], levels[levels < start]
        step = over.min() - under.max() if over.size and under.size else 0.0
    mean, sigma = start, 1.482602218505602 * slow_remedian(np.abs(pixels - start))
    kept = np.zeros(pixels.size, bool)
    for _ in range(10):
        reach = clip * math.hypot(sigma, step)
        now = (pixels >= mean - reach) & (pixels <= mean + reach)
        if np.array_equal(now, kept):
            break
        kept = now
        mean = pixels[kept].mean()
        factor = clip_correction(reach / sigma) if sigma > 0 else 1.0
        sigma = factor * (pixels[kept].std(ddof=1) if kept.sum() > 1 else 0.0)
    return float(mean), float(sigma), int(kept.sum())


def at(x: float, y: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array([[x]]), np.array([[y]])


def gaussian_star(
    x: float, y: float, flux: float, fwhm: float, shape: tuple[int, int]
) -> NDArray[np.float64]:
    rows, columns = np.indices(shape)
    width = fwhm / 2.3548
    profile = np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / width**2)
    return np.asarray(flux * profile / (2 * math.pi * width**2))


# Whole and half numbers put centres and rims exactly on pixel centres, edges and corners.
lattice = st.integers(-20, 220).map(lambda n: n / 2)
place = st.one_of(st.floats(-10.0, 95.0), lattice)
size = st.one_of(st.floats(0.5, 60.0), st.integers(1, 120).map(lambda n: n / 2))


@settings(max_examples=300, deadline=None)
@given(
    place, place, st.lists(size, min_size=1, max_size=4, unique=True).map(sorted), st.integers(0, 2**32 - 1)
)
@example(10.5, 20.5, [0.5, 1.0, 5.0], 1)
@example(10.0, 20.0, [0.5, 1.0, math.sqrt(0.5), math.sqrt(2.0), 5.0], 1)
@example(-0.5, -0.5, [0.5, 3.0], 1)
@example(40.25, 30.0, [0.5, 25.0, 60.0], 1)
def test_sums_agree_with_photutils(x: float, y: float, radii: list[float], seed: int) -> None:
    radii = sorted(radii)
    frame = np.random.default_rng(seed).normal(20.0, 300.0, (HEIGHT, WIDTH))
    sums, areas = aperture_sums(frame[np.newaxis], *at(x, y), radii)
    for k, radius in enumerate(radii):
        if areas[0, 0, k] == 0.0:
            gone = math.hypot(max(-0.5 - x, 0, x - WIDTH + 0.5), max(-0.5 - y, 0, y - HEIGHT + 0.5))
            assert gone >= radius * (1 - 1e-9)
            assert sums[0, 0, k] == 0.0
            continue
        total, area, size = peer_sums(frame, x, y, radius)
        assert abs(sums[0, 0, k] - total) <= 1e-12 * size
        assert areas[0, 0, k] == pytest.approx(area, rel=1e-12, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.floats(70.0, 80.0), st.floats(70.0, 80.0), size)
def test_the_area_is_that_of_the_circle(x: float, y: float, radius: float) -> None:
    sums, areas = aperture_sums(np.ones((1, 150, 150), np.uint8), *at(x, y), [radius])
    assert areas[0, 0, 0] == pytest.approx(math.pi * radius**2, rel=1e-13)
    assert sums[0, 0, 0] == pytest.approx(areas[0, 0, 0], rel=1e-13)


def test_many_large_radii_at_once() -> None:
    frame = np.random.default_rng(3).uniform(0, 9, (1, 200, 210))
    radii = np.linspace(55.0, 60.0, 40)
    sums, areas = aperture_sums(frame, *at(101.3, 99.8), radii)
    alone = [aperture_sums(frame, *at(101.3, 99.8), [radius])[0][0, 0, 0] for radius in radii]
    np.testing.assert_allclose(sums[0, 0], alone, rtol=1e-13)
    np.testing.assert_allclose(areas[0, 0], np.pi * radii**2, rtol=1e-13)


def test_nested_radii_equal_single_ones() -> None:
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 255, (3, HEIGHT, WIDTH), np.uint8)
    x, y = rng.uniform(-3, WIDTH + 3, (3, 6)), rng.uniform(-3, HEIGHT + 3, (3, 6))
    radii = [0.6, 2.0, 5.0, 5.5, 11.0]
    together = measure(frames, x, y, radii, 12, 17)
    for k, radius in enumerate(radii):
        alone = measure(frames, x, y, [radius], 12, 17)
        np.testing.assert_array_equal(together.peak[..., k], alone.peak[..., 0])
        np.testing.assert_array_equal(together.status[..., k], alone.status[..., 0])
        np.testing.assert_allclose(together.flux[..., k], alone.flux[..., 0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_the_sky_equals_its_slow_twin(dtype: type) -> None:
    rng = np.random.default_rng(11)
    frames = rng.poisson(9.0, (4, HEIGHT, WIDTH)).astype(np.float64)
    frames[1] = rng.normal(60.0, 6.0, (HEIGHT, WIDTH))
    frames[2] = 7.0  # no noise at all
    frames[3] = rng.poisson(0.1, (HEIGHT, WIDTH))  # MAD is 0
    frames[:, 20:23, 30:34] += 90.0
    frames = frames.astype(dtype)
    x, y = rng.uniform(-4, WIDTH + 4, (4, 9)), rng.uniform(-4, HEIGHT + 4, (4, 9))
    x[:, 0], y[:, 0] = 30.0, 22.0  # whole numbers: centres exactly at both radii
    x[:, 1], y[:, 1] = -11.0, 30.0
    got = measure(frames, x, y, [3.0], 5.0, 13.0)
    for f, s in np.ndindex(4, 9):
        mean, sigma, kept = slow_sky(frames[f], float(x[f, s]), float(y[f, s]), 5.0, 13.0, 3.0)
        assert got.sky_count[f, s] == kept
        assert got.sky[f, s] == pytest.approx(mean, rel=1e-12, nan_ok=True)
        assert got.sky_sigma[f, s] == pytest.approx(sigma, rel=1e-10, abs=1e-10, nan_ok=True)
    assert got.sky_sigma[2, 3] == 0.0


def test_16_bit_skies_of_small_and_large_span() -> None:
    rng = np.random.default_rng(13)
    frames = rng.normal(3000.0, 150.0, (4, HEIGHT, WIDTH))
    frames[1] = rng.normal(3000.0, 9000.0, (HEIGHT, WIDTH))
    frames[2, 20:24, 30:34] = 65535.0
    frames[3] = 16.0 * rng.poisson(90.0, (HEIGHT, WIDTH))  # 12 bits, shifted
    frames = np.clip(frames, 0, 65535).astype(np.uint16)
    x, y = np.full((4, 1), 30.3), np.full((4, 1), 30.1)
    got = measure(frames, x, y, [3.0], 5.0, 13.0)
    for f in range(4):
        mean, sigma, kept = slow_sky(frames[f], 30.3, 30.1, 5.0, 13.0, 3.0)
        assert got.sky_count[f, 0] == kept
        assert got.sky[f, 0] == pytest.approx(mean, rel=1e-12)
        assert got.sky_sigma[f, 0] == pytest.approx(sigma, rel=1e-10)
    same(got, measure(frames.astype(np.float64), x, y, [3.0], 5.0, 13.0))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(1.0, 5.0), st.booleans())
def test_any_sky_of_few_levels_equals_its_slow_twin(
    seed: int, levels: int, clip: float, floats: bool
) -> None:
    rng = np.random.default_rng(seed)
    frame = rng.choice(rng.integers(0, 256, levels), (25, 25)).astype(np.float32 if floats else np.uint8)
    inner = rng.uniform(0, 6)
    outer = inner + rng.uniform(0.5, 5)
    x, y = rng.uniform(5, 20, 2)
    got = measure(frame[np.newaxis], *at(x, y), [2.0], inner, outer, clip)
    mean, sigma, kept = slow_sky(frame, x, y, inner, outer, clip)
    # A value within rounding of a bound may fall on either side of it in the twin.
    if got.sky_count[0, 0] == kept:
        assert got.sky[0, 0] == pytest.approx(mean, rel=1e-12, nan_ok=True)
        assert got.sky_sigma[0, 0] == pytest.approx(sigma, rel=1e-8, abs=1e-8, nan_ok=True)
    else:
        assert levels <= 4


def test_flux_is_sum_less_sky_and_peak_the_largest_pixel_touched() -> None:
    rng = np.random.default_rng(2)
    frame = rng.integers(0, 200, (1, HEIGHT, WIDTH)).astype(np.uint16)
    x, y = at(40.3, 30.9)
    radii = [1.2, 4.0, 6.5]
    sums, areas = aperture_sums(frame, x, y, radii)
    got = measure(frame, x, y, radii, 8, 14)
    np.testing.assert_array_equal(got.flux, sums - areas * got.sky[..., np.newaxis])
    np.testing.assert_array_equal(got.area, areas)
    for k, radius in enumerate(radii):
        weights = CircularAperture((40.3, 30.9), radius).to_mask(method="exact").to_image((HEIGHT, WIDTH))
        assert got.peak[0, 0, k] == frame[0][weights > 0].max()
    assert not got.status.any()


def same(a: StarMeasurements, b: StarMeasurements) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("block", [1, 2, 5])
def test_blocks_change_nothing(dtype: str, block: int) -> None:
    rng = np.random.default_rng(9)
    frames = rng.poisson(15, (7, HEIGHT, WIDTH)).astype(dtype)
    x, y = rng.uniform(-2, WIDTH + 2, (7, 5)), rng.uniform(-2, HEIGHT + 2, (7, 5))
    x[3, 2] = np.nan
    whole = measure(frames, x, y, [2.0, 4.5], 7, 12)
    for start in range(0, 7, block):
        part = slice(start, start + block)
        piece = measure(frames[part], x[part], y[part], [2.0, 4.5], 7, 12)
        same(piece, StarMeasurements(*(getattr(whole, name)[part] for name in ARRAYS)))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_the_data_type_changes_nothing(dtype: type) -> None:
    rng = np.random.default_rng(10)
    frames = rng.poisson(40, (2, HEIGHT, WIDTH)).astype(np.uint8)
    frames[1] = rng.poisson(0.4, (HEIGHT, WIDTH))
    x, y = rng.uniform(0, WIDTH, (2, 8)), rng.uniform(0, HEIGHT, (2, 8))
    same(measure(frames, x, y, [1.0, 5.0], 7, 12), measure(frames.astype(dtype), x, y, [1.0, 5.0], 7, 12))


def test_layout_and_write_protection_change_nothing() -> None:
    rng = np.random.default_rng(12)
    frames = rng.poisson(40, (2, HEIGHT, 2 * WIDTH)).astype(np.uint8)
    x, y = rng.uniform(0, WIDTH, (2, 4)), rng.uniform(0, HEIGHT, (2, 4))
    view = frames[:, :, ::2]
    copy = view.copy()
    copy.flags.writeable = False
    same(measure(view, x, y, [3.0], 7, 12), measure(copy, x.tolist(), y.tolist(), (3,), 7, 12))


def test_status_of_apertures_near_the_edge() -> None:
    frame = np.full((1, HEIGHT, WIDTH), 10, np.uint8)
    x = np.array([[2.5, 2.4, -30.0, WIDTH - 3.5, 40.0, 1e300]])
    y = np.array([[30.0, 30.0, 30.0, 30.0, HEIGHT - 3.4, -1e300]])
    got = measure(frame, x, y, [3.0, 3.05], 5, 9)
    off = (got.status & StarStatus.OFF_FRAME) != 0
    assert off[0].tolist() == [
        [False, True],
        [True, True],
        [True, True],
        [False, True],
        [True, True],
        [True, True],
    ]
    assert (got.status[0, 2] == StarStatus.OFF_FRAME | StarStatus.NO_SKY).all()
    assert got.area[0, [2, 5]].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert np.isnan(got.flux[0, [2, 5]]).all()
    assert np.isnan(got.peak[0, [2, 5]]).all()
    assert 0 < got.area[0, 1, 0] < math.pi * 9
    assert abs(got.flux[0, :2]).max() < 1e-12


def test_a_lost_star_is_nan_and_says_so() -> None:
    frames = np.full((2, HEIGHT, WIDTH), 10, np.uint8)
    x, y = np.array([[np.nan, 20.0], [30.0, 20.0]]), np.array([[20.0, np.inf], [20.0, 20.0]])
    got = measure(frames, x, y, [2.0, 3.0], 5, 9)
    sums, areas = aperture_sums(frames, x, y, [2.0, 3.0])
    assert (got.status[0] == StarStatus.LOST).all()
    assert not got.status[1].any()
    for values in (got.flux, got.area, got.sky, got.sky_sigma, got.peak, sums, areas):
        assert np.isnan(values[0]).all()
        assert np.isfinite(values[1]).all()
    assert got.sky_count[0].tolist() == [0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pixels_that_are_not_finite(bad: float, dtype: str) -> None:
    frame = np.random.default_rng(4).normal(50, 3, (1, HEIGHT, WIDTH)).astype(dtype)
    clean = measure(frame, *at(40.2, 30.1), [2.0, 5.0], 8, 13)
    frame[0, 30, 44] = bad  # 3.8 px away: within the second radius only
    got = measure(frame, *at(40.2, 30.1), [2.0, 5.0], 8, 13)
    assert got.status[0, 0].tolist() == [0, StarStatus.NOT_FINITE]
    assert got.flux[0, 0, 0] == clean.flux[0, 0, 0]
    assert np.isnan(got.flux[0, 0, 1])
    frame[0, 30, 44] = 50
    frame[0, 20, 36:44] = bad  # in the annulus
    sky = measure(frame, *at(40.2, 30.1), [2.0, 5.0], 8, 13)
    mean, sigma, kept = slow_sky(frame[0], 40.2, 30.1, 8, 13, 3.0)
    assert sky.sky_count[0, 0] == kept
    assert sky.sky[0, 0] == pytest.approx(mean, rel=1e-13)
    assert sky.sky_sigma[0, 0] == pytest.approx(sigma, rel=1e-10)
    assert not sky.status.any()


def test_too_few_sky_pixels() -> None:
    frame = np.full((1, HEIGHT, WIDTH), np.nan, np.float32)
    frame[0, 28:33, 38:43] = 6.0
    frame[0, 10 : 10 + LEAST_SKY_PIXELS - 1, 40] = 5.0
    got = measure(frame, *at(40.0, 30.0), [2.0], 8, 25)
    assert got.status[0, 0, 0] == StarStatus.NO_SKY
    assert got.sky_count[0, 0] == 0
    assert np.isnan([got.sky[0, 0], got.sky_sigma[0, 0], got.flux[0, 0, 0]]).all()
    frame[0, 50, 40] = 5.0
    enough = measure(frame, *at(40.0, 30.0), [2.0], 8, 25)
    assert enough.status[0, 0, 0] == 0
    assert enough.sky_count[0, 0] == LEAST_SKY_PIXELS
    assert enough.flux[0, 0, 0] == pytest.approx(math.pi * 4, rel=1e-13)


def noisy(seed: int, kind: str, level: float, sigma: float, dtype: type) -> tuple[float, float, float]:
    """Bias of the sky in sigma, its standard error, and the ratio of sigmas, over 400 annuli."""
    rng = np.random.default_rng(seed)
    shape = (25, 160, 160)
    noise = rng.normal(level, sigma, shape) if kind == "gauss" else rng.poisson(level, shape)
    frames = np.rint(noise).astype(dtype) if dtype is not np.float32 else noise.astype(dtype)
    x, y = (grid.ravel() for grid in np.meshgrid([20.0, 60.0, 100.0, 140.0], [20.0, 60.0, 100.0, 140.0]))
    got = measure(frames, np.tile(x, (25, 1)), np.tile(y, (25, 1)), [3.0], 10, 16)
    bias = (got.sky - level) / sigma
    return float(bias.mean()), float(bias.std() / 20), float(got.sky_sigma.mean() / sigma)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("level", "sigma"), [(20.0, 4.0), (30.3, 1.5), (12.7, 0.9)])
def test_gaussian_noise_gives_its_mean_and_sigma(dtype: type, level: float, sigma: float) -> None:
    bias, error, ratio = noisy(21, "gauss", level, sigma, dtype)
    assert abs(bias) < 4 * error
    digitised = math.hypot(sigma, 0.0 if dtype is np.float32 else math.sqrt(1 / 12)) / sigma
    assert ratio == pytest.approx(digitised, rel=0.006)


@pytest.mark.parametrize("level", [0.05, 0.3, 1.0, 3.0, 10.0, 60.0])
def test_poisson_noise_of_few_counts_gives_its_mean_and_sigma(level: float) -> None:
    bias, error, ratio = noisy(22, "poisson", level, math.sqrt(level), np.uint8)
    # Below the step of digitisation nothing is lost; above it the skewness shifts the clipped mean.
    skewed = -0.04 / math.sqrt(level) if level >= 10 else -0.006
    assert abs(bias - skewed) < 0.006 + 4 * error
    assert ratio == pytest.approx(1.0, abs=0.02)


def test_a_mean_does_not_stick_to_the_levels_of_8_bits() -> None:
    rng = np.random.default_rng(23)
    levels = np.linspace(10.0, 11.0, 21)
    frames = np.rint(rng.normal(levels[:, np.newaxis, np.newaxis], 1.0, (21, 100, 100))).astype(np.uint8)
    got = measure(frames, np.full((21, 1), 50.0), np.full((21, 1), 50.0), [3.0], 10, 40)
    assert np.abs(got.sky[:, 0] - levels).max() < 0.07


@pytest.mark.parametrize(
    ("flux", "fwhm", "most"), [(50.0, 2.0, 0.05), (50.0, 3.0, 0.09), (5000.0, 2.0, 0.08)]
)
def test_a_star_in_the_annulus_is_left_out(flux: float, fwhm: float, most: float) -> None:
    rng = np.random.default_rng(24)
    sigma = 4.0
    star = gaussian_star(33.0, 20.0, flux * sigma, fwhm, (41, 41))
    sky = rng.normal(40.0, sigma, (300, 41, 41))
    position = np.full((300, 1), 20.0)
    with_star = measure((sky + star).astype(np.float32), position, position, [3.0], 10, 16)
    without = measure(sky.astype(np.float32), position, position, [3.0], 10, 16)
    assert 0.0 < (with_star.sky - without.sky).mean() / sigma < most
    assert with_star.sky_sigma.mean() / sigma < 1.06


def test_clip_correction_of_the_truncated_normal() -> None:
    draws = np.random.default_rng(25).normal(size=2_000_000)
    for clip in (1.0, 2.0, 3.0):
        assert clip_correction(clip) == pytest.approx(1 / draws[np.abs(draws) <= clip].std(), rel=2e-3)
    assert clip_correction(9.0) == pytest.approx(1.0)


def test_requests_that_cannot_be_met() -> None:
    frames = np.zeros((2, 30, 30), np.uint8)
    x = np.full((2, 1), 15.0)
    with pytest.raises(ValueError, match="frames are"):
        aperture_sums(frames[0], x, x, [3.0])
    with pytest.raises(ValueError, match="frames are >u2"):
        aperture_sums(frames.astype(">u2"), x, x, [3.0])
    with pytest.raises(ValueError, match="frames are"):
        aperture_sums(frames.astype(np.int32), x, x, [3.0])
    with pytest.raises(ValueError, match="positions of shapes"):
        aperture_sums(frames, x[:1], x[:1], [3.0])
    for radii in ([], [3.0, 2.0], [0.0, 2.0], [2.0, 2.0], [np.nan], [2.0, np.inf], [[2.0]]):
        with pytest.raises(ValueError, match="radii"):
            aperture_sums(frames, x, x, radii)
    for inner, outer in ((5.0, 5.0), (9.0, 5.0), (-1.0, 5.0), (np.nan, 5.0), (5.0, np.inf)):
        with pytest.raises(ValueError, match="annulus"):
            measure(frames, x, x, [3.0], inner, outer)
    with pytest.raises(ValueError, match="clip"):
        measure(frames, x, x, [3.0], 5, 9, clip=0.9)


def test_no_frames_and_no_stars() -> None:
    empty = measure(np.zeros((0, 30, 30), np.uint8), np.zeros((0, 2)), np.zeros((0, 2)), [3.0], 5, 9)
    assert empty.flux.shape == (0, 2, 1)
    assert measure(np.zeros((3, 30, 30)), np.zeros((3, 0)), np.zeros((3, 0)), [3.0], 5, 9).status.shape == (
        3,
        0,
        1,
    )


def developments(dtype: str) -> Iterator[Development]:
    """Every combination of response, offset, scale and defects that a type of sample may have."""
    rng = np.random.default_rng(31)
    offset = rng.normal(20.0, 3.0, (HEIGHT, WIDTH)).astype(np.float32)
    scale = rng.normal(1.0, 0.05, (HEIGHT, WIDTH)).astype(np.float32)
    scale[25, 30:33] = np.nan
    defect = rng.random((HEIGHT, WIDTH)) < 0.02
    levels = {"uint8": 256, "uint16": 65536}.get(dtype, 0)
    response = (np.arange(levels) ** 1.1).astype(np.float32)
    for bits in range(1, 16):
        given: dict[str, Any] = {}
        given |= {"response": response} if bits & 1 and levels else {}
        given |= {"offset": offset} if bits & 2 else {}
        given |= {"scale": scale} if bits & 4 else {}
        given |= {"defect": defect} if bits & 8 else {}
        yield Development(**given)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_developing_around_stars_is_developing_the_frame(dtype: str) -> None:
    rng = np.random.default_rng(32)
    frames = rng.normal(90.0, 9.0, (3, HEIGHT, WIDTH)).astype(dtype)
    x, y = rng.uniform(-9, WIDTH + 9, (3, 12)), rng.uniform(-9, HEIGHT + 9, (3, 12))
    for development in developments(dtype):
        here = measure(frames, x, y, [2.5, 4.0], 7.0, 12.0, development=development)
        whole = measure(develop(frames, development), x, y, [2.5, 4.0], 7.0, 12.0)
        for name in ("flux", "area", "sky", "sky_sigma", "sky_count", "peak", "status"):
            np.testing.assert_array_equal(getattr(here, name), getattr(whole, name), name)


def test_peaks_are_those_of_measure() -> None:
    rng = np.random.default_rng(33)
    frames = rng.integers(0, 256, (3, HEIGHT, WIDTH)).astype(np.uint8)
    x, y = rng.uniform(-9, WIDTH + 9, (3, 12)), rng.uniform(-9, HEIGHT + 9, (3, 12))
    x[0, 0], y[1, 1] = np.nan, np.inf
    for radius in (0.5, 2.0, 3.7):
        expected = measure(frames, x, y, [radius], 7.0, 12.0).peak[:, :, 0]
        np.testing.assert_array_equal(peaks_within(frames, x, y, radius), expected)


def test_masters_must_fit() -> None:
    frames = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    for wrong in (
        Development(offset=np.zeros((4, 4), np.float32)),
        Development(response=np.zeros(65536, np.float32)),
        Development(defect=np.zeros((HEIGHT, WIDTH), bool), step=2),
    ):
        with pytest.raises(ValueError, match=r"masters of shapes|a response of|mosaics"):
            measure(frames, *at(20.0, 20.0), [2.0], 7.0, 12.0, development=wrong)
