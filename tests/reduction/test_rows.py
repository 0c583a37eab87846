"""Row times: added at the target's row, once."""

import numpy as np

from reduction.rows import at_rows
from reduction.timing import UNKNOWN_NS, Correction, RowTimes, TimeSolution

MID = 1_760_000_000_000_000_000
STAMP = Correction("stamp meaning", "recorded stamp", "mid-exposure", 0.02, 0.0, "test")


def solution(rows: RowTimes | None) -> TimeSolution:
    mid = MID + 40_000_000 * np.arange(4)
    mid[2] = UNKNOWN_NS
    return TimeSolution(mid, np.full(4, 1e-4), np.full(4, 0.03), "start", "test", (STAMP,), rows=rows)


def test_each_frame_at_its_own_row() -> None:
    row = np.array([100.0, 110.5, 90.0, np.nan])
    found = at_rows(solution(RowTimes(2e-5, 0.0, 1e-7, "--row-time")), row, 480)
    for i, y in enumerate([100.0, 110.5, None, 100.0]):
        if y is None:
            assert found.mid_ns[i] == UNKNOWN_NS
        else:
            assert found.mid_ns[i] == MID + 40_000_000 * i + round(y * 20_000)
            assert found.sigma_s[i] == np.hypot(1e-4, 1e-7 * y)
    assert [entry.what for entry in found.ledger] == ["stamp meaning", "row"]
    assert found.ledger[1].start == "mid-exposure"
    assert found.rows is None, "a second time there is nothing to add"
    assert at_rows(found, row, 480) is found


def test_read_upwards_the_bottom_row_comes_first() -> None:
    found = at_rows(solution(RowTimes(-1e-5, 1.0, 0.0, "up")), np.array([479.0, 478.0, 0.0, 0.0]), 480)
    np.testing.assert_array_equal(
        found.mid_ns[[0, 1, 3]] - solution(None).mid_ns[[0, 1, 3]], [0, 10_000, 4_790_000]
    )


def test_where_rows_are_exposed_together_nothing_changes() -> None:
    times = solution(None)
    assert at_rows(times, np.zeros(4), 480) is times
    lost = solution(RowTimes(1e-5, 0.0, 0.0, "x"))
    assert at_rows(lost, np.full(4, np.nan), 480) is lost
