from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.stamps import Stamps, solve
from ingest.timeoptions import TimeOptions, apply_times
from reduction.caveats import Caveat
from reduction.errors import RequestError
from reduction.timing import UNKNOWN_NS, Correction, TimeSolution, no_times
from tests.ingest.ser_writer import utc_ns

T0 = utc_ns("2026-03-01T21:00:00")
MS = 1_000_000


def kinds(solution: TimeSolution) -> set[Caveat]:
    return {note.caveat for note in solution.notes}


def from_table(path: Path, text: str, frames: int = 4, **options: Any) -> TimeSolution:
    table = path / "times.csv"
    table.write_text(text)
    return apply_times(no_times(frames), frames, TimeOptions(table=table, **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_utc": "2026-03-01T21:00:00"}, "--cadence"),
        ({"cadence_s": 0.04}, "--start-utc"),
        ({"cadence_s": 0.04, "start_utc": "2026-03-01T21:00:00", "table": Path("t.csv")}, "exclude"),
        ({"cadence_s": 0.0, "start_utc": "2026-03-01T21:00:00"}, "--cadence 0"),
        ({"cadence_s": float("nan"), "start_utc": "2026-03-01T21:00:00"}, "--cadence nan"),
        ({"meaning": "middle"}, "start, mid or end"),
    ],
)
def test_options_that_contradict(options: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        TimeOptions(**options)


def test_without_options_nothing_changes_but_absence_is_said() -> None:
    solution = apply_times(no_times(3, 0.5), 3, TimeOptions())
    assert kinds(solution) == {Caveat.TIMES_ABSENT}
    np.testing.assert_array_equal(solution.exposure_s, 0.5)
    assert apply_times(solution, 3, TimeOptions()).notes == solution.notes


@pytest.mark.parametrize(("meaning", "shift_ms"), [(None, 20), ("start", 20), ("mid", 0), ("end", -20)])
def test_computed_times(meaning: Any, shift_ms: int) -> None:
    options = TimeOptions(start_utc="2026-03-01T22:00:00.000+01:00", cadence_s=0.04, meaning=meaning)
    solution = apply_times(no_times(5), 5, options)
    np.testing.assert_array_equal(solution.mid_ns, T0 + (40 * np.arange(5) + shift_ms) * MS)
    assert kinds(solution) == {Caveat.TIMES_COMPUTED, Caveat.EXPOSURE_ASSUMED}
    np.testing.assert_allclose(solution.sigma_s, 0.0005)
    assert (meaning or "start") in solution.ledger[0].source


def test_computed_times_use_a_recorded_exposure_and_do_not_drift() -> None:
    options = TimeOptions(start_utc="2026-03-01T21:00:00.0", cadence_s=1001 / 30000)
    solution = apply_times(no_times(100_001, 0.01), 100_001, options)
    assert abs(int(solution.mid_ns[-1]) - (T0 + 5 * MS + round(100_000 * 1001 * 10**9 / 30000))) <= 1000
    assert kinds(solution) == {Caveat.TIMES_COMPUTED}


def test_a_start_that_is_no_time() -> None:
    with pytest.raises(RequestError, match="--start-utc yesterday"):
        apply_times(no_times(5), 5, TimeOptions(start_utc="yesterday", cadence_s=1.0))


def test_table_with_all_columns(tmp_path: Path) -> None:
    text = (
        "\ufeff# a comment\nframe, UTC ,exposure_s,sigma_s,remark\n"
        "1,2026-03-01T21:00:00.040Z,0.03,0.001,x\n"
        "\n"
        "0,2026-03-01T23:00:00.000+02:00,0.03,0.001,\n"
        "3,2026-03-01T21:00:00.120,0.03,0.001,y\n"
    )
    solution = from_table(tmp_path, text, meaning="start")
    expected = [T0 + 15 * MS, T0 + 55 * MS, UNKNOWN_NS, T0 + 135 * MS]
    np.testing.assert_array_equal(solution.mid_ns, expected)
    np.testing.assert_allclose(solution.sigma_s[[0, 1, 3]], 0.001)
    assert kinds(solution) == {Caveat.TIMES_PARTIAL}
    assert solution.source == "times table"


def test_table_without_meaning_is_mid_exposure_and_says_so(tmp_path: Path) -> None:
    rows = "".join(f"2026-03-01T21:00:00.{40 * i:03d}\n" for i in range(4))
    solution = from_table(tmp_path, "utc\n" + rows)
    np.testing.assert_array_equal(solution.mid_ns, T0 + 40 * MS * np.arange(4))
    assert kinds(solution) == {Caveat.TIME_MEANING_ASSUMED, Caveat.EXPOSURE_ASSUMED}
    np.testing.assert_allclose(solution.sigma_s, np.hypot(0.0005, 0.02))


def test_table_with_an_empty_time(tmp_path: Path) -> None:
    text = "frame,utc\n0,2026-03-01T21:00:00.5\n1,\n2,2026-03-01T21:00:02.5\n3,2026-03-01T21:00:03.5\n"
    solution = from_table(tmp_path, text)
    np.testing.assert_array_equal(solution.known, [True, False, True, True])
    assert Caveat.TIMES_PARTIAL in kinds(solution)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("utc\n", "no rows"),
        ("time,frame\n1,2\n", r"line 1: the header has no column `utc` \(found time, frame\)"),
        ("utc,utc\n1,2\n", "line 1: the column utc stands twice"),
        ("utc\nnoon\n", "line 2: utc 'noon'"),
        ("utc\n2026-03-01 21:00:00\n2026-03-01\n", "line 3: utc '2026-03-01'"),
        (
            "frame,utc\n0,2026-03-01T21:00:00\n0,2026-03-01T21:00:01\n",
            "line 3: frame 0 stands already on line 2",
        ),
        ("frame,utc\n4,2026-03-01T21:00:00\n", "line 2: frame 4 is beyond the recording, which has 4 frames"),
        ("frame,utc\n-1,2026-03-01T21:00:00\n", "line 2: frame '-1'"),
        ("frame,utc\n1.5,2026-03-01T21:00:00\n", "line 2: frame '1.5'"),
        ("frame,utc\n1\n", "line 2: 1 cells"),
        ("utc,exposure_s\n2026-03-01T21:00:00,long\n", "line 2: exposure_s 'long'"),
        ("utc,sigma_s\n2026-03-01T21:00:00,-1\n", "line 2: sigma_s '-1'"),
        ("utc\n" + "2026-03-01T21:00:00\n" * 5, "line 6: frame 4 is beyond"),
    ],
)
def test_bad_tables_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        from_table(tmp_path, text)
    assert "times.csv" in str(caught.value)


