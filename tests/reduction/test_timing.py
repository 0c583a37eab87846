"""Times: the ledger, unknown times, text and digest."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.caveats import Caveat, Note
from reduction.timing import UNKNOWN_NS, Correction, TimeSolution, no_times, utc_text

MID = 1_760_000_000_000_000_000


def solution(mid_ns: list[int], ledger: tuple[Correction, ...] = ()) -> TimeSolution:
    n = len(mid_ns)
    return TimeSolution(
        np.array(mid_ns, np.int64), np.full(n, 1e-3), np.full(n, 0.04), "start", "SER trailer", ledger
    )


STAMP = Correction("stamp meaning", "start", "mid", 0.02, 0.0, "--time-is start")
CAMERA = Correction("camera", "mid", "photon", -0.01, 0.001, "table")


class TestSolution:
    def test_lengths_must_agree(self) -> None:
        with pytest.raises(ValueError, match="length"):
            TimeSolution(np.zeros(3, np.int64), np.zeros(2), np.zeros(3), None, "none")

    def test_the_ledger_links(self) -> None:
        assert solution([MID], (STAMP, CAMERA)).ledger[1].start == "mid"
        with pytest.raises(ValueError, match="does not link"):
            solution([MID], (CAMERA, STAMP))

    def test_nothing_is_corrected_twice(self) -> None:
        again = replace(STAMP, start="mid", end="start")
        with pytest.raises(ValueError, match="twice"):
            solution([MID], (STAMP, again, STAMP))

    def test_cadence_is_the_median_of_known_neighbours(self) -> None:
        step = 40_000_000
        mid = [MID, MID + step, UNKNOWN_NS, MID + 3 * step, MID + 4 * step, MID + 9 * step, MID + 10 * step]
        assert solution(mid).cadence_s() == pytest.approx(0.04)
        assert solution(mid).known.tolist() == [True, True, False, True, True, True, True]
        assert solution([MID]).cadence_s() is None
        assert solution([MID, UNKNOWN_NS, MID + step]).cadence_s() is None
        assert no_times(5).cadence_s() is None

    def test_no_times_say_so(self) -> None:
        absent = no_times(3, 0.1, [Note(Caveat.TIMES_ABSENT, "none")])
        assert not absent.known.any()
        assert (absent.source, absent.meaning) == ("none", None)
        assert absent.exposure_s.tolist() == [0.1] * 3
        assert np.isnan(no_times(2).exposure_s).all()
        assert [note.caveat for note in absent.with_notes([Note(Caveat.FEW_FRAMES, "few")]).notes] == [
            Caveat.TIMES_ABSENT,
            Caveat.FEW_FRAMES,
        ]


class TestDigest:
    def test_everything_that_is_time_counts(self) -> None:
        base = solution([MID, MID + 1], (STAMP,))
        others = [
            solution([MID, MID + 2], (STAMP,)),
            solution([MID, MID + 1]),
            solution([MID, MID + 1], (replace(STAMP, value_s=0.03),)),
            replace(base, sigma_s=np.array([1e-3, 2e-3])),
            replace(base, exposure_s=np.array([0.04, 0.05])),
            replace(base, meaning="end"),
            replace(base, source="table"),
        ]
        digests = {base.digest, *(other.digest for other in others)}
        assert len(digests) == 8
        assert solution([MID, MID + 1], (STAMP,)).digest == base.digest

    def test_notes_do_not_count(self) -> None:
        base = solution([MID])
        assert base.with_notes([Note(Caveat.LEAP_SECOND, "inside")]).digest == base.digest


class TestText:
    @given(ns=st.integers(-(10**18), 4 * 10**18), digits=st.sampled_from([0, 3, 6, 9]))
    @settings(max_examples=200, deadline=None)
    def test_nearest_and_as_numpy_reads_it(self, ns: int, digits: int) -> None:
        text = utc_text(ns, digits)
        assert text.endswith("Z")
        back = int(np.datetime64(text[:-1], "ns").astype(np.int64))
        assert abs(back - ns) * 2 <= 10 ** (9 - digits)
        assert len(text) == (20 if digits == 0 else 21 + digits)

    def test_carry_and_unknown(self) -> None:
        assert utc_text(999_999_600) == "1970-01-01T00:00:01.000000Z"
        assert utc_text(-1, 9) == "1969-12-31T23:59:59.999999999Z"
        assert utc_text(UNKNOWN_NS) == ""
