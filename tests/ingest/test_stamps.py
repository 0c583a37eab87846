from typing import Any

import numpy as np
import pytest

from ingest.stamps import Stamps, recover_stamps, review_times, solve
from reduction.caveats import Caveat
from reduction.timing import UNKNOWN_NS, TimeSolution
from tests.ingest.ser_writer import utc_ns

START = utc_ns("2026-03-01T21:00:00") + 123_000_000
STEP = 40_000_000


def stamps(count: int = 10, meaning: Any = "start", exposure: float = 0.03, **changes: Any) -> Stamps:
    fields = {
        "stamp_ns": START + STEP * np.arange(count),
        "exposure_s": np.full(count, exposure),
        "sigma_s": np.full(count, 1e-4),
        "meaning": meaning,
        "source": "test",
    }
    return Stamps(**(fields | changes))


def kinds(solution: TimeSolution) -> list[Caveat]:
    return [note.caveat for note in solution.notes]


@pytest.mark.parametrize(("meaning", "shift"), [("start", 15_000_000), ("mid", 0), ("end", -15_000_000)])
def test_stated_meaning_moves_to_mid_exposure(meaning: Any, shift: int) -> None:
    for solution in (solve(stamps(meaning=meaning)), solve(stamps(meaning="start"), meaning)):
        np.testing.assert_array_equal(solution.mid_ns, START + STEP * np.arange(10) + shift)
        np.testing.assert_array_equal(solution.sigma_s, 1e-4)
        (entry,) = solution.ledger
        assert entry.value_s == pytest.approx(shift * 1e-9)
        assert (entry.what, entry.sigma_s) == ("stamp meaning", 0.0)
        assert not solution.notes


def test_exposures_of_each_frame_count() -> None:
    exposures = np.linspace(0.01, 0.03, 10)
    solution = solve(stamps(exposure_s=exposures))
    np.testing.assert_allclose(
        (solution.mid_ns - START - STEP * np.arange(10)) * 1e-9, exposures / 2, atol=1e-9
    )


def test_meaning_that_nobody_states_costs_half_an_exposure() -> None:
    solution = solve(stamps(meaning=None))
    np.testing.assert_array_equal(solution.mid_ns, START + STEP * np.arange(10))
    np.testing.assert_allclose(solution.sigma_s, np.hypot(1e-4, 0.015))
    assert kinds(solution) == [Caveat.TIME_MEANING_ASSUMED]
    assert "--time-is" in solution.notes[0].message


def test_unknown_exposure_is_the_cadence() -> None:
    solution = solve(stamps(exposure=np.nan))
    np.testing.assert_allclose(solution.exposure_s, 0.04)
    np.testing.assert_array_equal(solution.mid_ns, START + STEP * np.arange(10) + STEP // 2)
    assert kinds(solution) == [Caveat.EXPOSURE_ASSUMED]


def test_whole_seconds() -> None:
    whole = solve(stamps(stamp_ns=utc_ns("2026-03-01T21:00:00") + 10**9 * np.arange(10)))
    assert Caveat.WHOLE_SECONDS in kinds(whole)
    np.testing.assert_array_equal(whole.sigma_s, 0.5)
    stated = solve(stamps(stamp_ns=utc_ns("2026-03-01T21:00:00") + 10**9 * np.arange(10), sigma_stated=True))
    np.testing.assert_array_equal(stated.sigma_s, 1e-4)


def test_no_times() -> None:
    solution = solve(stamps(stamp_ns=np.full(10, UNKNOWN_NS)))
    assert kinds(solution) == [Caveat.TIMES_ABSENT]
    np.testing.assert_array_equal(solution.exposure_s, 0.03)
    assert solution.source == "none"


def test_review_finds_partial_gap_and_disorder() -> None:
    times = START + STEP * np.arange(12)
    times[8:] += 5 * STEP
    times[4] = times[3] - 1
    times[10] = UNKNOWN_NS
    solution = solve(stamps(12, stamp_ns=times))
    messages = {note.caveat: note.message for note in review_times(solution)}
    assert messages[Caveat.TIMES_PARTIAL] == "1 of 12 frames have no time, the first is frame 10"
    assert "first at frame 4 " in messages[Caveat.TIMES_NOT_MONOTONIC]
    assert messages[Caveat.TIME_GAPS].startswith("2 gaps")
    assert "before frame 5" in messages[Caveat.TIME_GAPS]


def test_a_missing_time_is_no_gap() -> None:
    times = START + STEP * np.arange(12)
    times[5] = UNKNOWN_NS
    assert kinds(solve(stamps(12, stamp_ns=times))) == [Caveat.TIMES_PARTIAL]


def test_leap_second_inside() -> None:
    leap = utc_ns("2017-01-01T00:00:00")
    assert kinds(solve(stamps(stamp_ns=leap + STEP * np.arange(-5, 5)))) == [Caveat.LEAP_SECOND]


@pytest.mark.parametrize("meaning", ["start", "mid", "end", None])
def test_stamps_are_recovered_from_their_solution(meaning: Any) -> None:
    recorded = stamps(meaning=meaning)
    behind = recover_stamps(solve(recorded))
    assert behind is not None
    found, shifts = behind
    assert shifts == []
    np.testing.assert_array_equal(found.stamp_ns, recorded.stamp_ns)
    np.testing.assert_allclose(found.sigma_s, recorded.sigma_s, rtol=1e-6)
    assert found.meaning == meaning
