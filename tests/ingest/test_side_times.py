"""Times from other programs' files: read, dated, unwrapped at midnight, and used beside a recording."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.formats import open_source
from ingest.side_times import read_side, recognise_side, side_stamps
from ingest.stamps import solve
from ingest.times_cli import times
from reduction.caveats import Caveat
from reduction.errors import RequestError
from reduction.timing import UNKNOWN_NS, utc_text
from tests.fuzzing import COUNT, endure, mutations
from tests.ingest.ser_writer import utc_ns, write_ser
from tests.sample_data import sample

FRAMES = 6
T0 = utc_ns("2026-03-01T23:59:59") + 880_000_000
STEP = 40_000_000
EMBEDDED = "Timestamp Saving During Recording"
STAMPS = [T0 + i * STEP for i in range(FRAMES)]
"""Midnight falls between frames 2 and 3."""


def clock(ns: int, digits: int = 3) -> str:
    return utc_text(ns, digits)[11:-1]


def firecapture(date: str = "ddMMyy", ut: str = "UT ", zone: str = "UT +1h", shift: int = 0) -> str:
    lines = ["FireCapture v2.7.10 Settings", "-" * 36, "Camera=ZWO ASI290MM", "Shutter=20.00ms", f"LT={zone}"]
    lines += [f"Date_format={date}", "Time_format=HHmmss", ""]
    for i, ns in enumerate(STAMPS):
        text = utc_text(ns + shift, 3)
        year, month, day = text[2:4], text[5:7], text[8:10]
        written = {"ddMMyy": day + month + year, "MMddyy": month + day + year, "yyMMdd": year + month + day}[
            date
        ]
        lines.append(f"Frame {i + 1}: {ut}{written} {text[11:19].replace(':', '')}.{text[20:23]}")
    return "\n".join(lines)


SHARPCAP = (
    "[ZWO ASI174MM]\nOutput Format=SER file (*.ser)\nColour Space=MONO8\nExposure=20.0000ms\n"
    "StartCapture=2026-03-01T23:59:59.8800000Z\nEndCapture=2026-03-02T00:00:00.1200000Z\n"
    "FrameCount=6\nSharpCapVersion=4.0.9033.0\n"
)


def pymovie(date: str = "2026-03-01", source: str = "C:/x/a.avi", fields: bool = False) -> str:
    lines = ["# PyMovie Version 4.0.2", f"# source: {source}", "#"]
    lines += [f"# date at frame 0: {date}"] if date else []
    lines.append("FrameNum,timeInfo,signal-target,appsum-target")
    for i, ns in enumerate(STAMPS):
        lines.append(f"{i}.00,[{clock(ns, 4)}],1.0,2.0")
        if fields:
            lines.append(f"{i}.50,[{clock(ns + STEP // 2, 4)}],1.0,2.0")
    return "\n".join(lines)


def tangra(status: str, delay: str = "", how: str = "OCR-ed Timestamps") -> str:
    names = "Reversed Gamma, Colour, Instrumental Delay Corrections, Camera, Acquisition Delay (ms)"
    head = f"Tangra v3.7.5\nMeasurments of 1 objects\nD:\\a.avi\nVideo (AVI), Time: {how}\n\n\n{names}\n"
    rows = "".join(f"{i},[{clock(ns)}],100,50\n" for i, ns in enumerate(STAMPS))
    return (
        f"{head}1.00,no,{status},WAT-910HX,{delay}\n\n\nFrameNo,Time (UT),Signal (1), Background (1)\n{rows}"
    )


def limovie() -> str:
    head = 'Limovie File Format (for Ver.0.9.26 later)\n"FileName : a.avi"\n"Time",,,,"Centre of"\n'
    rows = ""
    for i, ns in enumerate(STAMPS):
        hours, minutes, seconds = clock(ns, 2).split(":")
        rows += f"{i},0,0,{int(hours)},{int(minutes)},{float(seconds):.2f},1,1,1,1,100,50,0\n"
    return head + "No.,a,b,h,m,s,x,y,z,w,Result,R2,R3\n" + rows


def of(text: str, date: str | None = None, frames: int = FRAMES) -> Any:
    side = read_side(text, "file")
    assert side is not None
    return side, side_stamps(side, "file", frames, None if date is None else utc_ns(f"{date}T00:00:00"))


@pytest.mark.parametrize("date", ["ddMMyy", "MMddyy", "yyMMdd"])
def test_firecapture(date: str) -> None:
    side, stamps = of(firecapture(date))
    assert (side.program, side.exposure_s) == ("FireCapture log", 0.02)
    assert stamps.stamp_ns.tolist() == STAMPS
    np.testing.assert_allclose(stamps.sigma_s, 0.0005)
    assert (stamps.meaning, stamps.inserted) == (None, None)


def test_firecapture_in_local_time() -> None:
    _, stamps = of(firecapture(ut="", shift=3600 * 10**9))
    assert stamps.stamp_ns.tolist() == STAMPS
    with pytest.raises(RequestError, match="no line `LT=UT"):
        of(firecapture(ut="", zone="?"))


def test_sharpcap() -> None:
    side, stamps = of(SHARPCAP)
    assert side.exposure_s == 0.02
    assert stamps.stamp_ns.tolist() == STAMPS
    assert [note.caveat for note in stamps.notes] == [Caveat.TIMES_COMPUTED]
    with pytest.raises(RequestError, match="it counts 6 frames, the recording has 7"):
        of(SHARPCAP, frames=7)


@pytest.mark.parametrize("fields", [False, True])
def test_pymovie(fields: bool) -> None:
    side, stamps = of(pymovie(fields=fields))
    assert stamps.stamp_ns.tolist() == STAMPS
    assert side.inserted == "first field"
    np.testing.assert_allclose(stamps.sigma_s, 0.00005)
    assert of(pymovie(source="a.adv"))[0].inserted is None


@pytest.mark.parametrize(
    "text", [pymovie(date=""), pymovie(date="2010-01-01"), limovie(), tangra("Not Applied")]
)
def test_a_date_is_needed_and_midnight_is_unwrapped(text: str) -> None:
    with pytest.raises(RequestError, match="--date"):
        of(text)
    assert of(text, "2026-03-01")[1].stamp_ns.tolist() == STAMPS


@pytest.mark.parametrize(
    ("text", "meaning", "inserted", "included"),
    [
        (tangra("Not Applied"), None, "first field", []),
        (tangra("Applied"), "mid", None, [("camera", 0.0)]),
        (tangra("Acquisition Delay Applied", "8.0"), "mid", None, [("acquisition", -0.008)]),
        (
            tangra("Not Required", "8.0", "Timestamp Saving During Recording"),
            "mid",
            None,
            [("acquisition", -0.008)],
        ),
        (tangra("Not Required", "", "Timestamp Saving During Recording"), "mid", None, []),
    ],
)
def test_tangra_and_what_it_has_corrected(text: str, meaning: Any, inserted: Any, included: Any) -> None:
    _, stamps = of(text, "2026-03-01")
    assert (stamps.meaning, stamps.inserted) == (meaning, inserted)
    assert [(entry.what, entry.value_s) for entry in stamps.included] == included
    solution = solve(stamps)
    np.testing.assert_array_equal(solution.mid_ns, STAMPS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (tangra("Applied").replace("FrameNo", "BinNo"), "of bins"),
        (tangra("Applied").replace("Time (UT)", "Time (JD)"), "'Time \\(JD\\)'"),
        (tangra("Applied").replace("[23:59:59.920]", "noon"), "row 2: 'noon'"),
        (pymovie().replace("1.00,[", "one,["), "row 2: frame 'one'"),
        (pymovie().split("FrameNum")[0], "no row begins with 'FrameNum'"),
        (firecapture().replace("ddMMyy", "EEEE"), "dates as 'eeee'"),
        (firecapture().replace("Frame 2: UT 010326", "Frame 2: UT 990326"), "frame 2: 990326"),
        ("FrameNum,timeInfo\n", "without any time"),
        (limovie().replace(",59,59.92", ",59,59.xx"), "row 2"),
    ],
)
def test_damaged_files_name_the_place(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_side(text, "file")


def test_frames_that_are_not_there() -> None:
    with pytest.raises(RequestError, match="frame 5 is beyond the recording, which has 5 frames"):
        of(firecapture(), frames=5)
    _, stamps = of(firecapture(), frames=8)
    assert stamps.stamp_ns[6:].tolist() == [UNKNOWN_NS] * 2


@pytest.mark.parametrize("text", ["", "frame,utc\n0,2026-03-01T00:00:00\n", "hello", "\x00\x01"])
def test_other_files_are_not_claimed(text: str) -> None:
    assert recognise_side(text) is None
    assert read_side(text, "file") is None


def test_mutated_inputs_are_read_or_refused(tmp_path: Path) -> None:
    wholes = [t.encode() for t in (firecapture(), SHARPCAP, pymovie(), tangra("Applied", "8"), limovie())]

    def read(path: Path) -> None:
        side = read_side(path.read_bytes().decode("utf-8", "replace"), path.name)
        if side is not None:
            side_stamps(side, path.name, FRAMES, 0)

    outcomes = endure(tmp_path / "side.txt", mutations(wholes, COUNT, 600), read, "side times")
    assert set(outcomes) == {"read", "RequestError"}


def test_the_real_tangra_sample() -> None:
    text = sample("reports/tangra_csv_header_excerpt_75975.csv").read_text(encoding="utf-8-sig")
    side = read_side(text, "tangra.csv")
    assert side is not None
    assert side.clock[0][:2] == (7, (8 * 3600 + 48 * 60 + 48) * 10**9 + 666_000_000)
    assert side.meaning == "mid"
    assert [(entry.what, entry.value_s) for entry in side.included] == [("acquisition", -0.008)]


class TestBeside:
    @pytest.fixture
    def ser(self, tmp_path: Path) -> Path:
        frames = np.random.default_rng(3).integers(20, 60, (FRAMES, 30, 40), np.uint8)
        return write_ser(tmp_path / "a.ser", frames, stamps_ns=STAMPS)

    def test_a_log_gives_the_exposure(self, ser: Path) -> None:
        ser.with_suffix(".txt").write_text(firecapture())
        source = open_source(ser)
        np.testing.assert_allclose(source.times.exposure_s, 0.02)
        np.testing.assert_allclose(source.times.sigma_s, 0.01, rtol=1e-4)
        kinds = {note.caveat: note.message for note in source.times.notes}
        assert Caveat.EXPOSURE_ASSUMED not in kinds
        assert kinds[Caveat.SIDE_FILE] == (
            "a.txt (FireCapture log) beside the recording: gives the exposure, 0.02 s"
        )

    def test_sharpcap_settings_too_and_an_exposure_that_cannot_be(self, ser: Path) -> None:
        settings = ser.with_name("a.CameraSettings.txt")
        settings.write_text(SHARPCAP)
        np.testing.assert_allclose(open_source(ser).times.exposure_s, 0.02)
        settings.write_text(SHARPCAP.replace("20.0000ms", "3.5s"))
        np.testing.assert_allclose(open_source(ser).times.exposure_s, 0.04)

    def test_a_recording_without_times_takes_those_of_its_log(self, tmp_path: Path) -> None:
        frames = np.random.default_rng(3).integers(20, 60, (FRAMES, 30, 40), np.uint8)
        ser = write_ser(tmp_path / "a.ser", frames)
        ser.with_suffix(".txt").write_text(firecapture())
        solution = open_source(ser).times
        np.testing.assert_array_equal(solution.mid_ns, STAMPS)
        assert solution.source == "FireCapture log"
        (tmp_path / "b.txt").write_text("notes of the night\n")
        assert open_source(ser).times.digest == solution.digest

    def test_others_are_offered_only(self, ser: Path, capsys: pytest.CaptureFixture[str]) -> None:
        before = open_source(ser).times
        ser.with_name("curve.csv").write_text(pymovie(source="C:/night/a.ser"))
        ser.with_name("other.csv").write_text(pymovie(source="C:/night/b.ser"))
        solution = open_source(ser).times
        assert solution.digest == before.digest
        (note,) = (n for n in solution.notes if n.caveat is Caveat.SIDE_FILE)
        assert (
            note.message == "curve.csv (PyMovie CSV) stands beside the recording; --times curve.csv uses it"
        )

        named = [str(ser), "--times", str(ser.with_name("curve.csv")), "--time-is", "start", "--json"]
        assert times(named) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["frames"][0][1] == utc_text(STAMPS[0], 7)
        assert document["source"] == "PyMovie CSV"

    def test_the_recording_s_own_times_give_the_day(
        self, ser: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        table = ser.with_name("l.csv")
        table.write_text(limovie())
        assert times([str(ser), "--times", str(table), "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)["frames"]
        assert [row[2] for row in rows] == [utc_text(ns, 7) for ns in STAMPS]
        assert times([str(ser), "--date", "2026-03-01"]) == 2
        assert "with --times FILE" in capsys.readouterr().err
