import dataclasses

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from reduction.limb.likelihood import Prior, Times, log_likelihood, log_prior, misfit, skewness
from reduction.limb.shape import Ellipse, pack
from tests.reduction.limb.simulated import SPEED, TRUTH, stations, times

X = pack(TRUTH)[None, :]


def lone(offset_km: float, half_s: float, sigma_s: float = 0.1) -> Times:
    """A chord of a circle of 50 km about the origin, passed eastward `offset_km` north of its centre."""
    velocity = np.array([SPEED, 0.0])
    points = np.array([[-half_s * SPEED, offset_km], [half_s * SPEED, offset_km]])
    return times(points, velocity, sigma_s, np.array([-1, 1]), np.array([0, 0]))


CIRCLE = np.array([[0.0, 0.0, np.log(50.0)]])


def exact(x: np.ndarray, relief_km: float, data: Times) -> float:
    found = misfit(data, x, np.array([relief_km]))
    return float((log_likelihood(data, found) + skewness(data, found))[0])


def test_without_relief_it_is_the_normal_density_of_the_times() -> None:
    data = stations(np.random.default_rng(1), n=6, span=0.7)
    found = misfit(data, X, np.zeros(1))
    assert np.std(found.residual_s / 0.1) == pytest.approx(1, abs=0.6)
    expected = norm.logpdf(found.residual_s[0], scale=0.1).sum()
    assert log_likelihood(data, found)[0] == pytest.approx(expected, abs=1e-6)


def test_a_clock_is_common_to_the_times_of_a_chord() -> None:
    data = stations(np.random.default_rng(2), n=3, span=0.6, clock_s=0.3)
    found = misfit(data, X, np.array([1.0]))
    covariance = np.diag(found.variance[0])
    covariance += 0.09 * (data.owner[:, None] == data.owner)
    expected = multivariate_normal.logpdf(found.residual_s[0], np.zeros(6), covariance)
    assert log_likelihood(data, found)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("offset_km", "half_s", "relief_km", "tolerance"),
    [
        (30.0, 3.4, 0.5, 0.01),
        (30.0, 3.1, 2.0, 0.03),
        (44.0, 1.9, 0.5, 0.01),
        (44.0, 1.5, 2.0, 1e-3),
        (49.0, 0.4, 0.5, 1e-3),
        (49.0, 1.1, 2.0, 1e-3),
        (50.5, 0.4, 0.5, 1e-3),
        (50.5, 0.4, 2.0, 1e-3),
        (52.0, 0.1, 0.5, 1e-2),
    ],
)
def test_relief_is_integrated_over_also_where_the_path_grazes(
    offset_km: float, half_s: float, relief_km: float, tolerance: float
) -> None:
    sigma = 0.1

    grid = np.linspace(-9 * relief_km, 9 * relief_km, 400_001)
    values = np.where(
        (50 + grid) ** 2 > offset_km**2,
        norm.pdf(half_s, np.sqrt(np.maximum((50 + grid) ** 2 - offset_km**2, 0)) / SPEED, sigma),
        0,
    ) * norm.pdf(grid, 0, relief_km)
    total = float(np.trapezoid(values, grid))
    seen = exact(CIRCLE, relief_km, lone(offset_km, half_s)) / 2  # D and R alike
    assert seen == pytest.approx(np.log(total), abs=tolerance)


def test_a_miss_counts_by_how_far_outside_it_lies() -> None:
    velocity = np.array([SPEED, 0.0])
    base = lone(0.0, 50 / SPEED)
    for offset, relief in ((52.0, 1.0), (49.0, 1.0)):
        data = dataclasses.replace(
            base,
            miss_point=np.array([[0.0, offset]]),
            miss_velocity=velocity[None, :],
            miss_from_s=np.array([-100.0]),
            miss_to_s=np.array([100.0]),
            miss_shortest_s=np.zeros(1),
        )
        gain = exact(CIRCLE, relief, data) - exact(CIRCLE, relief, base)
        assert gain == pytest.approx(norm.logcdf((offset - 50) / relief), abs=1e-3)
        brief = dataclasses.replace(data, miss_shortest_s=np.array([3.0]))
        assert exact(CIRCLE, relief, brief) > exact(CIRCLE, relief, data)
        early = dataclasses.replace(data, miss_to_s=np.array([-60.0]))  # stopped before the body came
        assert exact(CIRCLE, relief, early) == pytest.approx(exact(CIRCLE, relief, base), abs=1e-6)


def test_a_lone_d_knows_that_the_star_stayed_away() -> None:
    velocity = np.array([SPEED, 0.0])
    d = times(np.array([[-50.0, 0.0]]), velocity, 0.1, np.array([-1]), np.array([0]))
    inside = dataclasses.replace(d, stay_edge=np.array([0]), stay_s=np.array([7.0]))
    beyond = dataclasses.replace(d, stay_edge=np.array([0]), stay_s=np.array([10.0]))
    assert exact(CIRCLE, 0.0, inside) == pytest.approx(exact(CIRCLE, 0.0, d), abs=1e-6)
    assert exact(CIRCLE, 0.0, beyond) < exact(CIRCLE, 0.0, d) - 50


def test_the_prior_holds_its_limits() -> None:
    prior = Prior(100.0, 4.0, 60.0, 0.5)
    inside = pack(Ellipse(0, 0, 52, 50, 10))
    assert np.isfinite(log_prior(prior, inside[None, :])[0])
    assert log_prior(prior, pack(Ellipse(0, 0, 70, 69, 0))[None, :])[0] == -np.inf
    assert log_prior(prior, pack(Ellipse(0, 0, 70, 30, 0))[None, :])[0] == -np.inf


def test_relief_density_over_all_times_is_one() -> None:
    def density(half_s: float) -> float:
        return float(np.exp(exact(CIRCLE, 1.0, lone(30.0, half_s)) / 2))

    assert quad(density, 2.0, 5.0, points=[3.33])[0] == pytest.approx(1, abs=2e-3)
