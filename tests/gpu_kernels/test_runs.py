"""Matched search for runs against every run written out, in every home."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu_kernels.autoregression import innovations, process_of, realised, transposed
from gpu_kernels.runs import ladder, run_information, strongest_run
from tests.gpu_kernels.homes import Home, in_homes

Floats = NDArray[np.float64]
NOISES = [(), (0.6,), (0.4, 0.3), (-0.5,)]


def prepared(
    values: Floats, sigma: Floats, ar: tuple[float, ...], order: int = 0
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Sums that the search takes, by matrices."""
    n = values.size
    process = process_of(ar, np.ones(n, bool))
    whitening = innovations(process, np.eye(n)).T / sigma[None, :]
    basis = np.vander(np.linspace(-1.0, 1.0, n), order + 1)
    q, _ = np.linalg.qr(whitening @ basis)
    left = whitening @ values
    left = left - q @ (q.T @ left)
    rows = np.vstack([left, q.T]) @ whitening
    total = np.concatenate([np.zeros((order + 2, 1)), np.cumsum(rows, axis=1)], axis=1)
    weight = np.concatenate([[0.0], np.cumsum(sigma**-2)])
    return total[0], total[1:], weight, *run_information(process)


def every_run(
    values: Floats, ar: tuple[float, ...], longest: int, order: int = 0
) -> dict[tuple[int, int], float]:
    """Significance of every run by generalised least squares."""
    n = values.size
    whitening = innovations(process_of(ar, np.ones(n, bool)), np.eye(n)).T
    basis = whitening @ np.vander(np.linspace(-1.0, 1.0, n), order + 1)
    out = {}
    for length in range(1, longest + 1):
        for first in range(n - length + 1):
            run = np.zeros(n)
            run[first : first + length] = -1.0
            design = np.column_stack([basis, whitening @ run])
            found, *_ = np.linalg.lstsq(design, whitening @ values, rcond=None)
            out[first, first + length] = found[-1] / np.sqrt(np.linalg.inv(design.T @ design)[-1, -1])
    return out


def course(seed: int, n: int, ar: tuple[float, ...]) -> Floats:
    rng = np.random.default_rng(seed)
    return realised(process_of(ar, np.ones(n, bool)), rng.standard_normal(n))


@in_homes(strongest_run)
@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize("ar", NOISES)
def test_every_run(home: Home, ar: tuple[float, ...], order: int) -> None:
    for seed in range(4):
        values = course(seed, 40, ar)
        values[12:19] -= 1.5
        arrays = prepared(values, np.ones(40), ar, order)
        found = home.run(strongest_run, *arrays, 30)
        runs = every_run(values, ar, 30, order)
        assert found.significance == pytest.approx(max(runs.values()), rel=0.04)
        assert runs[found.first, found.stop] == pytest.approx(found.significance, rel=0.04)


@in_homes(strongest_run)
def test_sigmas_of_samples(home: Home) -> None:
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.5, 3.0, 200)
    values = sigma * rng.standard_normal(200)
    values[90:110] -= 2.0
    found = home.run(strongest_run, *prepared(values, sigma, ()), 150)
    weight = sigma**-2
    inside = np.zeros(200, bool)
    inside[found.first : found.stop] = True
    means = [np.average(values[part], weights=weight[part]) for part in (inside, ~inside)]
    error = np.sqrt(1.0 / weight[inside].sum() + 1.0 / weight[~inside].sum())
    assert found.significance == pytest.approx((means[1] - means[0]) / error)
    assert abs(found.first - 90) <= 2
    assert abs(found.stop - 110) <= 2


@in_homes(strongest_run)
def test_nothing_low(home: Home) -> None:
    rising = np.zeros(30)
    assert home.run(strongest_run, *prepared(rising, np.ones(30), ()), 20).significance == 0.0


def test_the_ladder_loses_less_than_a_hundredth() -> None:
    lengths = ladder(100_000)
    assert lengths[0] == 1
    assert lengths[-1] == 100_000
    wanted = np.arange(1, 100_001)
    nearest = lengths[np.abs(np.log(wanted[:, None] / lengths)).argmin(axis=1)]
    ratio = np.minimum(wanted, nearest) / np.maximum(wanted, nearest)
    assert np.sqrt(ratio).min() > 0.99
    assert ladder(0).size == 0


@pytest.mark.parametrize("ar", NOISES)
def test_information_is_that_of_the_matrix(ar: tuple[float, ...]) -> None:
    n, p = 60, len(ar)
    whitening = innovations(process_of(ar, np.ones(n, bool)), np.eye(n)).T
    precision = whitening.T @ whitening
    inside, ending = run_information(process_of(ar, np.ones(n, bool)))
    for length in (1, 2, 5, 20):
        first = p + 3
        assert precision[first : first + length, first : first + length].sum() == pytest.approx(
            inside[length]
        )
        assert precision[:length, :length].sum() == pytest.approx(ending[length])
        assert precision[n - length :, n - length :].sum() == pytest.approx(ending[length])


def test_transposed_is_the_transpose() -> None:
    seen = np.random.default_rng(4).random(30) > 0.2
    process = process_of((0.5, 0.2), seen)
    whitening = innovations(process, np.eye(30)).T
    x = np.random.default_rng(5).standard_normal(30)
    # what is missing takes the value that the others lead one to expect, so its column is nought
    np.testing.assert_allclose(
        transposed(process, innovations(process, x)), whitening.T @ whitening @ x, atol=1e-12
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(1e-3, 1e3), which=st.sampled_from(NOISES))
def test_scale_and_direction_of_time_do_not_matter(seed: int, scale: float, which: tuple[float, ...]) -> None:
    values, n = course(seed, 80, which), 80
    one = strongest_run(*prepared(values, np.ones(n), which), 60)
    scaled = strongest_run(*prepared(scale * values, np.full(n, scale), which), 60)
    back = strongest_run(*prepared(values[::-1].copy(), np.ones(n), which), 60)
    assert (scaled.first, scaled.stop) == (one.first, one.stop)
    assert scaled.significance == pytest.approx(one.significance, rel=1e-9)
    assert back.significance == pytest.approx(one.significance, rel=0.02)
