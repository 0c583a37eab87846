import numpy as np
import pytest

from reduction.limb.intervals import axis_figure, figure, interval, quantile


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
    assert interval(np.abs(rng.normal(0, 1, 20_000)), np.ones(20_000), 0.68, "bounded")[0] == 0
    assert interval(np.abs(rng.normal(9, 1, 20_000)), np.ones(20_000), 0.68, "bounded")[0] > 7


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