def test_a_missing_table_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot read"):
        apply_times(no_times(2), 2, TimeOptions(table=tmp_path / "none.csv"))
    (tmp_path / "t.csv").write_bytes(b"utc\n\xff\xfe\n")
    with pytest.raises(RequestError, match="UTF-8"):
        apply_times(no_times(2), 2, TimeOptions(table=tmp_path / "t.csv"))


def native(meaning: Any) -> TimeSolution:
    count = 6
    stamps = Stamps(
        T0 + 7 + 40 * MS * np.arange(count), np.full(count, 0.03), np.full(count, 1e-5), meaning, "test"
    )
    return solve(stamps)


@pytest.mark.parametrize("before", ["start", "mid", "end", None])
@pytest.mark.parametrize("after", ["start", "mid", "end"])
def test_stored_times_take_another_meaning(before: Any, after: Any) -> None:
    found = apply_times(native(before), 6, TimeOptions(meaning=after))
    np.testing.assert_array_equal(found.mid_ns, native(after).mid_ns)
    np.testing.assert_allclose(found.sigma_s, 1e-5, rtol=1e-3)
    assert not found.notes
    assert found.meaning == after


def test_times_with_further_corrections_keep_their_meaning() -> None:
    base = native("start")
    (entry,) = base.ledger
    camera = Correction("camera", entry.end, "photons", -0.01, 0.001, "table")
    times = TimeSolution(base.mid_ns, base.sigma_s, base.exposure_s, "start", "test", (entry, camera))
    with pytest.raises(RequestError, match="camera"):
        apply_times(times, 6, TimeOptions(meaning="end"))
    assert apply_times(times, 6, TimeOptions(meaning="start")).ledger == times.ledger


def test_digest_does_not_know_the_path(tmp_path: Path) -> None:
    text = "utc\n" + "".join(f"2026-03-01T21:00:00.{40 * i:03d}\n" for i in range(4))
    (tmp_path / "a").mkdir()
    assert from_table(tmp_path, text).digest == from_table(tmp_path / "a", text).digest
