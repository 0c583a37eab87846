"""`umbra times`, `umbra retime` and `umbra inspect --plot` as a person meets them."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.cadence import find_cadence
from ingest.cli import ingest, inspect
from ingest.stack import open_stack
from ingest.stack_times import time_digests
from ingest.time_verdict import judge_times
from ingest.times_cli import retime, times
from reduction.caveats import Caveat, Note
from reduction.timing import UNKNOWN_NS, TimeSolution, no_times, utc_text
from tests.ingest.ser_writer import utc_ns, write_ser

START = utc_ns("2026-03-01T23:59:59") + 123_000_000
FRAMES = 40


@pytest.fixture
def ser(tmp_path: Path) -> Path:
    """Forty frames: two are missing before frame 20, frame 30 has the pixels of frame 29."""
    frames = np.random.default_rng(3).integers(20, 60, (FRAMES, 30, 40), np.uint8)
    frames[30] = frames[29]
    slots = [i + 2 * (i >= 20) for i in range(FRAMES)]
    return write_ser(tmp_path / "a.ser", frames, stamps_ns=[START + i * 40_000_000 for i in slots])


@pytest.fixture
def stack(ser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert ingest([str(ser), str(tmp_path / "a.zarr"), "--time-is", "start"]) == 0
    capsys.readouterr()
    return tmp_path / "a.zarr"


def run(verb: Any, capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert verb([str(a) for a in arguments]) == code
    found = capsys.readouterr()
    return str(found.err if code else found.out)


def test_the_table_is_what_the_stamps_say(ser: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(times, capsys, ser, "--time-is", "start", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO("".join(x for x in text.splitlines(True) if x[0] != "#"))))
    assert len(rows) == FRAMES
    for n, row in enumerate(rows):
        stamp = START + (n + 2 * (n >= 20)) * 40_000_000
        assert int(row["frame"]) == n
        assert row["start_utc"] == utc_text(stamp, 7)
        assert row["mid_utc"] == utc_text(stamp + 20_000_000, 7)
        assert row["end_utc"] == utc_text(stamp + 40_000_000, 7)
        assert row["flags"] == ("frames_missing" if n == 20 else "")
    assert "2026-03-02T00:00:00" in rows[-1]["mid_utc"], "past midnight"


def test_the_table_is_read_again(ser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    run(times, capsys, ser, "--time-is", "end", "--csv", table)
    first = json.loads(run(times, capsys, ser, "--time-is", "end", "--json"))
    again = json.loads(run(times, capsys, ser, "--times", table, "--json"))
    assert [row[1:5] for row in again["frames"]] == [row[1:5] for row in first["frames"]]
    assert again["meaning"] == "mid"


def test_for_people(ser: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(times, capsys, ser, "--time-is", "start", "--acquisition-delay", "0.05")
    assert "caution: ±less than 1 µs, regular within less than 1 µs; the exposure is assumed" in text
    assert "2 frames are missing" in text
    assert "acquisition: -0.05 s (±0 s), from recorded stamp to instant that the stamp names" in text
    assert "stamp meaning: +0.02 s" in text
    assert "from instant that the stamp names to mid-exposure; start of exposure, option --time-is" in text


def test_repeats_of_a_stack_need_no_reading(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(run(times, capsys, stack, "--json"))
    assert document["frames"][30][-1] == "same_pixels"
    assert document["frames"][20][-1] == "frames_missing"
    assert document["verdict"]["state"] == "caution"


def test_bad_requests(ser: Path, stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "only one" in run(times, capsys, ser, "--json", "--csv", "-", code=2)
    assert "ends in .png" in run(times, capsys, ser, "--plot", "x.pdf", code=2)
    assert "cannot be written" in run(times, capsys, ser, "--csv", ser / "no.csv", code=4)
    assert "cannot be written" in run(times, capsys, ser, "--plot", ser / "no.png", code=4)
    assert "give it alone" in run(retime, capsys, stack, "--use", "ab", "--clock", "gps", code=2)
    assert "none begins so" in run(retime, capsys, stack, "--use", "xyz", code=2)
    assert "without anything to change" in run(retime, capsys, stack, "--from", "ab", code=2)


def test_versions_of_times(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pixels stay as they are, old versions stay, and the digest changes just when the times do."""
    before = {p: p.stat().st_mtime_ns for p in (stack / "pixels").rglob("*") if p.is_file()}
    opened = open_stack(stack)
    (first,) = time_digests(stack)
    assert f"* {first[:12]}" in run(retime, capsys, stack)

    text = run(retime, capsys, stack, "--acquisition-delay", "0.05", "--acquisition-sigma", "0.002")
    second = open_stack(stack).times.digest
    assert second != first
    assert sorted(time_digests(stack)) == sorted([first, second])
    assert f"* {second[:12]}" in text
    assert f"  {first[:12]}" in text
    assert "acquisition: -0.05 s (±0.002 s)" in text
    moved = open_stack(stack).times.mid_ns - opened.times.mid_ns
    np.testing.assert_array_equal(moved, -50_000_000)

    error = run(retime, capsys, stack, "--acquisition-delay", "0.01", code=2)
    assert "the interval is corrected already" in error
    assert "nothing is corrected twice" in error
    run(retime, capsys, stack, "--from", first[:10], "--acquisition-delay", "0.01")
    assert len(time_digests(stack)) == 3
    run(retime, capsys, stack, "--from", first[:10], "--acquisition-delay", "0.01")
    assert len(time_digests(stack)) == 3, "the same times are the same version"

    run(retime, capsys, stack, "--use", first[:12])
    assert open_stack(stack).times.digest == first
    document = json.loads(run(retime, capsys, stack, "--json"))
    assert document["current"] == first
    assert len(document["versions"]) == 3
    after = {p: p.stat().st_mtime_ns for p in (stack / "pixels").rglob("*") if p.is_file()}
    assert after == before
    assert open_stack(stack).digest == opened.digest


def test_row_times_are_kept_beside_the_pixels(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(retime, capsys, stack, "--row-time", "2e-5", "--rows-read", "up")
    assert "rows: -2e-05 s per row" in text
    rows = open_stack(stack).times.rows
    assert rows is not None
    assert (rows.per_row_s, rows.reference) == (-2e-5, 1.0)
    assert "rows: -2e-05 s per row" in run(times, capsys, stack)


def test_the_plot_is_the_same_by_both_verbs(
    stack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "1.png", tmp_path / "2.png"
    run(times, capsys, stack, "--plot", one)
    text = run(inspect, capsys, stack, "--plot", other)
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes().startswith(b"\x89PNG")
    assert "verdict    times caution" in text


def solution(sigma: float = 1e-4, unknown: int = 0) -> TimeSolution:
    mid = START + 40_000_000 * np.arange(30)
    mid[:unknown] = UNKNOWN_NS
    return TimeSolution(mid, np.full(30, sigma), np.full(30, 0.04), "start", "test")


@pytest.mark.parametrize(
    ("caveat", "state"),
    [
        (None, "good"),
        (Caveat.FILE_TRUNCATED, "good"),
        (Caveat.TIME_MEANING_ASSUMED, "caution"),
        (Caveat.GPS_ALMANAC, "bad"),
        (Caveat.LOCAL_TIME, "bad"),
    ],
)
def test_the_verdict(caveat: Caveat | None, state: str) -> None:
    times = solution()
    notes = [] if caveat is None else [Note(caveat, "said")]
    assert judge_times(times, find_cadence(times), notes).state == state


def test_without_times_the_verdict_is_bad() -> None:
    times = no_times(4)
    assert judge_times(times, find_cadence(times), []).sentence == "there are no times"
