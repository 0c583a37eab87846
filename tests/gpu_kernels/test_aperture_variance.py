"""Variance of aperture sums against photutils' weights and simulated noise."""

import math

import numpy as np
import pytest
from photutils.aperture import CircularAperture

from gpu_kernels.photometry import aperture_sums
from gpu_kernels.variance import aperture_variance, ring_variance
from tests.gpu_kernels.homes import Home, in_homes


@in_homes(aperture_variance)
def test_squares_of_photutils_weights(home: Home) -> None:
    rng = np.random.default_rng(2)
    variance = rng.uniform(1, 9, (2, 40, 50)).astype(np.float32)
    x, y, radii = rng.uniform(-2, 51, (2, 5)), rng.uniform(-2, 41, (2, 5)), np.array([1.0, 3.3, 6.0])
    x[0, 0] = np.nan
    found = home.run(aperture_variance, variance, x, y, radii)
    assert np.isnan(found[0, 0]).all()
    for f, s, k in np.ndindex(found.shape):
        if (f, s) == (0, 0):
            continue
        mask = CircularAperture((x[f, s], y[f, s]), radii[k]).to_mask(method="exact")
        image = mask.to_image((40, 50))
        twin = 0.0 if image is None else float((image**2 * variance[f]).sum())
        assert found[f, s, k] == pytest.approx(twin, rel=1e-10, abs=1e-10)
    plain = aperture_sums(variance, x, y, radii)[0]
    assert (found[1] <= plain[1] + 1e-9).all()
    assert home.run(aperture_variance, variance, np.empty((2, 0)), np.empty((2, 0)), radii).shape == (2, 0, 3)


@in_homes(ring_variance)
def test_squares_of_what_a_ring_covers(home: Home) -> None:
    rng = np.random.default_rng(4)
    variance = rng.uniform(1, 9, (2, 40, 50)).astype(np.float32)
    x, y, radii = rng.uniform(-2, 51, (2, 5)), rng.uniform(-2, 41, (2, 5)), np.array([1.0, 1.4, 3.3, 6.0])
    x[0, 0] = np.nan
    found = home.run(ring_variance, variance, x, y, radii)
    assert np.isnan(found[0, 0]).all()
    for f, s in np.ndindex(2, 5):
        if (f, s) == (0, 0):
            continue
        inside = np.zeros((40, 50))
        for k, radius in enumerate(radii):
            image = CircularAperture((x[f, s], y[f, s]), radius).to_mask(method="exact").to_image((40, 50))
            covered = inside if image is None else image
            twin = float(((covered - inside) ** 2 * variance[f]).sum())
            assert found[f, s, k] == pytest.approx(twin, rel=1e-9, abs=1e-9)
            inside = covered
    assert home.run(ring_variance, variance, np.empty((2, 0)), np.empty((2, 0)), radii).shape == (2, 0, 4)


def test_is_the_scatter_of_sums() -> None:
    rng = np.random.default_rng(3)
    frames = rng.normal(0.0, 3.0, (3000, 15, 15))
    place = np.full((3000, 1), 7.3), np.full((3000, 1), 6.9)
    sums, _ = aperture_sums(frames, *place, [2.0])
    said = aperture_variance(np.full((1, 15, 15), 9.0), place[0][:1], place[1][:1], [2.0])
    assert float(sums.std()) == pytest.approx(math.sqrt(float(said[0, 0, 0])), rel=0.05)
