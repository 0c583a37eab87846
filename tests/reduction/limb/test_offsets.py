import dataclasses

import numpy as np
import pytest

from reduction.limb.causes import likeliest_causes
from reduction.limb.ellipse import fit_limb
from reduction.limb.likelihood import Prior, Times
from reduction.limb.offsets import find_offsets, released
from tests.reduction.limb.simulated import TRUTH, stations


def shifted(data: Times, shifts: dict[int, float]) -> Times:
    point = data.point.copy()
    for chord, seconds in shifts.items():
        point[data.owner == chord] += seconds * data.velocity[data.owner == chord]
    return dataclasses.replace(data, point=point)


@pytest.mark.parametrize("chord", [0, 5, 11])
@pytest.mark.parametrize("seconds", [1.0, -1.0])
def test_a_station_off_by_a_second_is_named_with_its_cause(chord: int, seconds: float) -> None:
    data = shifted(stations(np.random.default_rng(20)), {chord: seconds})
    found = find_offsets(data, Prior())
    (one,) = found.named
    assert one.chord == chord
    assert one.shift_s == pytest.approx(seconds, abs=4 * one.sigma_s)
    assert one.sigma_s < 0.15
    assert one.causes[0].name == "whole seconds"
    assert one.causes[0].value_s == seconds
    assert one.odds > 100
    assert one.chance < 1e-4
    assert len(found.each) == 12


def test_two_bad_stations_are_both_named() -> None:
    data = shifted(stations(np.random.default_rng(21), sigma_s=0.05), {2: 1.0, 7: -0.5})
    found = find_offsets(data, Prior(), exposures_s=[1.0] * 12)
    assert {one.chord for one in found.named} == {2, 7}
    half = next(one for one in found.named if one.chord == 7)
    assert half.causes[0].name == "half an exposure"


def test_two_that_hide_each_other_are_named_together() -> None:
    data = shifted(stations(np.random.default_rng(22), n=7, sigma_s=0.05), {1: 2.0, 4: 2.0})
    assert {one.chord for one in find_offsets(data, Prior()).named} == {1, 4}


def test_good_stations_are_left_alone() -> None:
    rng = np.random.default_rng(23)
    named = [find_offsets(stations(rng, n=8, relief_km=1.0), Prior()).named for _ in range(6)]
    assert sum(map(bool, named)) <= 1


def test_two_chords_cannot_tell() -> None:
    data = stations(np.random.default_rng(24), n=2)
    assert find_offsets(data, Prior(110.0, 2.0)).named == ()


def test_a_released_station_does_not_pull_the_limb() -> None:
    data = shifted(stations(np.random.default_rng(25), sigma_s=0.05), {3: 5.0})
    fit = fit_limb(released(data, [3]), Prior())
    low, high = fit.figures["f_km"].intervals[2]
    assert low < TRUTH.f_km < high
    assert fit.figures["f_km"].sigma < 1.0


@pytest.mark.parametrize(
    ("shift", "sigma", "exposure", "name"),
    [
        (1.003, 0.02, 0.04, "whole seconds"),
        (-2.01, 0.05, None, "whole seconds"),
        (0.252, 0.01, 0.5, "half an exposure"),
        (-0.49, 0.02, 0.5, "one exposure"),
        (0.0167, 0.0005, None, "field order"),
        (0.0398, 0.001, None, "one frame"),
        (-0.14, 0.01, None, "network time"),
        (7.43, 0.02, None, "unknown"),
    ],
)
def test_causes(shift: float, sigma: float, exposure: float | None, name: str) -> None:
    causes = likeliest_causes(shift, sigma, exposure)
    assert causes[0].name == name
    assert sum(one.probability for one in causes) <= 1 + 1e-9
