"""Flanks against slow integration, and what they must tend to."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from reduction.events.diffraction import Fringes, Light
from reduction.events.disc import Penumbra
from reduction.events.flanks import Flank, left_at_r, taken_at_d, touching, well
from reduction.events.gradual import Isothermal
from reduction.events.square import Sharp

FLANKS: dict[str, Callable[[], Flank]] = {
    "sharp": Sharp,
    "penumbra": lambda: Penumbra(1.3),
    "darkened": lambda: Penumbra(0.7, 0.6),
    "isothermal": lambda: Isothermal(0.4),
    "fringes": lambda: Fringes(0.5, Light(0.4)),
    "fringes-of-a-disc": lambda: Fringes(0.5, Light(0.4, 0.8, 0.5)),
}


def _mean(flank: Flank, start: float, stop: float, kinks: list[float]) -> float:
    inside = [k for k in kinks if start < k < stop]
    edges = [start, *inside, stop]
    total = sum(
        quad(lambda t: float(flank.taken(np.array([t]))[0]), a, b, limit=400, epsabs=1e-10)[0]
        for a, b in pairwise(edges)
    )
    return float(total) / (stop - start)


@pytest.mark.parametrize("name", FLANKS)
def test_the_mean_over_an_exposure_is_the_integral(name: str) -> None:
    flank = FLANKS[name]()
    for start, exposure in ((-2.3, 0.4), (-0.3, 0.5), (0.05, 0.01), (-1.0, 3.0), (1.2, 0.7)):
        found = taken_at_d(flank, np.array([start]), np.array([start + exposure]), np.array([0.0]))[0, 0]
        assert found == pytest.approx(_mean(flank, start, start + exposure, [0.0]), abs=2e-6), (
            start,
            exposure,
        )


@pytest.mark.parametrize("name", FLANKS)
def test_from_nothing_to_all(name: str) -> None:
    flank = FLANKS[name]()
    far = flank.taken(np.array([-60.0, 60.0]))
    assert far[0] == pytest.approx(0.0, abs=1e-4)
    assert far[1] == pytest.approx(1.0, abs=0.01)  # light bent by an atmosphere never quite goes
    rise = flank.rise_s()
    assert rise == 0.0 if name == "sharp" else 0.1 < rise < 8.0


@pytest.mark.parametrize("name", ["penumbra", "darkened", "isothermal"])
def test_rise_is_from_ten_to_ninety_percent(name: str) -> None:
    flank = FLANKS[name]()
    t = np.linspace(-20, 20, 400_001)
    taken = flank.taken(t)
    assert flank.rise_s() == pytest.approx(
        float(np.interp(0.9, taken, t) - np.interp(0.1, taken, t)), abs=1e-3
    )


def test_isothermal_obeys_baum_and_code() -> None:
    t = np.array([-3.0, -0.5, 0.0, 0.8, 6.0])
    flux = 1.0 - Isothermal(1.0).taken(t)
    np.testing.assert_allclose((1 / flux - 2) + np.log(1 / flux - 1), t, atol=1e-12)
    assert flux[2] == pytest.approx(0.5)


@given(
    st.floats(-5, 5),
    st.floats(0.01, 8),
    st.floats(0.01, 2.0),
    st.lists(st.floats(-8, 8), min_size=1, max_size=5),
)
@settings(max_examples=80, deadline=None)
def test_a_square_well_is_what_each_exposure_shares_with_the_event(
    d: float, length: float, exposure: float, starts: list[float]
) -> None:
    start = np.array(starts)
    gone = well((Sharp(), Sharp()), start, start + exposure, d, d + length)
    for s, share in zip(starts, gone, strict=True):
        common = max(0.0, min(s + exposure, d + length) - max(s, d))
        assert share == pytest.approx(common / exposure, abs=1e-9)


def test_both_limbs_make_the_well_and_an_absent_one_is_far() -> None:
    start = np.arange(0.0, 10.0)
    stop = start + 0.6
    flanks = (Penumbra(0.8), Penumbra(1.6))
    d = taken_at_d(flanks[0], start, stop, np.array([3.0]))
    r = left_at_r(flanks[1], start, stop, np.array([7.0]))
    np.testing.assert_allclose(well(flanks, start, stop, 3.0, 7.0), (d - r)[0])
    np.testing.assert_allclose(well(flanks, start, stop, -np.inf, 7.0), 1.0 - r[0])
    np.testing.assert_allclose(well(flanks, start, stop, 3.0, np.inf), d[0])
    mirrored = well((flanks[1], flanks[0]), -stop[::-1], -start[::-1], -7.0, -3.0)[::-1]
    np.testing.assert_allclose(well(flanks, start, stop, 3.0, 7.0), mirrored, atol=1e-12)


@pytest.mark.parametrize("name", FLANKS)
def test_beyond_its_reach_a_flank_takes_nothing_or_all(name: str) -> None:
    flank = FLANKS[name]()
    reach = flank.reach_s()
    if np.isfinite(reach):
        far = reach + np.array([1e-9, 0.3, 7.0])
        np.testing.assert_allclose(flank.taken(-far), 0.0, atol=1e-14)
        np.testing.assert_allclose(flank.taken(far), 1.0, rtol=1e-14)
        np.testing.assert_allclose(flank.integral(-far), 0.0, atol=1e-14)
        np.testing.assert_allclose(flank.integral(far), far, rtol=1e-12)


@pytest.mark.parametrize("name", FLANKS)
def test_exposures_without_gaps_give_what_each_gives_alone(name: str) -> None:
    flank = FLANKS[name]()
    middle = 1.7 + 0.04 * np.arange(200, dtype=np.float64)
    start, stop = middle - 0.02, middle + 0.02  # equal but for the last bits
    assert touching(start, stop)
    assert not touching(start, stop - 1e-6)
    assert not touching(np.delete(start, 7), np.delete(stop, 7))
    at = np.array([2.0, 3.333, 9.0])
    for mean in (taken_at_d, left_at_r):
        together = mean(flank, start, stop, at)
        alone = np.column_stack([mean(flank, start[i : i + 1], stop[i : i + 1], at) for i in range(200)])
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-9)
