"""Extraction, masks, cut-outs and sky levels in every home, against the compiled text and slow twins.

The compiled text takes the normal distribution from a table (to 5e-7); here it is computed.
"""

from typing import Any

import numpy as np
import pytest
from astropy.nddata import Cutout2D

from gpu_kernels.calibrate import Development, develop
from gpu_kernels.extraction import (
    dynamic_mask_sums,
    fit_groups,
    frame_widths,
    gaussian,
    optimal_sums,
    static_mask_sums,
)
from gpu_kernels.sky import sky_levels
from gpu_kernels.stacking import cutouts
from reduction.synthetic.psf import FWHM_PER_SIGMA, star_image
from tests.gpu_kernels.homes import Home, in_homes
from tests.gpu_kernels.test_extraction import SHAPE, TWO, footprint, noise, obvious_sums, places


def alike(found: Any, expected: Any, names: tuple[str, ...], rtol: float, atol: float) -> None:
    for name in names:
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=rtol, atol=atol, err_msg=name
        )


@in_homes(optimal_sums)
@pytest.mark.parametrize("softening", [0.0, 30.0])
def test_weighted_sums_are_those_of_the_twin(home: Home, softening: float) -> None:
    frames = noise(3).astype(np.float64)
    x, y = places(3, 4)
    frames[1, round(y[1, 0]) + 1, round(x[1, 0])] = np.nan
    sky = np.full(x.shape, 79.5)
    got = home.run(optimal_sums, frames, x, y, sky, TWO, 4.3, softening)
    for f, s in np.ndindex(x.shape):
        place = float(x[f, s]), float(y[f, s])
        flux, area, squares, light, share = obvious_sums(frames[f], *place, 79.5, TWO, 4.3, softening)
        assert got.flux[f, s] == pytest.approx(flux, rel=1e-4, abs=2e-3)
        assert got.area[f, s] == pytest.approx(area, rel=1e-4)
        assert got.squares[f, s] == pytest.approx(squares, rel=1e-4)
        assert got.light[f, s] == pytest.approx(light, rel=1e-4)
        assert got.share[f, s] == pytest.approx(share, rel=1e-4)


@in_homes(optimal_sums)
def test_weighted_sums_at_edges_and_in_defocus(home: Home) -> None:
    frames, (x, y) = noise(3), places(3, 6)
    x[0, :4], y[0, :4] = (0.2, np.nan, -50.0, 47.0), (20.0, 20.0, 20.0, 39.4)
    arguments = (frames, x, y, np.full(x.shape, 80.0), TWO, 4.0, 5.0, np.array([1.0, 1.7, 0.8]))
    expected, got = optimal_sums(*arguments), home.run(optimal_sums, *arguments)
    alike(got, expected, ("area", "squares", "light", "share"), 1e-4, 1e-6)
    np.testing.assert_allclose(got.flux, expected.flux, atol=0.02)
    np.testing.assert_array_equal(got.peak, expected.peak)


@in_homes(frame_widths)
@pytest.mark.parametrize("factor", [0.6, 1.9])
def test_widths_of_frames_are_found(home: Home, factor: float) -> None:
    rng = np.random.default_rng(8)
    n, sigma, shape = 12, 1.3, (60, 60)
    x, y = rng.uniform(18.0, 42.0, (n, 3)), np.array([[12.0, 30.0, 48.0]]) + rng.uniform(-0.5, 0.5, (n, 3))
    frames = rng.normal(100.0, 5.0, (n, *shape))
    for f, s in np.ndindex(x.shape):
        width = factor * sigma * FWHM_PER_SIGMA
        frames[f] += 4_000.0 * star_image(float(x[f, s]), float(y[f, s]), width, shape)
    frames[3] = rng.normal(100.0, 5.0, shape)  # no star shows
    x[4, 0], x[5, 1] = np.nan, 2.0
    arguments = (frames, x, y, np.full(x.shape, 100.0), gaussian(sigma), 4.0, 25.0, 1.0, 0.3)
    expected, error = frame_widths(*arguments)
    got, uncertainty = home.run(frame_widths, *arguments)
    np.testing.assert_allclose(got, expected, rtol=2e-4)
    np.testing.assert_allclose(uncertainty, error, rtol=2e-3)
    assert np.isinf(uncertainty[3])
    assert np.log(np.delete(got, 3)).mean() == pytest.approx(np.log(factor), abs=0.02)


@in_homes(fit_groups)
def test_close_stars_fitted_together(home: Home) -> None:
    rng = np.random.default_rng(11)
    n, fwhm = 6, 3.0
    x = 24.0 + rng.uniform(-0.5, 0.5, (n, 1)) + np.array([[0.0, 1.5 * fwhm, -14.0, 22.0]])
    y = 19.0 + rng.uniform(-0.5, 0.5, (n, 1)) + np.array([[0.0, 0.3, 2.0, 8.0]])
    frames = np.full((n, *SHAPE), 60.0)
    for f, s in np.ndindex(x.shape):
        frames[f] += (600.0, 1_500.0, 900.0, 300.0)[s] * star_image(
            float(x[f, s]), float(y[f, s]), fwhm, SHAPE
        )
    frames = rng.poisson(frames).astype(np.float64)
    frames[2, 19, 25] = np.nan
    x[3, 1] = np.nan
    x[4, 2], sky = -40.0, np.full(x.shape, 60.0)
    sky[5, 2] = np.nan
    groups = np.array([[0, 1], [2, -1]])
    arguments = (frames, x, y, sky, 400.0, 60.0, 1.0, groups, gaussian(fwhm / FWHM_PER_SIGMA), 5.0, 5.0)
    expected = fit_groups(*arguments)
    moved: list[Any] = [home.put(part) if part is not groups else part for part in arguments]
    got = home.get(fit_groups(*moved))
    alike(got, expected, ("share", "peak"), 1e-4, 1e-6)
    alike(got, expected, ("flux", "sky"), 1e-3, 0.02)
    np.testing.assert_allclose(got.variance, expected.variance, rtol=1e-3)
    assert np.isnan(got.flux[:, 3]).all()
    near = np.isfinite(got.flux[:, 0])
    assert abs(got.flux[near, 0].mean() - 600.0) < 4.0 * np.sqrt(got.variance[near, 0].mean() / near.sum())


