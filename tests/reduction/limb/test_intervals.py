import numpy as np
import pytest
from scipy.special import ive
from scipy.stats import rice

from reduction.events.results import LEVELS
from reduction.limb.intervals import axis_figure, figure, length_figure, quantile, reaching


def test_weighted_quantiles_are_those_of_repeated_values() -> None:
    rng = np.random.default_rng(0)
    values, counts = rng.normal(size=4000), rng.integers(1, 4, 4000)
    repeated = np.repeat(values, counts)
    shares = np.array([0.025, 0.5, 0.84])
    found = quantile(values, counts.astype(float), shares)
    assert found == pytest.approx(np.quantile(repeated, shares), abs=0.01)


def test_a_normal_sample_gives_its_sigma() -> None:
    values = np.random.default_rng(1).normal(5, 2, 100_000)
    found = figure(values, np.ones(values.size))
    assert found.value == pytest.approx(5, abs=0.03)
    assert found.sigma == pytest.approx(2 * 0.9945, rel=0.02)
    assert found.intervals[1] == pytest.approx((5 - 3.92, 5 + 3.92), abs=0.06)


def test_an_interval_reaches_the_bound_where_the_bound_is_likely() -> None:
    rng = np.random.default_rng(2)
    assert figure(np.abs(rng.normal(0, 1, 20_000)), np.ones(20_000), "bounded").intervals[0][0] == 0
    assert figure(np.abs(rng.normal(9, 1, 20_000)), np.ones(20_000), "bounded").intervals[0][0] > 7


@pytest.mark.parametrize("middle", [0.0, 90.0, 179.0])
def test_axes_have_no_seam(middle: float) -> None:
    angles = np.random.default_rng(3).normal(middle, 4, 50_000)
    found = axis_figure(middle, angles, np.ones(angles.size))
    low, high = found.intervals[1]
    assert (low, high) == pytest.approx((middle - 7.84, middle + 7.84), abs=0.9)


def test_an_axis_of_nowhere_has_an_arc_of_nearly_everything() -> None:
    angles = np.random.default_rng(4).uniform(0, 180, 5000)
    low, high = axis_figure(20.0, angles, np.ones(5000)).intervals[1]
    assert 160 < high - low <= 180


def test_an_axis_that_there_may_not_be_points_anywhere() -> None:
    angles = np.random.default_rng(3).normal(40, 4, 50_000)
    found = axis_figure(40.0, angles, np.ones(angles.size), (False, True, True))
    assert found.intervals[0][1] - found.intervals[0][0] < 10
    assert found.intervals[1:] == ((-50.0, 130.0), (-50.0, 130.0))


@pytest.fixture(scope="module")
def belt() -> tuple[np.ndarray, np.ndarray]:
    """Lengths seen, and the intervals ``(n_seen, n_level, 2)`` of the true one, errors of 1, prior flat."""
    seen, true = np.linspace(0.005, 11, 450), np.linspace(0, 16, 1601)
    spans = []
    for one in seen:
        posterior = np.exp(-0.5 * (one - true) ** 2) * ive(0, one * true)
        spans.append(length_figure(true, posterior, true).intervals)
    return seen, np.array(spans)


@pytest.mark.parametrize("true", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.5])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_length_lies_in_its_intervals_as_often_as_they_say(
    belt: tuple[np.ndarray, np.ndarray], level: int, true: float
) -> None:
    seen, spans = belt
    chance = np.diff(rice.cdf(np.concatenate([seen - 0.0125, [np.inf]]), true))
    inside = (spans[:, level, 0] <= true) & (true <= spans[:, level, 1])
    slack = (0.05, 0.02, 0.003)[level]
    assert chance[inside].sum() == pytest.approx(LEVELS[level], abs=slack) or (
        true < 1.5 and LEVELS[level] < chance[inside].sum() < 1
    )


def test_intervals_reach_those_of_what_may_be_the_same() -> None:
    rng = np.random.default_rng(5)
    one, other = figure(rng.normal(10, 1, 9000), np.ones(9000)), figure(rng.normal(8, 1, 9000), np.ones(9000))
    found = reaching(one, other, (False, True, True))
    assert found.value == one.value
    assert found.intervals[0] == one.intervals[0]
    assert found.intervals[1] == (other.intervals[1][0], one.intervals[1][1])
