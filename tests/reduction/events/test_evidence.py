"""What a run is worth: against slow noise, and against bad samples."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.autoregression import correlation, innovations, process_of
from gpu_kernels.runs import Run
from reduction.events.evidence import (
    Evidence,
    Weighed,
    against_bad,
    bad_among,
    conditional,
    evidence,
    price_of_bad,
)
from reduction.events.results import NoiseModel
from tests.reduction.events.simulated import Floats

WHITE = NoiseModel(1.0, (), 1.0, 0.0)
MEMORY = NoiseModel(
    1.0, (0.5, 0.2), float(np.sqrt(process_of((0.5, 0.2), np.ones(1, bool)).variance[-1])), 3.0
)


def covariance(noise: NoiseModel, n: int) -> Floats:
    rho = correlation(noise.ar, n)
    lag = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return np.asarray(rho[lag], np.float64)


def weighed(values: Floats, run: Run) -> Weighed:
    return Weighed.of(values, np.ones(values.size), np.ones((1, values.size)), run)


def worth(values: Floats, noise: NoiseModel, first: int, stop: int) -> Evidence:
    run = Run(first, stop, 0.0)
    return evidence(weighed(values, run), noise, run)


def noisy(n: int, noise: NoiseModel, seed: int) -> Floats:
    root = np.linalg.cholesky(covariance(noise, n))
    return np.asarray(root @ np.random.default_rng(seed).standard_normal(n), np.float64)


class TestPrice:
    def test_more_bad_samples_are_cheaper(self) -> None:
        prices = [price_of_bad(replace(WHITE, bad_share=s, bad_ratio=6.0), 500) for s in (0.01, 0.1, 0.3)]
        assert prices == sorted(prices, reverse=True)
        assert prices[1] == pytest.approx(2.0 * np.log(0.9 * 6.0 / 0.1))

    def test_where_none_was_seen_long_curves_know_better(self) -> None:
        assert price_of_bad(WHITE, 50) < price_of_bad(WHITE, 5000)


class TestEvidence:
    def test_without_doubt_it_is_the_significance(self) -> None:
        values = noisy(3000, WHITE, 1)
        values[1000:1010] = 0.3 * values[1000:1010] - 2.5
        inside = np.zeros(3000, bool)
        inside[1000:1010] = True
        loss = values[~inside].mean() - values[inside].mean()
        found = worth(values, WHITE, 1000, 1010)
        assert not found.doubted.any()
        assert found.gain == pytest.approx(loss**2 / (1 / 10 + 1 / 2990), rel=0.08)

    @pytest.mark.parametrize("noise", [WHITE, MEMORY])
    def test_one_low_sample_has_its_price_however_low(self, noise: NoiseModel) -> None:
        gains = []
        for depth in (30.0, 300.0, 3000.0):
            values = noisy(300, noise, 2)
            values[150] -= depth
            found = worth(values, noise, 150, 151)
            assert found.doubted[150]
            gains.append(found.gain)
        assert np.ptp(gains) < 1e-6
        precision = np.linalg.inv(covariance(noise, 300))[150, 150]
        assert gains[0] == pytest.approx(price_of_bad(noise, 300) + np.log(precision), abs=0.01)

    @pytest.mark.parametrize("noise", [WHITE, MEMORY])
    @pytest.mark.parametrize("length", [3, 9, 20])
    def test_of_consistent_low_samples_each_is_paid_for(self, noise: NoiseModel, length: int) -> None:
        values = noisy(48, noise, 3)
        values[10 : 10 + length] -= 500.0
        gain = worth(values, noise, 10, 10 + length).gain
        assert gain > (length - 1) * price_of_bad(noise, 48) - 2.0 * length

    def test_many_deep_samples_are_weighed_against_noise_only(self) -> None:
        values = noisy(400, WHITE, 4)
        values[100:200] -= 50.0
        assert 1000.0 < worth(values, WHITE, 100, 200).gain < 400 * np.log(1.0 + 2500.0 * 0.19)

    def test_slow_noise_explains_slow_dips(self) -> None:
        values = 3.0 * np.sin(np.arange(600) / 40.0) + noisy(600, WHITE, 5)
        low = int(np.argmin(np.convolve(values, np.ones(60), "valid")))
        run = Run(low, low + 60, 0.0)
        plain = -values[low : low + 60].sum() / np.sqrt(60)
        assert worth(values, WHITE, run.first, run.stop).gain < 0.3 * plain**2


@pytest.mark.parametrize("seed", range(4))
def test_bad_samples_of_a_run_are_those_that_explain_it_best(seed: int) -> None:
    """The twin tries every choice of the run's samples, with covariance matrices."""
    n, first, stop = 40, 17, 21
    noise = replace(MEMORY, bad_share=0.1, bad_ratio=8.0)
    values = noisy(n, MEMORY, seed)
    values[first:stop] -= np.array([1.0, 6.0, 2.0, 5.0])
    run = Run(first, stop, 0.0)
    samples = weighed(values, run)
    found = against_bad(samples, noise, run)

    full = covariance(noise, n)

    def fit(keep: NDArray[np.intp], columns: Floats) -> float:
        c = full[np.ix_(keep, keep)]
        inverse = np.linalg.inv(c)
        x = columns[keep]
        r = values[keep] - x @ np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ values[keep])
        return float(r @ inverse @ r + np.linalg.slogdet(c)[1])

    level = np.ones((n, 1))
    both = np.hstack([level, -samples.shape[:, None]])
    price = price_of_bad(noise, n)
    bottom = float(np.median(values[first:stop]))
    anywhere = np.clip(2.0 * np.log(2.0 * max(-bottom, 1.0) / np.sqrt(2.0 * np.pi)), 0.0, price)
    costs = np.full(n, price)
    costs[first:stop] = np.where((values > bottom) & (values < 0.0), anywhere, price)[first:stop]

    def best(columns: Floats, costs: Floats, most: int) -> float:
        return min(
            fit(np.setdiff1d(np.arange(n), choice), columns) + float(costs[list(choice)].sum())
            for k in range(most + 1)
            for choice in combinations(range(first, stop), k)
        )

    without = best(level, np.full(n, price), 4)
    assert found.gain >= without - fit(np.arange(n), both) - 1e-6
    assert found.gain <= without + 1.5 - best(both, costs, 3)  # one by one need not find the very best


