"""Median and mode of the sky against obvious twins."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.photometry import measure
from gpu_kernels.sky import EFFICIENCY, sky_levels

Floats = NDArray[np.float64]


def annulus(frame: Floats, x: float, y: float, inner: float, outer: float) -> Floats:
    rows, columns = np.indices(frame.shape)
    distance = np.hypot(columns - x, rows - y)
    return np.asarray(np.sort(frame[(distance >= inner) & (distance < outer)]), np.float64)


def obvious_level(values: Floats, estimate: str, clip: float = 3.0) -> float:
    """IRAF's way written out, on values without ties."""
    kept, lowest, highest = values, values[0], values[-1]
    for n in range(11):
        median, mean, sigma = np.median(kept), kept.mean(), kept.std(ddof=1)
        mode = mean if mean < median else 3.0 * median - 2.0 * mean
        reach = min(clip * sigma, median - lowest, highest - median) if n == 0 else clip * sigma
        about = mode if estimate == "mode" and n else median
        fewer = kept[np.abs(kept - about) <= reach]
        if n == 10 or fewer.size in (kept.size, 0, 1):
            break
        kept = fewer
    return float(mode if estimate == "mode" else median)


@pytest.mark.parametrize("estimate", ["median", "mode"])
def test_levels_are_those_of_the_twin(estimate: str) -> None:
    rng = np.random.default_rng(1)
    frames = rng.normal(100.0, 4.0, (3, 50, 50)) + rng.exponential(3.0, (3, 50, 50))
    frames[:, 20:23, 35:38] += 200.0
    x, y = rng.uniform(20.0, 30.0, (3, 2)), rng.uniform(20.0, 30.0, (3, 2))
    got = sky_levels(frames, x, y, 7.0, 13.0, "mode" if estimate == "mode" else "median")
    for f, s in np.ndindex(x.shape):
        values = annulus(frames[f], float(x[f, s]), float(y[f, s]), 7.0, 13.0)
        assert got.level[f, s] == pytest.approx(obvious_level(values, estimate), abs=1e-9)


def test_a_median_of_whole_numbers_is_not_quantised() -> None:
    rng = np.random.default_rng(2)
    levels = np.linspace(40.0, 42.0, 200)
    frames = np.rint(rng.normal(levels[:, None, None], 1.2, (200, 41, 41))).astype(np.uint8)
    middle = np.full((200, 1), 20.0)
    got = sky_levels(frames, middle, middle, 6.0, 13.0, "median")
    error = got.level[:, 0] - levels
    assert abs(error.mean()) < 0.02
    assert error.std() < 1.35 * 1.2 / np.sqrt(got.count.mean())


@pytest.mark.parametrize("estimate", ["median", "mode"])
def test_efficiency_is_what_is_stated(estimate: str) -> None:
    frames = np.random.default_rng(3).normal(50.0, 3.0, (1_500, 31, 31))
    middle = np.full((1_500, 1), 15.0)
    got = sky_levels(frames, middle, middle, 6.0, 13.0, "mode" if estimate == "mode" else "median", clip=5.0)
    expected = 3.0 / np.sqrt(got.count.mean() * EFFICIENCY["mode" if estimate == "mode" else "median"])
    assert got.level.std() == pytest.approx(expected, rel=0.07)


def test_mode_lies_nearer_the_sky_than_the_mean_in_a_crowd() -> None:
    rng = np.random.default_rng(4)
    frames = rng.normal(100.0, 3.0, (60, 41, 41)) + 12.0 * (rng.uniform(size=(60, 41, 41)) < 0.15)
    middle = np.full((60, 1), 20.0)
    mode = sky_levels(frames, middle, middle, 6.0, 14.0, "mode").level.mean()
    mean = measure(frames, middle, middle, np.array([3.0]), 6.0, 14.0).sky.mean()
    assert abs(mode - 100.0) < 0.6 * abs(mean - 100.0)


def test_too_few_pixels_give_no_level() -> None:
    frames = np.full((1, 20, 20), 5.0)
    frames[:] = np.nan
    got = sky_levels(frames, [[10.0, np.nan]], [[10.0, 3.0]], 3.0, 6.0, "median")
    assert np.isnan(got.level).all()
    assert (got.count == 0).all()


def test_what_does_not_fit_is_refused() -> None:
    frames, middle = np.zeros((1, 9, 9)), np.array([[4.0]])
    with pytest.raises(ValueError, match="radii"):
        sky_levels(frames, middle, middle, 5.0, 4.0, "median")
    with pytest.raises(ValueError, match="clip"):
        sky_levels(frames, middle, middle, 2.0, 4.0, "median", 0.5)
    with pytest.raises(ValueError, match="needed"):
        sky_levels(frames, middle[0], middle, 2.0, 4.0, "mode")
