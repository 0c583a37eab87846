"""Star fits on sparse pixels against a general least-squares solver, and against their own errors."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares

from gpu_kernels._numba.stars import OFF, SEEN
from gpu_kernels.sparse import fit_sparse
from reduction.capture import profile

Floats = NDArray[np.float64]
SIGMA = 0.85
COLOURS = np.array([[2.4, 0.8, 0.7, 0.1], [0.3, 1.0, 1.0, 1.7]])
SKY = np.array([60.0, 90.0, 95.0, 40.0])
SIZE = 32


def kinds(size: int = SIZE) -> NDArray[np.intp]:
    rows, columns = np.indices((size, size))
    return np.asarray(2 * (rows % 2) + columns % 2, np.intp)


def star(x: float, y: float, flux: float, colour: Floats) -> Floats:
    light = profile(-y, SIZE, 1, SIGMA)[:, None] * profile(-x, SIZE, 1, SIGMA)[None, :]
    return np.asarray(flux * colour[kinds()] * light, np.float64)


def mosaic(x: float, y: float, flux: float, colour: Floats) -> Floats:
    return np.asarray(star(x, y, flux, colour) + SKY[kinds()], np.float64)


def fitted(frame: Floats, x: float, y: float, colour: Floats, row: int | None = None) -> tuple[float, ...]:
    fits = fit_sparse(
        frame.astype(np.float32), np.array([x]), np.array([y]), colour[None], row, SIGMA, 80.0, 1.0
    )
    assert fits.status[0] == SEEN
    return tuple(float(z[0]) for z in (fits.x, fits.y, fits.flux, fits.error, fits.snr))


class TestMosaic:
    @pytest.mark.parametrize("place", [(15.0, 16.0), (15.4, 16.3), (16.5, 15.5), (14.9, 17.2)])
    @pytest.mark.parametrize("colour", COLOURS)
    def test_exact_without_noise(self, place: tuple[float, float], colour: Floats) -> None:
        x, y, flux, _, _ = fitted(mosaic(*place, 9_000.0, colour), place[0] + 0.4, place[1] - 0.3, colour)
        assert (x, y) == pytest.approx(place, abs=1e-3)
        assert flux == pytest.approx(9_000.0, rel=1e-3)

    def test_twin(self) -> None:
        """Weighted least squares by a general solver: same window, same weights, four skies."""
        rng = np.random.default_rng(2)
        truth = mosaic(15.3, 16.2, 3_000.0, COLOURS[0])
        frame = truth + rng.normal(0, np.sqrt(80.0 + truth - SKY[kinds()]))
        x, y, flux, error, _ = fitted(frame, 15.0, 16.0, COLOURS[0])
        half = max(3, int(np.ceil(2.5 * SIGMA)))
        box = np.s_[round(y) - half : round(y) + half + 1, round(x) - half : round(x) + half + 1]
        weight = 1.0 / np.sqrt(80.0 + star(x, y, flux, COLOURS[0])[box])

        def residuals(p: Floats) -> Floats:
            model = star(p[0], p[1], 1e3 * p[2], COLOURS[0]) + p[3:][kinds()]
            return np.asarray(((frame - model)[box] * weight).ravel(), np.float64)

        twin = least_squares(residuals, np.array([15.0, 16.0, 3.0, *SKY]))
        np.testing.assert_allclose([x, y, flux / 1e3], twin.x[:3], atol=2e-3)
        covariance = np.linalg.inv(twin.jac.T @ twin.jac)
        assert error == pytest.approx(np.sqrt(0.5 * (covariance[0, 0] + covariance[1, 1])), rel=0.02)

    def test_errors_are_those_of_noise(self) -> None:
        rng = np.random.default_rng(8)
        pulls = []
        for _ in range(300):
            across, down = (15.0 + rng.random(2)).tolist()
            truth = mosaic(across, down, 2_000.0, COLOURS[1])
            frame = truth + rng.normal(0, np.sqrt(80.0 + truth - SKY[kinds()]))
            x, y, _, error, _ = fitted(frame, round(across), round(down), COLOURS[1])
            pulls += [(x - across) / error, (y - down) / error]
        assert np.std(pulls) == pytest.approx(1.0, abs=0.1)
        assert abs(np.mean(pulls)) < 0.15


class TestField:
    @pytest.mark.parametrize("row", [0, 1])
    @pytest.mark.parametrize("y", [15.0, 15.6, 16.3])
    def test_other_rows_do_not_matter(self, row: int, y: float) -> None:
        one = np.ones(4)
        frame = star(15.7, y, 5_000.0, one) + 70.0
        frame[1 - row :: 2] = np.random.default_rng(1).normal(500, 300, frame[1 - row :: 2].shape)
        found = fitted(frame, 15.5, y + 0.3, one, row)
        assert found[:2] == pytest.approx((15.7, y), abs=2e-3)
        assert found[2] == pytest.approx(5_000.0, rel=2e-3)


class TestWhereThereIsNothing:
    def test_off_the_frame(self) -> None:
        frame = np.full((SIZE, SIZE), 50.0, np.float32)
        far = np.array([-40.0, np.nan]), np.array([5.0, 5.0])
        fits = fit_sparse(frame, *far, np.ones((2, 4)), None, SIGMA, 80.0, 1.0)
        assert (fits.status == OFF).all()
        assert not np.isfinite(fits.x).any()

    def test_no_star(self) -> None:
        frame = np.full((SIZE, SIZE), 50.0, np.float32)
        frame[14:18, 14:18] = 10.0
        fits = fit_sparse(frame, np.array([15.5]), np.array([15.5]), np.ones((1, 4)), None, SIGMA, 80.0, 1.0)
        assert fits.status[0] != SEEN