@in_homes(static_mask_sums, dynamic_mask_sums)
def test_masks_are_those_of_the_compiled_text(home: Home) -> None:
    rng = np.random.default_rng(4)
    x, y = places(8, 5)
    frames = rng.normal(50.0, 2.0, (8, *SHAPE))
    for f in range(8):
        for s in (0, 1, 2):
            frames[f] += 300.0 * star_image(float(x[f, s]) + 0.4, float(y[f, s]), 3.0, SHAPE)
    frames[1, round(y[1, 0]), round(x[1, 0]) + 1] = np.nan
    x[2, 0], x[3, 1], y[4, 2] = np.nan, 0.3, 38.9
    sky = np.full(x.shape, 50.0)
    sky[5, 0] = np.nan
    names = ("flux", "pixels", "share", "peak", "found")
    fixed: tuple[Any, Any, Any, Any] = (frames, x, y, sky)
    shape = footprint(3.0)
    there: tuple[Any, Any, Any, Any] = (home.put(frames), home.put(x), home.put(y), home.put(sky))
    got = home.get(static_mask_sums(*there, shape))
    alike(got, static_mask_sums(*fixed, shape), names, 1e-12, 1e-9)
    for threshold in (4.0, 25.0):
        limit = np.full(x.shape, threshold)
        expected = dynamic_mask_sums(*fixed, limit, shape, 2)
        got = home.get(dynamic_mask_sums(*there, home.put(limit), shape, 2))
        alike(got, expected, names, 1e-12, 1e-9)
        assert got.found.any()
        assert not got.found.all()


@in_homes(cutouts)
def test_cutouts_are_astropys(home: Home) -> None:
    frames, (x, y) = noise(3), places(3, 3)
    x[0, 0], x[1, 1], y[2, 2] = np.nan, -1.4, 39.4
    boxes, left, top = home.run(cutouts, frames, x, y, (7, 9))
    assert boxes.dtype == np.float32
    for f, s in np.ndindex(x.shape):
        if np.isnan(x[f, s]):
            assert np.isnan(boxes[f, s]).all()
            continue
        middle = int(np.floor(x[f, s] + 0.5)), int(np.floor(y[f, s] + 0.5))
        peer = Cutout2D(frames[f].astype(np.float32), middle, (7, 9), mode="partial", fill_value=np.nan)
        np.testing.assert_array_equal(boxes[f, s], peer.data)
        assert (left[f, s] + 4, top[f, s] + 3) == middle


@in_homes(cutouts)
def test_cutouts_of_raw_frames_are_those_of_developed_ones(home: Home) -> None:
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 255, (3, *SHAPE), np.uint8)
    x, y = places(3, 3)
    x[0, 0], x[1, 1], y[2, 2] = np.nan, -1.4, SHAPE[0] - 0.6
    development = Development(
        response=(np.arange(256) * 1.1).astype(np.float32),
        offset=rng.uniform(0, 9, SHAPE).astype(np.float32),
        scale=rng.uniform(0.8, 1.2, SHAPE).astype(np.float32),
        defect=rng.random(SHAPE) < 0.02,
    )
    found, left, top = home.run(cutouts, frames, x, y, (7, 9), development=development)
    whole, *corners = cutouts(develop(frames, development), x, y, (7, 9))
    np.testing.assert_allclose(found, whole, rtol=0 if home.name == "numpy" else 1e-6)
    np.testing.assert_array_equal([left, top], corners)


@in_homes(sky_levels)
@pytest.mark.parametrize("estimate", ["median", "mode"])
@pytest.mark.parametrize("kind", ["floats", "levels", "two", "flat"])
def test_sky_levels_are_those_of_the_compiled_text(home: Home, estimate: str, kind: str) -> None:
    rng = np.random.default_rng(1)
    frames: Any = rng.normal(100.0, 4.0, (3, 50, 50)) + rng.exponential(3.0, (3, 50, 50))
    frames[:, 20:23, 35:38] += 200.0
    if kind == "levels":
        frames = np.rint(frames / 3.0).astype(np.uint8)
    if kind == "two":
        frames = 40.0 + (rng.random((3, 50, 50)) < 0.3)
    if kind == "flat":
        frames = np.full((3, 50, 50), 7.0)
    if kind == "floats":
        frames[1, 20:30, 18] = np.nan
    x, y = rng.uniform(-5.0, 55.0, (3, 9)), rng.uniform(-5.0, 55.0, (3, 9))
    x[0, 0] = np.nan
    expected = sky_levels(frames, x, y, 7.0, 13.0, "mode" if estimate == "mode" else "median")
    got = home.run(sky_levels, frames, x, y, 7.0, 13.0, estimate)
    np.testing.assert_array_equal(got.count, expected.count)
    alike(got, expected, ("level", "sigma"), 1e-12, 1e-12)
