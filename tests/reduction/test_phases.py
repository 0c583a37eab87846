"""How much of the places within a pixel a recording shows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.phases import PixelPhases, phases_of

Floats = NDArray[np.float64]
EVERY = np.ones(1999, np.bool_)


def wave(at: Floats, phase: float) -> Floats:
    """What varies once per pixel, with unit variance over all places."""
    return np.asarray(np.sqrt(2.0) * np.cos(2.0 * np.pi * (at + phase)), np.float64)


@pytest.mark.parametrize("jitter", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("drift", [0.0, 0.5, 7.3])
def test_shares_are_those_of_a_wave(jitter: float, drift: float) -> None:
    at = np.linspace(0.0, drift, 2000)[:, None] + np.random.default_rng(3).normal(0.0, jitter, (2000, 2))
    found = phases_of(at, EVERY)
    starts = np.linspace(0.0, 1.0, 16, endpoint=False)
    seen = np.mean([wave(at[:, axis], s).var() for s in starts for axis in (0, 1)])
    steps = np.mean([np.diff(wave(at[:, axis], s)) ** 2 / 2.0 for s in starts for axis in (0, 1)])
    assert found.seen == pytest.approx(seen, rel=1e-6)
    assert found.between == pytest.approx(steps, rel=1e-6)


def test_only_neighbours_tell_of_neighbours() -> None:
    at = np.repeat([[0.0, 0.0], [0.5, 0.5]], 2, axis=0)
    found = phases_of(at, np.array([True, False, True]))
    assert found.seen == pytest.approx(1.0)
    assert found.between == pytest.approx(0.0)
    assert phases_of(at, np.zeros(3, np.bool_)).between == pytest.approx(1.0)


def test_a_field_that_stands_still_shows_nothing() -> None:
    assert phases_of(np.full((50, 2), 0.3), np.ones(49, np.bool_)).seen == pytest.approx(0.0, abs=1e-12)
    assert phases_of(np.empty((0, 2)), np.empty(0, np.bool_)) == PixelPhases(0.0, 0.0)
