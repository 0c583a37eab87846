"""Stellar discs: against counting points of the disc."""

import numpy as np
import pytest

from reduction.events.disc import Penumbra, body_on_disc, overlap, overlap_darkened, strip_weights

_RNG = np.random.default_rng(4)


def _disc(n: int, darkening: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the unit disc on a fine raster, and their brightness."""
    y, x = np.mgrid[-1 : 1 : n * 1j, -1 : 1 : n * 1j]
    inside = x * x + y * y < 1
    mu = np.sqrt(np.clip(1 - x * x - y * y, 0, None))
    light = np.where(inside, 1 - darkening * (1 - mu), 0.0)
    return x, y, light / light.sum()


@pytest.mark.parametrize("darkening", [0.0, 0.5, 1.0])
def test_penumbra_is_the_part_of_the_disc_behind_the_limb(darkening: float) -> None:
    x, _, light = _disc(1401, darkening)
    for at in (-1.2, -0.7, -0.1, 0.0, 0.4, 0.95, 1.5):
        found = Penumbra(2.0, darkening).taken(np.array([2.0 * at]))[0]
        assert found == pytest.approx(light[x < at].sum(), abs=2e-3)


@pytest.mark.parametrize("darkening", [0.0, 0.6])
@pytest.mark.parametrize("body", [0.3, 0.71, 1.0, 1.7])
def test_overlap_is_the_part_of_the_disc_behind_the_body(body: float, darkening: float) -> None:
    x, y, light = _disc(901, darkening)
    for distance in (0.0, 0.2, 0.9, 1.3, 1.9, 3.0):
        hidden = light[np.hypot(x - distance, y) < body].sum()
        assert overlap_darkened(np.array([distance]), 1.0, body, darkening)[0] == pytest.approx(
            hidden, abs=4e-3
        )


def test_overlap_of_whole_discs() -> None:
    np.testing.assert_allclose(overlap(np.array([0.0, 0.3, 13.0]), 7.0, 5.0), [25 / 49, 25 / 49, 0.0])
    np.testing.assert_allclose(overlap(np.array([0.0, 12.0]), 2.0, 5.0), [1.0, 0.0])


def test_a_large_body_is_a_straight_limb() -> None:
    t = np.linspace(-1.5, 1.5, 13)
    straight = Penumbra(1.0).taken(t)
    np.testing.assert_allclose(overlap(5000.0 - t, 1.0, 5000.0), straight, atol=1e-3)


def test_strips_weigh_as_the_disc() -> None:
    for darkening in (0.0, 0.7):
        x, _, light = _disc(1401, darkening)
        places, weights = strip_weights(40, darkening)
        assert weights.sum() == pytest.approx(1.0)
        assert (weights * np.cos(3 * places)).sum() == pytest.approx((light * np.cos(3 * x)).sum(), abs=1e-4)


def test_exposures_are_means_of_the_passage() -> None:
    start = np.array([-2.5, -1.0, -0.2, 1.1])
    stop = start + 0.5
    fine = np.linspace(0, 0.5, 20_001)[None, :] + start[:, None]
    slow = overlap(np.hypot(fine - 0.1, 0.4), 1.2, 0.9).mean(axis=1)
    np.testing.assert_allclose(body_on_disc(start, stop, 0.1, 1.2, 0.9, 0.4), slow, atol=2e-4)
