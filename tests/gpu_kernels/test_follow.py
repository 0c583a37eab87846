"""The fit that follows guide stars, against the fit by error functions and known profiles."""

import math

import numpy as np
import pytest

from gpu_kernels._numba.follow import STEPS, fit_star, profile_tables
from gpu_kernels._numba.stars import SATURATED, SEEN, SHARP
from gpu_kernels.align import fit_stars
from gpu_kernels.detect import FWHM_PER_SIGMA
from reduction.synthetic.psf import star_image

SIZE = 25
SKY = 80.0


def half_of(sigma: float) -> int:
    return max(2, math.ceil(2.5 * sigma))


@pytest.mark.parametrize("sigma", [0.5, 0.9, 1.5, 3.0])
def test_tables_hold_the_gaussian(sigma: float) -> None:
    tables = profile_tables(sigma, half_of(sigma))
    at = (np.arange(tables.shape[1]) - (tables.shape[1] - 2) // 2) / STEPS
    np.testing.assert_allclose(
        tables[0], [0.5 * math.erfc(-e / sigma / math.sqrt(2.0)) for e in at], atol=1e-15
    )
    np.testing.assert_allclose(np.gradient(tables[0], at)[1:-1], tables[1][1:-1], atol=3e-3 / sigma**2)
    np.testing.assert_allclose(np.gradient(tables[1], at)[1:-1], tables[2][1:-1], atol=3e-3 / sigma**3)


@pytest.mark.parametrize("sigma", [0.6, 1.1, 1.6, 2.4])
@pytest.mark.parametrize("flux", [900.0, 40_000.0])
def test_the_fit_is_that_of_fit_stars(sigma: float, flux: float) -> None:
    rng = np.random.default_rng(5)
    half, out, room = half_of(sigma), np.empty(7), np.empty((6, 2 * half_of(sigma) + 2))
    tables = profile_tables(sigma, half)
    for _ in range(20):
        x, y = rng.uniform(11.0, 13.0, 2)
        image = SKY + flux * star_image(x, y, sigma * FWHM_PER_SIGMA, (SIZE, SIZE))
        box = rng.poisson(image).astype(np.float32)
        start = x + rng.uniform(-0.4, 0.4), y + rng.uniform(-0.4, 0.4)
        status = fit_star(box, *start, tables, half, SKY, 1.0, np.inf, room, out)
        twin = fit_stars(box, np.array([start[0]]), np.array([start[1]]), 0, sigma, SKY, 1.0, np.inf)
        assert status == twin.status[0]
        if status == SEEN:
            np.testing.assert_allclose(out[:2], [twin.x[0], twin.y[0]], atol=1e-6)
            assert out[2] == pytest.approx(twin.flux[0], rel=1e-6)
            assert math.hypot(out[4], out[5]) == pytest.approx(twin.error[0] * math.sqrt(2.0), rel=1e-5)
            assert out[6] == pytest.approx(twin.snr[0], rel=1e-5)


def test_what_is_no_star_is_said() -> None:
    sigma, half = 1.4, 4
    tables, room, out = profile_tables(sigma, half), np.empty((6, 10)), np.empty(7)

    def fit(box: np.ndarray, saturation: float = np.inf) -> int:
        return int(
            fit_star(box.astype(np.float32), 12.2, 11.9, tables, half, SKY, 1.0, saturation, room, out)
        )

    star = SKY + 5000.0 * star_image(12.0, 12.0, sigma * FWHM_PER_SIGMA, (SIZE, SIZE))
    assert fit(star) == SEEN
    assert fit(star, saturation=float(star.max()) - 1.0) == SATURATED
    lone = np.full((SIZE, SIZE), SKY)
    lone[12, 12] += 900.0
    assert fit(lone) == SHARP
    assert fit(np.full((SIZE, SIZE), SKY) - star) != SEEN
    torn = star.copy()
    torn[11:14, 12] = np.nan
    assert fit(torn) != SEEN