def test_an_event_without_a_flat_bottom_is_one_all_the_same() -> None:
    """A V of ten samples, hundreds of sigma deep: no flat run explains it, bad samples far less."""
    values = noisy(60, WHITE, 7)
    values[20:30] -= 150.0 - 25.0 * np.abs(np.arange(10) - 4.5)
    samples = weighed(values, Run(20, 30, 0.0))
    assert against_bad(samples, WHITE, Run(20, 30, 0.0)).gain > 20.0
    values[24] += 600.0  # and one bad sample in it changes little
    samples = weighed(values, Run(20, 30, 0.0))
    assert against_bad(samples, WHITE, Run(20, 30, 0.0)).gain > 12.0


def test_conditional_is_what_all_others_leave() -> None:
    n = 60
    values = noisy(n, MEMORY, 6)
    seen = np.ones(n, bool)
    seen[[20, 41]] = False
    process = process_of(MEMORY.ar, seen)
    found = conditional(process, innovations(process, values))
    at = np.flatnonzero(seen)
    precision = np.linalg.inv(covariance(MEMORY, n)[np.ix_(at, at)])
    twin = np.zeros(n)
    twin[at] = precision @ values[at] / np.sqrt(np.linalg.inv(covariance(MEMORY, n))[30, 30])
    assert found == pytest.approx(twin, abs=1e-9)


class TestBadAmong:
    def test_by_itself(self) -> None:
        noise = replace(WHITE, bad_share=0.05, bad_ratio=8.0)
        values = np.zeros(100)
        values[[7, 50]] = -5.0, 2.0
        assert np.flatnonzero(bad_among(values, noise)).tolist() == [7]

    def test_by_its_neighbours(self) -> None:
        """Three sigma would do, but not among samples two sigma above the level."""
        smooth = NoiseModel(1.0, (0.95,), float(np.sqrt(1 - 0.95**2)), 60.0, bad_share=0.05, bad_ratio=8.0)
        values = np.full(100, 1.5)
        values[40] = -1.5
        assert np.flatnonzero(bad_among(values, smooth)).tolist() == [40]
        assert not bad_among(values, replace(smooth, ar=(), innovation=1.0)).any()
