"""Stars that are picked are where they were put, as wide and as bright; where none is, none is found."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import erf

from reduction.errors import DataError
from reduction.picking import FWHM, best_seeing, pick

Floats = NDArray[np.float64]
SHAPE = (96, 120)


def light(at: Floats, centre: float, sigma: float) -> Floats:
    """Share of a Gaussian on each pixel of a line."""
    root = sigma * np.sqrt(2.0)
    return np.asarray(0.5 * (erf((at + 0.5 - centre) / root) - erf((at - 0.5 - centre) / root)))


def sky_with(
    stars: list[tuple[float, float, float, float]], seed: int = 0, noise: float = 5.0
) -> NDArray[np.float32]:
    """Pixel-integrated Gaussians (x, y, flux, sigma) on a noisy sky of 100."""
    image = np.random.default_rng(seed).normal(100.0, noise, SHAPE)
    rows, columns = np.arange(SHAPE[0], dtype=float), np.arange(SHAPE[1], dtype=float)
    for x, y, flux, sigma in stars:
        image += flux * light(rows, y, sigma)[:, None] * light(columns, x, sigma)
    return image.astype(np.float32)


@pytest.mark.parametrize("sigma", [0.9, 1.6, 3.0])
def test_errors_say_how_far_off_it_is(sigma: float) -> None:
    pulls = []
    for seed in range(40):
        x, y = 60.0 + 0.37 * (seed % 5), 50.0 - 0.21 * (seed % 7)
        star = pick(sky_with([(x, y, 6000.0, sigma)], seed), x + 3.0, y - 4.0)
        pulls.append(((star.x - x) / star.error, (star.y - y) / star.error))
        # a pixel widens a Gaussian by a twelfth of a square pixel
        assert star.fwhm == pytest.approx(FWHM * np.hypot(sigma, 12**-0.5), rel=0.12)
        assert star.flux == pytest.approx(6000.0 * 0.985, abs=5 * star.flux_error + 150.0)
        assert not star.saturated
    assert 0.6 < np.std(pulls) < 1.5
    assert abs(np.mean(pulls)) < 0.5


def test_where_there_is_no_star() -> None:
    empty = sky_with([])
    for x, y in ((60.0, 50.0), (30.0, 40.0)):
        with pytest.raises(DataError, match="no star"):
            pick(empty, x, y)
    with pytest.raises(DataError, match="edge"):
        pick(sky_with([(5.0, 50.0, 9000.0, 1.5)]), 5.0, 50.0)
    with pytest.raises(DataError, match="not on the frame"):
        pick(empty, 500.0, 50.0)
    with pytest.raises(DataError):
        pick(np.full(SHAPE, np.nan, np.float32), 50.0, 50.0)


def test_saturation_and_hot_pixels() -> None:
    bright = sky_with([(60.0, 50.0, 60_000.0, 2.0)])
    assert pick(np.minimum(bright, 1000.0), 60.0, 50.0).saturated
    assert pick(bright, 60.0, 50.0, full_scale=800.0).saturated
    assert not pick(bright, 60.0, 50.0).saturated
    hot = sky_with([(60.0, 50.0, 6000.0, 1.5)])
    hot[54, 64] = 1000.0
    assert pick(hot, 61.0, 51.0).x == pytest.approx(60.0, abs=0.3)


def test_the_best_frame_has_the_narrowest_stars_and_all_of_them() -> None:
    places = [(20.0, 20.0), (90.0, 30.0), (40.0, 70.0), (100.0, 75.0), (60.0, 45.0), (25.0, 50.0)]
    widths = [2.2, 1.9, 1.4, 1.7, 1.2]
    frames = [sky_with([(x, y, 8000.0, sigma) for x, y in places], n) for n, sigma in enumerate(widths)]
    frames[4] = sky_with([(x, y, 8000.0, 1.0) for x, y in places[:2]], 9)  # narrow, and most are gone
    best, all_of_them = best_seeing(lambda n: frames[n], range(5))
    assert best is not None
    assert best.frame == 2
    assert len(all_of_them) == 5
