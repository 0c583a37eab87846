"""Centroids against sep's windowed positions, photutils and known truth."""

import math

import numpy as np
import pytest
import sep
from numpy.typing import NDArray
from photutils.centroids import centroid_2dg, centroid_sources

from gpu_kernels._numba.stars import SEEN
from gpu_kernels.align import fit_stars
from gpu_kernels.centroid import Centroids, gaussian_centroids, windowed_centroids
from reduction.synthetic import position_bound_px, star_image
from tests.gpu_kernels.homes import Home, in_homes

Floats = NDArray[np.float64]
FWHM = 3.4
SIGMA = FWHM / 2.3548
SKY = 60.0


def frames_of(
    n: int, flux: float, seed: int | None, side: int = 3, step: int = 25
) -> tuple[Floats, Floats, Floats]:
    """Frames of side x side stars on a noisy sky, and where they are, (n, s)."""
    rng = np.random.default_rng(17 if seed is None else seed)
    grid = np.arange(side) * step + step // 2
    x, y = (z.ravel() + rng.uniform(-0.5, 0.5, (n, side * side)) for z in np.meshgrid(grid, grid))
    frames = np.full((n, side * step, side * step), SKY)
    for f, s in np.ndindex(x.shape):
        left, top = int(x[f, s]) - 11, int(y[f, s]) - 11
        box = star_image(float(x[f, s]) - left, float(y[f, s]) - top, FWHM, (23, 23))
        frames[f, top : top + 23, left : left + 23] += flux * box
    return (frames if seed is None else rng.poisson(frames).astype(np.float64)), x, y


@in_homes(windowed_centroids)
@pytest.mark.parametrize("flux", [2_000.0, 50_000.0])
def test_as_sep_has_it(home: Home, flux: float) -> None:
    frames, x, y = frames_of(2, flux, 5)
    start = np.round(x), np.round(y)
    found: Centroids = home.run(windowed_centroids, frames, *start, SIGMA, np.full(x.shape, SKY))
    for f in range(2):
        peer_x, peer_y, flag = sep.winpos(frames[f] - SKY, start[0][f], start[1][f], SIGMA, subpix=0)
        assert not flag.any()
        np.testing.assert_allclose(found.x[f], peer_x, atol=1e-3)
        np.testing.assert_allclose(found.y[f], peer_y, atol=1e-3)


@in_homes(windowed_centroids)
def test_without_noise_it_is_the_truth(home: Home) -> None:
    frames, x, y = frames_of(2, 1_000.0, None)
    found = home.run(windowed_centroids, frames, np.round(x), np.round(y), SIGMA, SKY)
    np.testing.assert_allclose(found.x, x, atol=2e-3)
    np.testing.assert_allclose(found.y, y, atol=2e-3)


@in_homes(windowed_centroids, gaussian_centroids)
@pytest.mark.parametrize(("flux", "above"), [(1_500.0, 1.35), (30_000.0, 1.35)])
def test_scatter_is_as_said_and_near_the_bound(home: Home, flux: float, above: float) -> None:
    frames, x, y = frames_of(12, flux, 8, side=5)
    start = np.round(x), np.round(y)
    bound = position_bound_px(flux, FWHM, SKY, 0.0)
    window = home.run(windowed_centroids, frames, *start, SIGMA, SKY, SKY, 1.0)
    fit = home.run(gaussian_centroids, frames, *start, SIGMA, SKY, 1.0)
    assert (fit.status == SEEN).all()
    for found, most in ((window, above), (fit, 1.1)):
        off = np.concatenate([(found.x - x).ravel(), (found.y - y).ravel()])
        assert 0.9 < off.std() / bound < most
        assert float(np.median(found.error)) == pytest.approx(off.std(), rel=0.12)


def test_no_worse_than_photutils() -> None:
    frames, x, y = frames_of(4, 6_000.0, 3)
    start = np.round(x), np.round(y)
    fit = gaussian_centroids(frames, *start, SIGMA, SKY, 1.0)
    window = windowed_centroids(frames, *start, SIGMA, SKY)
    peer = [
        centroid_sources(frames[f] - SKY, start[0][f], start[1][f], box_size=11, centroid_func=centroid_2dg)
        for f in range(4)
    ]
    theirs = math.hypot(*(np.std(np.stack([p[k] for p in peer]) - (x, y)[k]) for k in (0, 1)))
    assert math.hypot(np.std(fit.x - x), np.std(fit.y - y)) <= 1.02 * theirs
    assert math.hypot(np.std(window.x - x), np.std(window.y - y)) <= 1.25 * theirs
    apart = np.stack([p[0] for p in peer]) - fit.x
    assert np.abs(apart).max() < 0.06


@in_homes(gaussian_centroids)
def test_fits_are_those_of_single_frames(home: Home) -> None:
    frames, x, y = frames_of(3, 4_000.0, 4)
    start = np.round(x), np.round(y)
    found = home.run(gaussian_centroids, frames, *start, SIGMA, SKY, 1.0, np.inf, 2)
    for f in range(3):
        one = fit_stars(frames[f], start[0][f], start[1][f], 2, SIGMA, SKY, 1.0, np.inf)
        np.testing.assert_array_equal(found.status[f], one.status)
        for name in ("x", "y", "flux", "error", "snr"):
            np.testing.assert_allclose(getattr(found, name)[f], getattr(one, name), rtol=1e-8)
    none = home.run(gaussian_centroids, frames[:0], x[:0], y[:0], SIGMA, SKY, 1.0)
    assert none.x.shape == (0, 9)


@in_homes(windowed_centroids)
def test_what_has_no_centroid_is_nan(home: Home) -> None:
    frames, x, y = frames_of(1, 5_000.0, 6)
    x, y = x.copy(), y.copy()
    x[0, 0], y[0, 1], x[0, 2] = np.nan, np.inf, -50.0
    frames[0, int(y[0, 3]) + 3, int(x[0, 3])] = np.nan
    found = home.run(windowed_centroids, frames, x, y, SIGMA, SKY)
    assert np.isnan(found.x[0, :3]).all()
    assert np.isfinite(found.x[0, 3:]).all()
    dark = home.run(windowed_centroids, np.zeros_like(frames), x, y, SIGMA, SKY)
    assert np.isnan(dark.x).all()
    none = np.empty((1, 0))
    assert home.run(windowed_centroids, frames, none, none, SIGMA).x.shape == (1, 0)
