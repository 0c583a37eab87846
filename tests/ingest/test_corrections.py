"""The chain from stamp to mid-exposure: signs, sums, links, and that nothing is corrected twice."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.cameras import FRAME_S, TABLES, camera_delay
from ingest.clocks import Clock
from ingest.corrections import Corrections, Rows, corrected
from ingest.stamps import Stamps, applied, solve
from ingest.timeoptions import TimeOptions, apply_times
from reduction.caveats import Caveat
from reduction.errors import RequestError
from reduction.timing import RowTimes, TimeSolution, no_times
from tests.ingest.ser_writer import utc_ns

START = utc_ns("2026-03-01T21:00:00") + 123_000_000
FRAME_NS = 40_000_000


def stamps(count: int = 12, meaning: Any = None, exposure: float = 0.04, **changes: Any) -> Stamps:
    fields = {
        "stamp_ns": START + FRAME_NS * np.arange(count),
        "exposure_s": np.full(count, exposure),
        "sigma_s": np.full(count, 1e-4),
        "meaning": meaning,
        "source": "test",
    }
    return Stamps(**(fields | changes))


def kinds(solution: TimeSolution) -> set[Caveat]:
    return {note.caveat for note in solution.notes}


def added_s(solution: TimeSolution) -> float:
    """What the ledger says was added, all entries together."""
    return sum(entry.value_s for entry in solution.ledger if not entry.included)


def moved_s(solution: TimeSolution, recorded: Stamps) -> float:
    return float((solution.mid_ns - recorded.stamp_ns).mean() * 1e-9)


class TestCameraTables:
    def test_every_figure_is_half_the_integration_and_a_lag_of_the_camera(self) -> None:
        for table in TABLES:
            for standard, delays in table.delays_s.items():
                field = FRAME_S[standard] / 2
                for frames, delay in delays.items():
                    law = frames * field + table.lag_fields * field
                    assert delay == pytest.approx(law, abs=6e-4), (table.name, standard, frames)

    @pytest.mark.parametrize(
        "text", ["WAT-910HX-PAL-x8", "wat 910hx (ccir) 8", "WAT910HX PAL X8", "Wat-910HX_PAL_x8"]
    )
    def test_spellings(self, text: str) -> None:
        camera = camera_delay(text)
        assert (camera.name, camera.delay_s) == ("WAT-910HX PAL x8", 0.18)
        assert camera.exposure_s == pytest.approx(0.32)

    def test_names_that_begin_alike_and_cameras_with_one_mode(self) -> None:
        assert camera_delay("WAT-120N+-NTSC-x2").name == "WAT-120N+ NTSC x2"
        assert camera_delay("WAT-120N-NTSC-x2").name == "WAT-120N NTSC x2"
        assert camera_delay("PC164C-EX2").delay_s == 0.0
        assert camera_delay("SCB-2000N x7").delay_s == 0.15

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("Sony-A7", "no table of delays; there are: WAT-910HX"),
            ("WAT-910HX-x8", "WAT-910HX-PAL or WAT-910HX-NTSC"),
            ("WAT-910HX-PAL", "how many video frames it integrates.*x1, x2, x4, x8"),
            ("WAT-910HX-PAL-x5", "measured are x1"),
            ("SCB-2000N-PAL-x2", "say SCB-2000N-NTSC"),
            ("WAT-910HX-PAL-x8-fast", "say WAT-910HX-PAL or"),
        ],
    )
    def test_what_is_not_there_is_named(self, text: str, message: str) -> None:
        with pytest.raises(RequestError, match=message):
            Corrections(camera=text)


class TestCamera:
    def test_from_the_inserted_stamp_to_mid_exposure(self) -> None:
        recorded = stamps()
        solution = corrected(solve(recorded), Corrections(camera="WAT-910HX-PAL-x8"))
        assert moved_s(solution, recorded) == pytest.approx(-0.18, abs=1e-9)
        assert [entry.what for entry in solution.ledger] == ["inserter", "camera"]
        assert solution.ledger[1].start == "inserted time of the first field"
        np.testing.assert_allclose(solution.exposure_s, 0.32)
        np.testing.assert_allclose(solution.sigma_s, np.hypot(1e-4, 1e-3))
        assert kinds(solution) == {Caveat.INTEGRATED}

    def test_an_inserter_s_second_field_is_a_field_later(self) -> None:
        recorded = stamps(inserted="second field")
        plain = solve(recorded)
        assert moved_s(plain, recorded) == pytest.approx(-0.02, abs=1e-9)
        assert kinds(plain) == {Caveat.CAMERA_UNKNOWN}
        solution = corrected(plain, Corrections(camera="WAT-120N-PAL-x2"))
        assert moved_s(solution, recorded) == pytest.approx(-0.09, abs=1e-9)
        assert Caveat.CAMERA_UNKNOWN not in kinds(solution)

    def test_a_camera_without_delay_keeps_the_first_field_s_stamp(self) -> None:
        recorded = stamps(inserted="first field")
        solution = corrected(solve(recorded), Corrections(camera="WAT-902H2-PAL"))
        np.testing.assert_array_equal(solution.mid_ns, recorded.stamp_ns)
        assert kinds(solution) == set()

    def test_a_format_that_states_its_meaning_takes_no_camera(self) -> None:
        with pytest.raises(RequestError, match="name the start of the exposure"):
            corrected(solve(stamps(meaning="start")), Corrections(camera="WAT-910HX-PAL-x8"))
        with pytest.raises(RequestError, match="--time-is and --camera exclude"):
            TimeOptions(meaning="start", corrections=Corrections(camera="WAT-910HX-PAL-x8"))

    def test_the_other_standard_is_refused_and_integrated_recordings_are_not(self) -> None:
        with pytest.raises(RequestError, match="other standard"):
            corrected(solve(stamps()), Corrections(camera="WAT-910HX-NTSC-x8"))
        slow = stamps(stamp_ns=START + 8 * FRAME_NS * np.arange(12))
        assert corrected(solve(slow), Corrections(camera="WAT-910HX-PAL-x8")).ledger[-1].what == "camera"


class TestNothingTwice:
    CASES = (
        Corrections(camera="WAT-910HX-PAL-x8"),
        Corrections(acquisition_delay_s=0.05),
        Corrections(clock=Clock("gps")),
        Corrections(rows=Rows(1e-5)),
    )

    @pytest.mark.parametrize("wanted", CASES)
    def test_the_same_again(self, wanted: Corrections) -> None:
        once = corrected(solve(stamps()), wanted)
        with pytest.raises(RequestError, match="nothing is corrected twice"):
            corrected(once, wanted)

    @pytest.mark.parametrize("first", [0, 1])
    def test_a_camera_and_an_acquisition_delay_are_one_interval(self, first: int) -> None:
        with pytest.raises(RequestError, match="nothing is corrected twice"):
            corrected(corrected(solve(stamps()), self.CASES[first]), self.CASES[1 - first])
        with pytest.raises(RequestError, match="exclude each other"):
            Corrections(camera="WAT-910HX-PAL-x8", acquisition_delay_s=0.05)

    @pytest.mark.parametrize("what", ["camera", "acquisition"])
    def test_what_the_writer_has_applied(self, what: str) -> None:
        entry = applied(what, -0.18, "Tangra CSV: Instrumental Delay Corrections: Applied")
        recorded = stamps(meaning="mid", included=(entry,))
        solution = solve(recorded)
        assert solution.ledger[0] == entry
        np.testing.assert_array_equal(solution.mid_ns, recorded.stamp_ns)
        for wanted in self.CASES[:2]:
            with pytest.raises(RequestError, match="by whoever wrote the recording"):
                corrected(solution, wanted)
        late = corrected(solution, self.CASES[2])
        assert late.ledger[0] == entry
        assert [e.what for e in late.ledger[1:]] == ["clock", "stamp meaning"]

    def test_without_times_there_is_nothing_to_correct(self) -> None:
        with pytest.raises(RequestError, match="no times to correct"):
            corrected(no_times(5), self.CASES[1])


class TestClock:
    def test_ntp(self) -> None:
        recorded = stamps(meaning="start")
        clock = Clock("ntp", offset_s=0.012, round_trip_s=0.03, poll_s=1024, drift_ppm=15)
        solution = corrected(solve(recorded), Corrections(clock=clock))
        assert moved_s(solution, recorded) == pytest.approx(0.02 - 0.012, abs=1e-9)
        expected = np.sqrt(1e-4**2 + 0.015**2 + (15e-6 * 1024) ** 2)
        np.testing.assert_allclose(solution.sigma_s, expected)

    def test_a_clock_that_nothing_keeps(self) -> None:
        solution = corrected(solve(stamps(meaning="start")), Corrections(clock=Clock("none")))
        assert Caveat.CLOCK_UNKNOWN in kinds(solution)
        assert solution.sigma_s.min() > 1.0

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"kind": "atomic"}, "gps, ntp or none"),
            ({"kind": "ntp"}, "--ntp-delay"),
            ({"kind": "gps", "round_trip_s": 0.1}, "goes with --clock ntp"),
            ({"kind": "gps", "sigma_s": -1.0}, "--clock-sigma"),
            ({"kind": "gps", "sigma_s": float("nan")}, "--clock-sigma"),
            ({"kind": "gps", "offset_s": 1e5}, "--clock-offset"),
        ],
    )
    def test_bad_numbers(self, values: Any, message: str) -> None:
        with pytest.raises(RequestError, match=message):
            Clock(**values)


class TestRows:
    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            (Rows(1e-5), (1e-5, 0.0)),
            (Rows(1e-5, upwards=True), (-1e-5, 1.0)),
            (Rows(1e-5, binning=2, stamp_row="last"), (2e-5, 1.0)),
            (Rows(1e-5, upwards=True, stamp_row="last"), (-1e-5, 0.0)),
            (Rows(1e-5, stamp_row="middle"), (1e-5, 0.5)),
        ],
    )
    def test_direction_binning_and_the_row_of_the_stamp(
        self, rows: Rows, expected: tuple[float, float]
    ) -> None:
        solution = corrected(solve(stamps(meaning="start")), Corrections(rows=rows))
        assert solution.rows is not None
        assert (solution.rows.per_row_s, solution.rows.reference) == pytest.approx(expected)
        again = corrected(solution, Corrections(clock=Clock("gps")))
        assert again.rows == solution.rows
        assert apply_times(again, 12, TimeOptions(meaning="end")).rows == solution.rows

    def test_rows_away(self) -> None:
        rows = RowTimes(-1e-5, 1.0, 0.0, "test")
        np.testing.assert_allclose(rows.rows_away(np.array([0.0, 99.0]), 100), [-99.0, 0.0])


@st.composite
def chains(draw: st.DrawFn) -> tuple[Stamps, list[Corrections]]:
    """Stamps of any kind and corrections, at most one of each interval, one after the other."""
    inserted = draw(st.sampled_from([None, "first field", "second field"]))
    meaning = None if inserted else draw(st.sampled_from([None, "start", "mid", "end"]))
    recorded = stamps(draw(st.integers(2, 9)), meaning, inserted=inserted)
    seconds = st.floats(-2, 2, allow_nan=False)
    wanted = [Corrections(clock=Clock("gps", offset_s=draw(seconds), sigma_s=draw(st.floats(0, 1))))]
    if inserted is None and meaning is not None:
        wanted.append(Corrections(acquisition_delay_s=draw(seconds), acquisition_sigma_s=0.01))
    else:
        wanted.append(Corrections(camera=f"WAT-120N-PAL-x{draw(st.sampled_from([1, 2, 8, 64]))}"))
    wanted.append(Corrections(rows=Rows(draw(st.floats(1e-7, 1e-4)))))
    chosen = draw(st.lists(st.sampled_from(wanted), unique_by=id, max_size=3))
    return recorded, chosen


@given(chain=chains())
@settings(max_examples=150, deadline=None)
def test_any_chain_links_sums_and_digests(chain: tuple[Stamps, list[Corrections]]) -> None:
    recorded, wanted = chain
    solution = solve(recorded)
    digests = {solution.digest}
    for step in wanted:
        before, solution = solution, corrected(solution, step)
        assert solution.digest not in digests, "another chain, another digest"
        digests.add(solution.digest)
        with pytest.raises(RequestError):
            corrected(solution, step)
        assert solution.source == before.source
    links = [(e.start, e.end) for e in solution.ledger]
    assert all(a[1] == b[0] for a, b in pairwise(links))
    assert (links[0][0], links[-1][1]) == ("recorded stamp", "mid-exposure")
    assert moved_s(solution, recorded) == pytest.approx(added_s(solution), abs=5e-9)
    variance = sum(entry.sigma_s**2 for entry in solution.ledger) + 1e-8
    np.testing.assert_allclose(solution.sigma_s**2, variance, rtol=1e-6)


@given(chain=chains())
@settings(max_examples=50, deadline=None)
def test_the_order_of_corrections_does_not_matter(chain: tuple[Stamps, list[Corrections]]) -> None:
    recorded, wanted = chain
    one, other = solve(recorded), solve(recorded)
    for step in wanted:
        one = corrected(one, step)
    for step in reversed(wanted):
        other = corrected(other, step)
    np.testing.assert_array_equal(one.mid_ns, other.mid_ns)
    np.testing.assert_allclose(one.sigma_s, other.sigma_s, rtol=1e-9)
    assert one.ledger == other.ledger
