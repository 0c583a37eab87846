"""Alignment kernels in every home, against the same twins as on the CPU."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from gpu_kernels._numba.stars import OFF, SATURATED, SEEN, SHARP
from gpu_kernels.align import (
    IDENTITY,
    SURROUNDINGS,
    Pattern,
    Stars,
    Transform,
    add_registered,
    bin_sum,
    correlate,
    correlate_each,
    correlation,
    fit_stars,
    flattened,
    locate,
    peak_of,
    without_peak,
)
from gpu_kernels.calibrate import Development, develop
from gpu_kernels.masks import bin_mask, blanked
from reduction.synthetic import star_image
from reduction.synthetic.psf import FWHM_PER_SIGMA
from tests.gpu_kernels.homes import Home, in_homes
from tests.gpu_kernels.test_align import STARS, field_picture, pattern_of, turn
from tests.gpu_kernels.test_star_fits import SIGMA, SKY, fit_twin, one_star


@in_homes(bin_sum)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize(("shape", "factor"), [((24, 36), 4), ((23, 37), 3), ((40, 33), 16)])
def test_boxes_are_summed(home: Home, dtype: str, shape: tuple[int, int], factor: int) -> None:
    frame = (np.random.default_rng(3).random(shape) * 200).astype(dtype)
    rows, columns = shape[0] // factor, shape[1] // factor
    cut = frame[: rows * factor, : columns * factor].astype(np.float64)
    if dtype == "float32":
        frame[2, 3] = np.nan
        cut[2, 3] = 0.0
    found = home.run(bin_sum, frame, factor)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, cut.reshape(rows, factor, columns, factor).sum(axis=(1, 3)), rtol=2e-6)


@in_homes(flattened)
@pytest.mark.parametrize("shape", [(24, 30), (40, 20), (10, 60)])
def test_sky_taken_off_cut_and_smoothed(home: Home, shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(4).normal(50.0, 9.0, shape).astype(np.float32)
    size = 2 * SURROUNDINGS + 1
    inside = ndimage.convolve(np.ones(shape), np.ones((size, size)), mode="constant")
    around = ndimage.convolve(frame.astype(np.float64), np.ones((size, size)), mode="constant") / inside
    twin = np.minimum(frame - around, 12.0)
    for axis in (0, 1):
        twin = ndimage.convolve1d(twin, [1.0, 2.0, 1.0], axis=axis, mode="nearest")
    np.testing.assert_allclose(home.run(flattened, frame, 12.0), twin, atol=2e-3)


@in_homes(correlate)
@pytest.mark.parametrize("shift", [(0.0, 0.0), (7.4, -3.2), (-55.3, 30.8), (0.4, -45.0)])
def test_known_shifts(home: Home, shift: tuple[float, float]) -> None:
    shape = (149, 202)
    rng = np.random.default_rng(8)
    seen = [(x + shift[0], y + shift[1], peak) for x, y, peak in STARS]
    frame = (300.0 + field_picture(shape, seen) + rng.normal(0, 10, shape)).astype(np.float32)
    found = home.run(correlate, frame, pattern_of(shape), 3000.0)
    np.testing.assert_allclose(found, correlate(frame, pattern_of(shape), 3000.0), atol=1e-3)
    np.testing.assert_allclose(found, shift, atol=0.8)
    tiny = Pattern(np.array([0]), np.array([0]), np.ones(1, np.float32), (2, 3))
    assert np.isfinite(home.run(correlate, np.eye(2, 3, dtype=np.float32), tiny, 10.0)).all()


@in_homes(bin_sum, correlation, peak_of, without_peak)
def test_masked_bins_and_the_second_highest_place(home: Home) -> None:
    shape = (98, 124)
    rng = np.random.default_rng(8)
    seen = [(x - 11.0, y - 14.0, peak) for x, y, peak in STARS]
    frame = (300.0 + field_picture(shape, seen) + rng.normal(0, 10, shape)).astype(np.float32)
    pixels = np.zeros(shape, np.bool_)
    pixels[80:92, 10:110], pixels[3, 5] = True, True
    frame[80:92:3, 10:110] += 9000.0
    mask = bin_mask(pixels, 1)
    expected = bin_sum(frame, 1, mask)
    binned = home.put(frame)
    found = bin_sum(binned, 1, mask)
    np.testing.assert_allclose(home.get(found), expected, rtol=1e-5)
    surface = correlation(found, pattern_of(shape), 900.0, mask)
    twin = correlation(expected, pattern_of(shape), 900.0, mask)
    np.testing.assert_allclose(home.get(surface), twin, atol=1e-5 * float(np.abs(twin).max()))
    np.testing.assert_allclose(peak_of(surface), (-11.0, -14.0), atol=0.8)
    rest = without_peak(surface)
    iy, ix = divmod(int(twin.argmax()), twin.shape[1])
    far = twin.copy()
    far[iy - 3 : iy + 4, ix - 3 : ix + 4] = -np.inf
    assert home.get(rest).max() == pytest.approx(far.max(), rel=1e-4)
    np.testing.assert_allclose(peak_of(rest), peak_of(without_peak(twin)), atol=1e-2)


@in_homes(correlate_each)
@pytest.mark.parametrize("developed", [False, True])
def test_raw_frames_one_after_the_other(home: Home, developed: bool) -> None:
    shape, factor = (149, 202), 2
    rng = np.random.default_rng(8)
    shifts = [(0.0, 0.0), (7.4, -3.2), (-25.3, 30.8)]
    sky = 300.0 + 200.0 * float(developed) * rng.random(shape)
    frames = np.stack(
        [sky + field_picture(shape, [(x + dx, y + dy, peak) for x, y, peak in STARS]) for dx, dy in shifts]
    )
    frames = rng.poisson(frames).astype(np.uint16)
    development = Development()
    if developed:
        offset = (sky - 300.0).astype(np.float32)
        offset[4, 5] = np.nan
        development = Development(offset=offset, scale=np.full(shape, 0.5, np.float32))
    whole = pattern_of(shape)
    halved = Pattern(whole.rows // 2, whole.columns // 2, whole.weights, (74, 101))
    found = correlate_each(home.put(frames), factor, development, halved, 4000.0)
    np.testing.assert_allclose(found, correlate_each(frames, factor, development, halved, 4000.0), atol=1e-3)
    np.testing.assert_allclose(2.0 * found, shifts, atol=1.6)
    images = develop(frames, development)
    for k in range(3):
        one = correlate(bin_sum(np.nan_to_num(images[k]), factor), halved, 4000.0)
        np.testing.assert_allclose(found[k], one, atol=0.05)


@in_homes(blanked)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_masked_pixels_are_missing(home: Home, dtype: str) -> None:
    frame = (np.random.default_rng(2).random((9, 11)) * 250).astype(dtype)
    mask = frame > 120
    found = home.get(blanked(home.put(frame), mask))
    assert np.isnan(found[mask]).all()
    np.testing.assert_array_equal(found[~mask], frame[~mask])


@in_homes(add_registered)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "transform", [IDENTITY, turn(0.0, 2.3, -1.6), turn(0.0, -60.0, 3.0), turn(0.05, -4.2, 3.1)]
)
def test_as_scipy_samples_it(home: Home, dtype: str, transform: Transform) -> None:
    frame = (np.random.default_rng(2).random((40, 52)) * 250).astype(dtype)
    total, count = home.put(np.zeros(frame.shape)), home.put(np.zeros(frame.shape))
    add_registered(home.put(frame), transform, total, count)
    total, count = home.get(total), home.get(count)
    v, u = np.mgrid[:40, :52].astype(np.float64)
    x, y = transform.apply(u.ravel(), v.ravel())
    twin = ndimage.map_coordinates(frame.astype(np.float64), [y, x], order=1, mode="nearest")
    inside = (x >= 0) & (y >= 0) & (x < 51) & (y < 39)
    np.testing.assert_array_equal(count.ravel(), inside.astype(float))
    np.testing.assert_allclose(total.ravel()[inside], twin[inside], rtol=1e-6)
    assert not total.ravel()[~inside].any()


@in_homes(add_registered)
def test_missing_pixels_do_not_add_up(home: Home) -> None:
    total, count = home.put(np.zeros((10, 10))), home.put(np.zeros((10, 10)))
    frame = np.ones((10, 10), np.float32)
    frame[4, 4] = np.nan
    add_registered(home.put(frame), IDENTITY, total, count)
    add_registered(home.put(np.ones((10, 10), np.float32)), IDENTITY, total, count)
    total, count = home.get(total), home.get(count)
    assert total[4, 4] == count[4, 4] == 1.0
    assert total[7, 7] == count[7, 7] == 2.0


@in_homes(fit_stars)
@pytest.mark.parametrize(("x", "y", "flux"), [(15.0, 15.0, 3e3), (14.63, 15.28, 900.0), (15.49, 14.51, 4e4)])
def test_as_scipy_fits_it(home: Home, x: float, y: float, flux: float) -> None:
    frame = one_star(x, y, flux, np.random.default_rng(4))
    start = (x + 0.2, y - 0.1)
    p, error = fit_twin(frame, start, SKY)
    at = np.array([start[0]]), np.array([start[1]])
    fits = home.run(fit_stars, frame, *at, 0, SIGMA, SKY, 1.0, np.inf)
    assert fits.status[0] == SEEN
    np.testing.assert_allclose([fits.x[0], fits.y[0]], p[:2], atol=2e-4)
    assert fits.flux[0] == pytest.approx(p[2], rel=1e-3)
    assert fits.error[0] == pytest.approx(math.hypot(error[0], error[1]) / math.sqrt(2), rel=0.01)
    assert fits.snr[0] == pytest.approx(p[2] / error[2], rel=0.01)


def crowd(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """A noisy frame of 24 stars, one saturated, a hot pixel, a hole; and where they are."""
    x, y = (z.ravel() for z in np.meshgrid(np.arange(6) * 24.0 + 18, np.arange(4) * 24.0 + 18))
    x, y = x + rng.uniform(-2, 2, x.size), y + rng.uniform(-2, 2, y.size)
    frame = np.full((108, 158), SKY)
    for k in range(x.size):
        frame += 300.0 * 1.3**k * star_image(x[k], y[k], SIGMA * FWHM_PER_SIGMA, frame.shape)
    frame = rng.poisson(frame).astype(np.float64)
    frame[30, 6] += 5000.0
    frame[int(y[7]) - 1 : int(y[7]) + 2, int(x[7]) - 1 : int(x[7]) + 2] = np.nan
    return frame.astype(np.float32), x, y


@in_homes(fit_stars)
@pytest.mark.parametrize("search", [0, 3, 6])
def test_every_outcome_is_that_of_the_compiled_text(home: Home, search: int) -> None:
    frame, x, y = crowd(np.random.default_rng(9))
    x, y = np.append(x, [6.4, 2.0, np.nan, 120.0]), np.append(y, [29.8, 60.0, 40.0, 100.0])
    arguments = (np.round(x), np.round(y), search, SIGMA, SKY, 1.0, 6_000.0)
    expected = fit_stars(frame, *arguments)
    found = home.run(fit_stars, frame, *arguments)
    np.testing.assert_array_equal(found.status, expected.status)
    assert {SEEN, OFF, SATURATED} <= set(found.status.tolist())
    if search == 0:
        assert SHARP in found.status
    good = expected.status == SEEN
    for name in ("x", "y"):
        np.testing.assert_allclose(getattr(found, name)[good], getattr(expected, name)[good], atol=1e-9)
    for name in ("flux", "error", "snr"):
        np.testing.assert_allclose(getattr(found, name)[good], getattr(expected, name)[good], rtol=1e-8)
    none = home.run(fit_stars, frame, np.empty(0), np.empty(0), *arguments[2:])
    assert none.x.shape == (0,)


@in_homes(locate)
@pytest.mark.parametrize(("rotate", "angle"), [(False, 0.0), (True, 0.03)])
def test_stars_agree_on_one_transform(home: Home, rotate: bool, angle: float) -> None:
    frame, x, y = crowd(np.random.default_rng(10))
    order = np.arange(x.size)[::-1]
    truth = turn(angle, 1.6 + 50.0 * angle, -1.1 - 70.0 * angle)
    u, v = truth.invert(x[order], y[order])
    stars = Stars(SIGMA, SKY, 1.0, np.inf)
    expected, _, kept = locate(frame, u, v, stars, 6, rotate)
    transform, fits, used = locate(home.put(frame), u, v, stars, 6, rotate)
    np.testing.assert_array_equal(used, kept)
    assert used.sum() >= 20
    for name in ("c", "s", "tx", "ty"):
        assert getattr(transform, name) == pytest.approx(getattr(expected, name), abs=1e-8)
    centre = np.array([79.0]), np.array([54.0])
    np.testing.assert_allclose(transform.apply(*centre), truth.apply(*centre), atol=0.05)
    assert isinstance(fits.x, np.ndarray)
