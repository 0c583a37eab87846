"""Dropped, doubled and late frames, found from stamps that scatter, drift and are written coarsely."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.cadence import FrameFlag, cadence_notes, find_cadence
from reduction.caveats import Caveat
from reduction.timing import UNKNOWN_NS, TimeSolution, no_times

START = 1_760_000_000_000_000_000


def solution(seconds: Any) -> TimeSolution:
    ns = START + np.rint(np.asarray(seconds) * 1e9).astype(np.int64)
    n = ns.size
    return TimeSolution(ns, np.full(n, 1e-4), np.full(n, 0.03), "start", "test")


def recorded(slots: Any, step: float, jitter: float = 0.0, resolution: float = 0.0, seed: int = 1) -> Any:
    """Seconds of frames that stand at places of a cadence."""
    seconds = np.asarray(slots) * step
    seconds = seconds + jitter * step * np.random.default_rng(seed).standard_normal(seconds.size)
    return np.round(seconds / resolution) * resolution if resolution else seconds


def test_a_clean_recording_has_nothing_to_say() -> None:
    found = find_cadence(solution(recorded(np.arange(500), 1001 / 30000)))
    assert found.regular
    assert found.step_s == pytest.approx(1001 / 30000, rel=1e-9)
    assert found.scatter_s < 2e-9
    assert not found.flags.any()
    assert cadence_notes(found) == []


@pytest.mark.parametrize("step", [0.04, 1001 / 60000, 0.0123, 2.5])
@pytest.mark.parametrize(("jitter", "resolution"), [(0.0, 0.0), (0.1, 0.0), (0.02, 0.001)])
@pytest.mark.parametrize("at", [2, 3, 250, 497])
def test_where_frames_are_missing(step: float, jitter: float, resolution: float, at: int) -> None:
    slots = np.arange(500)
    slots[at:] += 3
    found = find_cadence(solution(recorded(slots, step, jitter, resolution)))
    assert {int(n): int(found.missing[n]) for n in np.flatnonzero(found.missing)} == {at: 3}
    assert found.dropped == 3
    assert found.step_s == pytest.approx(step, rel=1e-3)
    (note,) = cadence_notes(found)
    assert note.caveat is Caveat.FRAMES_DROPPED
    assert note.message == f"3 frames are missing by the times: 3 before frame {at}"


def test_two_drops_close_together_and_one_far_away() -> None:
    slots = np.arange(300)
    for at, count in ((100, 1), (102, 2), (200, 7)):
        slots[at:] += count
    found = find_cadence(solution(recorded(slots, 0.04, 0.03)))
    assert {int(n): int(found.missing[n]) for n in np.flatnonzero(found.missing)} == {100: 1, 102: 2, 200: 7}


def test_a_frame_recorded_twice_and_one_with_the_same_time() -> None:
    slots = np.arange(100)
    slots[50:] -= 1  # frame 50 has the time of frame 49, and all others come after
    found = find_cadence(solution(recorded(slots, 0.04)))
    assert found.frames_with(FrameFlag.REPEATED_TIME).tolist() == [50]
    assert found.missing[50] == -1
    assert [note.caveat for note in cadence_notes(found)] == [Caveat.TIMES_REPEATED]


def test_a_late_stamp_is_no_dropped_frame() -> None:
    seconds = recorded(np.arange(100), 0.04, 0.01)
    seconds[40] += 0.03
    seconds[70] += 0.09
    found = find_cadence(solution(seconds))
    assert not found.missing.any()
    assert found.frames_with(FrameFlag.OFF_CADENCE).tolist() == [40, 70]
    assert found.frames_with(FrameFlag.BACKWARDS).tolist() == [71]


def test_frames_in_the_wrong_order() -> None:
    slots = np.arange(100)
    slots[[30, 31]] = slots[[31, 30]]
    found = find_cadence(solution(recorded(slots, 0.04)))
    assert found.frames_with(FrameFlag.BACKWARDS).tolist() == [31]
    assert found.dropped == 0


def test_a_clock_that_drifts_moves_no_frame() -> None:
    slots = np.arange(100_000)
    seconds = slots * 0.02 * (1 + 50e-6 * np.sin(slots / 30_000))
    found = find_cadence(solution(seconds))
    assert not found.missing.any()
    assert np.abs(found.residual_s).max() > 0.01, "and the residuals show it"


def test_exposures_with_varying_pauses_have_no_cadence() -> None:
    seconds = np.cumsum(np.random.default_rng(2).uniform(1, 5, 200))
    found = find_cadence(solution(seconds))
    assert not found.regular
    assert not found.flags.any()


def test_unknown_times_and_pixels() -> None:
    slots = np.arange(60)
    slots[45:] += 2
    times = solution(recorded(slots, 0.04))
    times.mid_ns[[10, 11, 12, 44]] = UNKNOWN_NS
    same = np.zeros(60, np.bool_)
    same[20] = True
    found = find_cadence(times, same)
    assert found.frames_with(FrameFlag.NO_TIME).tolist() == [10, 11, 12, 44]
    assert found.frames_with(FrameFlag.SAME_PIXELS).tolist() == [20]
    assert found.missing[45] == 2
    assert np.isnan(found.residual_s[10])
    for few in (0, 1, 2):
        assert not find_cadence(solution(np.arange(few) * 0.04)).regular
    assert find_cadence(no_times(5)).frames_with(FrameFlag.NO_TIME).size == 5


@given(
    data=st.data(),
    step=st.floats(0.001, 100),
    count=st.integers(30, 200),
)
@settings(max_examples=100, deadline=None)
def test_drops_anywhere(data: st.DataObject, step: float, count: int) -> None:
    """Twin: drops put in are drops found, while they are fewer than the frames between them."""
    places = data.draw(st.sets(st.integers(0, (count - 12) // 8), max_size=3))
    jitter = data.draw(st.sampled_from([0.0, 0.05]))
    slots = np.arange(count)
    expected = {}
    for place in sorted(places):
        at, many = 8 * place + 5, data.draw(st.integers(1, 15 if jitter else 1000))
        slots[at:] += many
        expected[at] = many
    found = find_cadence(solution(recorded(slots, step, jitter)))
    assert {int(n): int(found.missing[n]) for n in np.flatnonzero(found.missing)} == expected
