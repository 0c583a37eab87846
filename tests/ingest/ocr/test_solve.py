"""The solver on readings made here: misread digits, drops, repeats, unread stretches, drift."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingest.ocr.parse import UNREAD, Readings
from ingest.ocr.solve import field_order, interleaved, solve

NTSC, PAL = 1_001_000 / 6_000, 200.0


def readings(ticks: NDArray[np.int64], sure: float = 0.98, decimals: int = 4) -> Readings:
    """Readings that show these times of day, without a counter."""
    n, per_second = ticks.size, 10**decimals
    day = np.mod(ticks, 86_400 * per_second)
    seconds, fraction = day // per_second, day % per_second
    text = [
        f"{s // 3600:02d}{s // 60 % 60:02d}{s % 60:02d}{f:0{decimals}d}"
        for s, f in zip(seconds.tolist(), fraction.tolist(), strict=True)
    ]
    time = np.full((n, 6 + decimals, 10), np.log((1 - sure) / 9))
    for k, digits in enumerate(text):
        time[k, np.arange(len(digits)), [int(c) for c in digits]] = np.log(sure)
    zero = np.zeros(n, np.int64)
    return Readings(time, np.zeros((n, 0, 12)), day, np.full(n, sure), zero + UNREAD, zero, decimals)


def line(n: int, step: float, start: int = 400_000_000) -> NDArray[np.int64]:
    return np.asarray(np.floor(start + step * np.arange(n)), np.int64)


def spoil(found: Readings, which: NDArray[np.int64], rng: np.random.Generator) -> None:
    """Make fields unreadable: noise in every cell."""
    for k in which:
        chance = rng.dirichlet(np.full(10, 0.5), found.time.shape[1])
        found.time[k] = np.log(0.99 * chance + 0.001)
        found.ticks[k] = rng.integers(0, 10**8)
        found.sure[k] = 0.4


@pytest.mark.parametrize("step", [NTSC, PAL])
def test_clean_times_stay_as_they_are(step: float) -> None:
    ticks = line(300, step)
    found = solve(readings(ticks))
    assert found is not None
    np.testing.assert_array_equal(found.ticks, ticks)
    assert found.read.all()
    assert not found.flagged.any()
    np.testing.assert_array_equal(found.number, np.arange(300))


@given(
    step=st.sampled_from([NTSC, PAL]),
    seed=st.integers(0, 10_000),
    drift=st.floats(-80.0, 80.0),
    share=st.floats(0.0, 0.25),
    places=st.lists(st.integers(4, 115), max_size=4, unique=True),
)
def test_jumps_and_unread_fields(
    step: float, seed: int, drift: float, share: float, places: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    number = np.arange(240)
    for place in places:
        number[2 * place :] += int(rng.choice([2, 4, 60, -2]))
    ticks = np.floor(400_000_000 + step * (1 + drift * 1e-6) * number).astype(np.int64)
    shown = readings(ticks)
    spoilt = rng.choice(240, round(share * 240), replace=False)
    spoil(shown, spoilt, rng)
    found = solve(shown)
    assert found is not None
    right = np.abs(found.ticks - ticks) <= 1.01
    assert (right | found.flagged).all()
    assert right.mean() > 0.9


def test_one_digit_misread_is_repaired() -> None:
    ticks = line(100, PAL)
    shown = readings(ticks)
    wrong = ticks.copy()
    for k, power in zip(range(5, 95, 9), [1, 10, 100, 1000, 1, 10, 100, 1000, 10, 100], strict=True):
        wrong[k] += 3 * power
    spoilt = readings(wrong)
    found = solve(spoilt)
    assert found is not None
    assert np.abs(found.ticks - ticks).max() <= 1.0
    assert set(np.flatnonzero(~found.read)) == set(np.flatnonzero(wrong != ticks))
    assert shown.ticks.size == found.ticks.size


def test_a_jump_inside_an_unread_stretch_is_flagged_there() -> None:
    number = np.arange(120) + np.where(np.arange(120) >= 60, 2, 0)
    ticks = np.floor(400_000_000 + PAL * number).astype(np.int64)
    shown = readings(ticks)
    spoil(shown, np.arange(50, 70), np.random.default_rng(1))
    found = solve(shown)
    assert found is not None
    right = np.abs(found.ticks - ticks) <= 1.01
    assert (right | found.flagged).all()
    assert not found.flagged[:45].any()
    assert not found.flagged[75:].any()
    assert (found.spread[found.flagged] > 0).all()


def test_midnight() -> None:
    ticks = line(200, NTSC, 86_399 * 10_000)
    found = solve(readings(ticks))
    assert found is not None
    np.testing.assert_array_equal(found.ticks, ticks)


def test_noise_has_no_solution() -> None:
    rng = np.random.default_rng(2)
    assert solve(readings(rng.integers(0, 864_000_000, 100))) is None
    assert solve(readings(np.full(50, UNREAD) + 5)) is None


def test_times_coarser_than_the_frames_are_not_solved() -> None:
    assert solve(readings(line(300, 0.4, 400_000), decimals=1), together=1) is None


def test_field_order() -> None:
    early, late = readings(line(40, 400.0)), readings(line(40, 400.0) + 200)
    assert field_order(early, late).first == 0
    assert field_order(late, early).first == 1
    assert field_order(early, early).first is None
    together = interleaved(late, early, 1)
    np.testing.assert_array_equal(together.ticks, line(80, 200.0))
