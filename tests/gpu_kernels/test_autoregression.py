"""Autoregressive noise against its covariance matrix written out, and estimates against truth."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.autoregression import (
    correlation,
    estimated,
    innovations,
    process_of,
    realised,
    transposed,
    weighed,
)

Floats = NDArray[np.float64]
COEFFICIENTS = [(), (0.7,), (0.5, 0.3), (0.3, -0.2, 0.4), (-0.6,), tuple([0.02] * 30)]


def spectrum_covariance(ar: tuple[float, ...], n: int) -> Floats:
    """Covariance of n samples of unit variance, from the spectrum on a fine grid."""
    f = np.arange(1 << 16) / (1 << 16)
    response = np.ones(f.size, complex)
    for j, a in enumerate(ar):
        response -= a * np.exp(-2j * np.pi * f * (j + 1))
    rho = np.fft.ifft(1.0 / np.abs(response) ** 2).real
    at = np.arange(n)
    return np.asarray(rho[np.abs(at[:, None] - at)] / rho[0], np.float64)


def masks(n: int) -> list[NDArray[np.bool_]]:
    rng = np.random.default_rng(5)
    some = rng.random(n) > 0.3
    some[10:18] = False
    first, last, one = np.ones(n, bool), np.ones(n, bool), np.zeros(n, bool)
    first[:3], last[-2:], one[7] = False, False, True
    return [np.ones(n, bool), some, first, last, one, np.zeros(n, bool)]


@pytest.mark.parametrize("ar", COEFFICIENTS)
@pytest.mark.parametrize("mask", range(6))
class TestAgainstTheMatrix:
    N = 48

    def test_products_and_determinant(self, ar: tuple[float, ...], mask: int) -> None:
        seen = masks(self.N)[mask]
        matrix = spectrum_covariance(ar, self.N)[np.ix_(seen, seen)]
        rng = np.random.default_rng(2)
        x, y = rng.standard_normal((2, self.N))
        process = process_of(ar, seen)
        white = innovations(process, np.array([x, np.where(seen, y, np.nan)]))
        assert white[0] @ white[1] == pytest.approx(x[seen] @ np.linalg.solve(matrix, y[seen]), abs=1e-8)
        assert process.log_det == pytest.approx(np.linalg.slogdet(matrix)[1], abs=1e-8)
        whole = np.zeros(self.N)
        whole[seen] = np.linalg.solve(matrix, x[seen])
        np.testing.assert_allclose(weighed(process, x), whole, atol=1e-8)


@pytest.mark.parametrize("ar", COEFFICIENTS)
class TestProcess:
    def test_innovations_give_the_process_back(self, ar: tuple[float, ...]) -> None:
        white = np.random.default_rng(3).standard_normal(100)
        process = process_of(ar, np.ones(100, bool))
        np.testing.assert_allclose(innovations(process, realised(process, white)), white, atol=1e-9)

    def test_correlation(self, ar: tuple[float, ...]) -> None:
        np.testing.assert_allclose(correlation(ar, 40), spectrum_covariance(ar, 41)[0], atol=1e-9)

    def test_covariance_of_many_courses(self, ar: tuple[float, ...]) -> None:
        rng, process = np.random.default_rng(4), process_of(ar, np.ones(12, bool))
        courses = np.array([realised(process, rng.standard_normal(12)) for _ in range(4000)])
        np.testing.assert_allclose(np.cov(courses.T), spectrum_covariance(ar, 12), atol=0.09)


def test_not_stationary() -> None:
    with pytest.raises(ValueError, match="not stationary"):
        process_of((0.7, 0.4), np.ones(3, bool))


def pink(n: int, rng: np.random.Generator) -> Floats:
    f = np.fft.rfftfreq(4 * n)
    f[0] = np.inf
    values = np.fft.irfft(np.fft.rfft(rng.standard_normal(4 * n)) / np.sqrt(f), 4 * n)[:n]
    return np.asarray((values - values.mean()) / values.std(), np.float64)


def long_run(ar: tuple[float, ...]) -> float:
    """Sigma of a long mean over that of white noise of the same sigma."""
    return float(np.sqrt(process_of(ar, np.ones(1, bool)).variance[-1])) / (1.0 - sum(ar))


class TestEstimate:
    @pytest.mark.parametrize("phi", [0.0, 0.2, 0.5, 0.8])
    def test_memory(self, phi: float) -> None:
        rng, process = np.random.default_rng(6), process_of((phi,), np.ones(1500, bool))
        found = [
            estimated(realised(process, rng.standard_normal(1500)), np.ones(1500, bool)) for _ in range(10)
        ]
        assert np.mean([f.sigma for f in found]) == pytest.approx(1.0, abs=0.05)
        truth = np.sqrt((1.0 + phi) / (1.0 - phi))
        assert np.mean([long_run(f.ar) for f in found]) == pytest.approx(truth, rel=0.1)

    def test_bad_samples_change_nothing(self) -> None:
        rng, process = np.random.default_rng(7), process_of((0.6,), np.ones(3000, bool))
        values = realised(process, rng.standard_normal(3000))
        spoilt = np.where(rng.random(3000) < 0.1, 8.0 * rng.standard_normal(3000), values)
        clean, found = (estimated(v, np.ones(3000, bool)) for v in (values, spoilt))
        assert clean.bad_share == 0.0
        assert found.bad_share == pytest.approx(0.1, abs=0.03)
        assert found.bad_ratio == pytest.approx(8.0, rel=0.2)
        assert found.sigma == pytest.approx(clean.sigma, rel=0.05)
        assert long_run(found.ar) == pytest.approx(long_run(clean.ar), rel=0.15)

    @pytest.mark.parametrize("n", [12, 40, 100])
    def test_few_samples_stay_white(self, n: int) -> None:
        rng = np.random.default_rng(8)
        found = [estimated(rng.standard_normal(n), np.ones(n, bool)) for _ in range(40)]
        assert np.median([long_run(f.ar) for f in found]) == pytest.approx(1.0, abs=0.15)
        assert np.median([abs(f.ar[0]) if f.ar else 0.0 for f in found]) < 0.1

    def test_noise_that_fades_slowly_has_a_long_memory(self) -> None:
        rng = np.random.default_rng(9)
        found = estimated(pink(4000, rng), np.ones(4000, bool))
        runs = np.lib.stride_tricks.sliding_window_view(pink(400_000, rng), 64).mean(axis=1).std()
        rho = correlation(found.ar, 63)
        predicted = np.sqrt((1.0 + 2.0 * ((1.0 - np.arange(1, 64) / 64) * rho[1:]).sum()) / 64)
        assert len(found.ar) >= 16
        assert predicted == pytest.approx(float(runs), rel=0.25)

    def test_masked_samples_are_not_looked_at(self) -> None:
        rng = np.random.default_rng(10)
        values, good = rng.standard_normal(500), rng.random(500) > 0.2
        other = np.where(good, values, 1e6)
        assert estimated(values, good) == estimated(other, good)

    @pytest.mark.parametrize("n", [0, 1, 5])
    def test_almost_nothing(self, n: int) -> None:
        assert estimated(np.ones(n), np.ones(n, bool)).ar == ()

    def test_constant(self) -> None:
        assert estimated(np.zeros(200), np.ones(200, bool)).sigma == 0.0


@pytest.mark.parametrize("length", [5, 32, 33, 90])
@pytest.mark.parametrize("gaps", [False, True])
def test_coefficients_equal_over_ranges_are_taken_at_once(length: int, gaps: bool) -> None:
    """The same process with coefficients that differ in the last digit goes lag by lag."""
    ar = (0.3, 0.1, *[0.04] * 2, *[0.015] * 4, *[0.006] * 8, *[0.002] * 16)
    by_lag = tuple(a * (1.0 + 1e-15 * k) for k, a in enumerate(ar))
    seen = np.ones(length, bool)
    seen[2:length:7] = not gaps
    values = np.random.default_rng(4).normal(size=(3, length))
    once, slowly = process_of(ar, seen), process_of(by_lag, seen)
    assert once.bounds.tolist() == [0, 1, 2, 4, 8, 16, 32]
    assert not slowly.bounds.size
    white = innovations(once, values)
    assert white == pytest.approx(innovations(slowly, values), abs=1e-11)
    assert transposed(once, white[0]) == pytest.approx(transposed(slowly, white[0]), abs=1e-11)
