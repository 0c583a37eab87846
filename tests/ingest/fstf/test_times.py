"""What stamps mean, by version and writer, and what stands beside each frame."""

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.convert import convert
from ingest.corrections import Corrections, corrected
from ingest.formats import open_source
from ingest.fstf.source import FstfStack
from ingest.fstf.times import parse_digits
from ingest.stack import open_stack
from ingest.timeoptions import TimeOptions
from reduction.caveats import Caveat
from reduction.errors import RequestError
from reduction.timing import UNKNOWN_NS
from tests.ingest.fstf.test_source import START, STEP, caveats, mid_ns, opened, pictures, recording, write
from tests.ingest.fstf.writer import EPOCH, Layout, Recording, Value
from tests.ingest.ser_writer import utc_ns

AAV1 = {
    "FSTF-TYPE": "AAV",
    "AAV-VERSION": "1",
    "NATIVE-FRAME-RATE": "25.00",
    "EFFECTIVE-FRAME-RATE": "3.12500",
}
AAV2 = {**AAV1, "FSTF-TYPE": "ADV", "AAV-VERSION": "2", "RECORDER-SOFTWARE": "OccuRec"}
GPS = {"AlmanacStatus": "u8", "AlmanacOffset": "u8", "SatelliteFixStatus": "u8", "TrackedSatellites": "u8"}
FIELD = 20_000_000
EIGHT = 320_000_000
"""Nanoseconds of a field, and of an integration over eight frames."""


def said(
    version: int,
    values: list[dict[str, Value]],
    types: Mapping[str, str],
    path: Path,
    **changes: Any,
) -> FstfStack:
    """A recording with these statuses, opened."""
    made = recording(pictures(8, len(values)), {1: Layout(bits=8)}, status_types=types)
    frames = [replace(frame, status=status) for frame, status in zip(made.frames, values, strict=True)]
    return opened(write(path / "a.adv", version, replace(made, **{"frames": frames, **changes})))


def at(made: Recording, stamps: list[int], exposure_s: float) -> Recording:
    """The same frames with other stamps."""
    frames = [
        replace(frame, utc_ns=ns, exposure_s=exposure_s)
        for frame, ns in zip(made.frames, stamps, strict=True)
    ]
    return replace(made, frames=frames)


def digits(ns: int, group: int) -> str:
    """A line of an inserter, ten-thousandths in one of two places."""
    seconds, rest = divmod(ns % (86_400 * 10**9), 10**9)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    parts = "    ", f"{rest // 100_000:04d}"
    return f"P 8 {clock} {parts[1 - group]}{parts[group]} 0012345"


@pytest.mark.parametrize("version", [1, 2])
def test_every_value_of_the_status_is_read(tmp_path: Path, version: int) -> None:
    types = {
        **GPS,
        "Gain": "real",
        "Gamma": "real",
        "Shutter": "real",
        "Offset": "real",
        "SystemTime": "u64",
        "VideoCameraFrameId": "u64",
        "Unheard": "u32",
        "Error": "text",
    } | ({"UserCommand": "texts"} if version == 1 else {})
    values: list[dict[str, Value]] = []
    for k in range(6):
        one: dict[str, Value] = {
            "AlmanacStatus": 1, "AlmanacOffset": -2, "SatelliteFixStatus": 3, "TrackedSatellites": 7 + k % 2,
            "Gain": 12.5, "Gamma": 1.0, "Shutter": 0.08, "Offset": 3.0, "SystemTime": 450_000_000_000 + k,
            "VideoCameraFrameId": 2**33 + k, "Unheard": 5, "Error": "" if k % 3 else f"buffer {k}",
        }  # fmt: skip
        if version == 1:
            one["UserCommand"] = ["x" * k, "stop"] if k % 2 else []
        values.append(one)
    stack = said(version, values, types, tmp_path)
    status = stack.status
    assert status.number("satellites").tolist() == [7, 8, 7, 8, 7, 8]
    assert status.number("almanac_offset").tolist() == [-2] * 6
    assert status.number("camera_frame").tolist() == [2**33 + k for k in range(6)]
    assert status.number("system_time_ms").tolist() == [450_000_000_000 + k for k in range(6)]
    assert status.words["error"] == ["buffer 0", "", "", "buffer 3", "", ""]
    assert not status.damaged.any()
    metadata = stack.info.metadata
    assert (metadata["camera_gain"], metadata["camera_shutter"]) == ("12.5", "0.08")
    assert metadata["gps"] == "7 to 8 satellites, time and position fix, almanac certain"
    assert metadata["recorder_errors"] == "at 2 frames, first: buffer 0"
    assert not caveats(stack)


def test_values_may_change_their_order_and_be_absent(tmp_path: Path) -> None:
    types = {"Gain": "real", "Offset": "real", "Error": "text"}
    values: list[dict[str, Value]] = [
        {"Gain": 1.0, "Offset": 2.0},
        {"Offset": 2.5, "Gain": 1.5},
        {},
        {"Error": "four"},
        {"Error": "longer", "Gain": 4.0},
        {"Offset": 5.0, "Error": "five"},
    ]
    status = said(2, values, types, tmp_path).status
    np.testing.assert_array_equal(status.number("gain"), [1.0, 1.5, np.nan, np.nan, 4.0, np.nan])
    np.testing.assert_array_equal(status.number("offset"), [2.0, 2.5, np.nan, np.nan, np.nan, 5.0])
    assert status.words["error"] == ["", "", "", "four", "longer", "five"]


def test_many_shapes_of_one_length_are_read_one_by_one(tmp_path: Path) -> None:
    types = {"Error": "text", "StartFrameTimestamp": "text", "Gain": "real"}
    values: list[dict[str, Value]] = [
        {"Error": "e" * k, "StartFrameTimestamp": "s" * (200 - k), "Gain": float(k)} for k in range(1, 150)
    ]
    status = said(2, values, types, tmp_path).status
    assert status.number("gain").tolist() == list(range(1, 150))
    assert [len(text) for text in status.words["error"]] == list(range(1, 150))


def test_a_damaged_status_is_said_and_its_frame_kept(tmp_path: Path) -> None:
    values: list[dict[str, Value]] = [{"Gain": float(k), "Error": "none"} for k in range(4)]
    made = recording(pictures(8, 4), {1: Layout(bits=8)}, status_types={"Gain": "real", "Error": "text"})
    made = replace(made, frames=[replace(f, status=v) for f, v in zip(made.frames, values, strict=True)])
    path = write(tmp_path / "a.adv", 2, made)
    content = bytearray(path.read_bytes())
    place = content.rindex(b"\x01\x04\x00none")
    content[place] = 99
    path.write_bytes(content)
    stack = opened(path)
    assert stack.status.damaged.tolist() == [False, False, False, True]
    assert stack.status.number("gain").tolist() == [0, 1, 2, 3]
    assert stack.info.frames == 4
    assert Caveat.STATUS_UNREADABLE in caveats(stack)


def test_settings_that_are_no_numbers_are_unknown(tmp_path: Path) -> None:
    values: list[dict[str, Value]] = [{"Gain": 1.5, "Shutter": 7.25} for _ in range(3)]
    made = recording(pictures(8, 3), {1: Layout(bits=8)}, status_types={"Gain": "real", "Shutter": "real"})
    made = replace(made, frames=[replace(f, status=v) for f, v in zip(made.frames, values, strict=True)])
    path = write(tmp_path / "a.adv", 2, made)
    signalling, endless = b"\x00\x00\xbe\xff", b"\x00\x00\x80\x7f"
    content = path.read_bytes().replace(struct.pack("<f", 1.5), signalling)
    path.write_bytes(content.replace(struct.pack("<f", 7.25), endless))
    stack = opened(path)
    assert np.isnan(stack.status.number("gain")).all()
    assert {"camera_gain", "camera_shutter"}.isdisjoint(stack.info.metadata)
    np.testing.assert_allclose(stack.times.exposure_s, 0.08)


def test_an_uncertain_almanac_makes_whole_seconds_unsure(tmp_path: Path) -> None:
    values: list[dict[str, Value]] = [
        {"AlmanacStatus": int(k > 2), "AlmanacOffset": 2 if k > 2 else 0, "SatelliteFixStatus": 3}
        for k in range(6)
    ]
    stack = said(2, values, GPS, tmp_path)
    np.testing.assert_array_equal(stack.times.mid_ns, mid_ns(2, 6))
    np.testing.assert_allclose(stack.times.sigma_s, [2, 2, 2, 1e-3, 1e-3, 1e-3], rtol=1e-5)
    assert Caveat.GPS_ALMANAC in caveats(stack)


def test_a_count_of_leap_seconds_is_no_offset(tmp_path: Path) -> None:
    values: list[dict[str, Value]] = [{"AlmanacStatus": 2, "AlmanacOffset": 14} for _ in range(4)]
    stack = said(2, values, GPS, tmp_path)
    assert stack.times.sigma_s.tolist() == [1e-3] * 4
    assert not caveats(stack)


def test_no_fix_lets_the_clock_drift(tmp_path: Path) -> None:
    values: list[dict[str, Value]] = [
        {"AlmanacStatus": 2, "SatelliteFixStatus": 3 if k < 2 else 0} for k in range(4)
    ]
    stack = said(1, values, GPS, tmp_path)
    assert Caveat.GPS_FIX in caveats(stack)
    assert stack.times.sigma_s[3] > stack.times.sigma_s[2] > 0


def test_stamps_that_are_not_there_are_unknown(tmp_path: Path) -> None:
    made = recording(pictures(8, 4), {1: Layout(bits=8)})
    frames = [replace(frame, utc_ns=0 if k == 1 else frame.utc_ns) for k, frame in enumerate(made.frames)]
    for version in (1, 2):
        stack = opened(write(tmp_path / "a.adv", version, replace(made, frames=frames)))
        assert stack.times.mid_ns[1] == UNKNOWN_NS
        assert stack.times.known.sum() == 3
        assert Caveat.TIMES_PARTIAL in caveats(stack)


def test_an_accuracy_that_is_not_stated_is_said(tmp_path: Path) -> None:
    stack = opened(write(tmp_path / "a.adv", 2, recording(pictures(8), {1: Layout(bits=8)}, accuracy_ns=0)))
    assert Caveat.CLOCK_UNSTATED in caveats(stack)


def test_exposures_that_began_again_from_zero_are_completed_by_the_shutter(tmp_path: Path) -> None:
    values: list[dict[str, Value]] = [{"Shutter": 10.0} for _ in range(4)]
    made = recording(pictures(8, 4), {1: Layout(bits=8)})
    slow = at(made, [START + k * 11 * 10**9 for k in range(4)], 10.0)
    frames = [replace(f, status=v) for f, v in zip(slow.frames, values, strict=True)]
    stack = opened(
        write(tmp_path / "a.adv", 2, replace(slow, frames=frames, status_types={"Shutter": "real"}))
    )
    np.testing.assert_allclose(stack.times.exposure_s, 10.0)
    assert stack.times.mid_ns[0] == START + 5 * 10**9
    assert Caveat.EXPOSURE_ASSUMED in caveats(stack)


def integrated(path: Path, begin: list[int]) -> Path:
    """Eight video frames each, from `begin` on the output of the camera; stamped in the middle."""
    types = {"IntegratedFrames": "u16"}
    made = recording(pictures(8, len(begin)), {1: Layout(bits=8)}, tags=AAV1, status_types=types)
    made = at(made, [ns + EIGHT // 2 for ns in begin], 0.32)
    return write(
        path, 1, replace(made, frames=[replace(f, status={"IntegratedFrames": 8}) for f in made.frames])
    )


def test_a_cameras_delay_leads_from_the_first_field_of_what_the_recorder_joined(tmp_path: Path) -> None:
    """WAT-910HX at x8: mid-exposure is 0.180 s before the inserted time of the first field shown."""
    begin = [START + k * EIGHT for k in range(6)]
    path = integrated(tmp_path / "a.aav", begin)
    plain = open_source(path).times
    assert Caveat.CAMERA_UNKNOWN in {note.caveat for note in plain.notes}
    np.testing.assert_array_equal(plain.mid_ns, np.array(begin) + EIGHT // 2)
    np.testing.assert_allclose(plain.sigma_s, 0.32, rtol=1e-4)
    options = TimeOptions(corrections=Corrections(camera="WAT-910HX PAL x8"))
    solution = open_source(path, options).times
    first_field = np.array(begin) + FIELD
    assert np.abs(solution.mid_ns - (first_field - 180_000_000)).max() < 1_000_000
    assert solution.sigma_s.max() < 2e-3
    assert [entry.what for entry in solution.ledger] == ["inserter", "camera"]
    assert not {note.caveat for note in solution.notes} & {Caveat.CAMERA_UNKNOWN, Caveat.INTEGRATED}
    assert solution.exposure_s.tolist() == pytest.approx([0.32] * 6)
    convert(open_source(path), tmp_path / "a.zarr")
    stored = open_stack(tmp_path / "a.zarr", options).times
    np.testing.assert_array_equal(stored.mid_ns, solution.mid_ns)
    np.testing.assert_allclose(stored.sigma_s, solution.sigma_s, rtol=1e-6)
    assert [entry.what for entry in stored.ledger] == ["inserter", "camera"]
    with pytest.raises(RequestError, match="choose the camera's other standard or mode"):
        open_source(path, TimeOptions(corrections=Corrections(camera="WAT-910HX PAL x4")))
    with pytest.raises(RequestError, match="nothing is corrected twice"):
        corrected(solution, Corrections(camera="WAT-910HX PAL x8"))


def test_frames_that_the_recorder_added_up_itself_were_shown_at_once(tmp_path: Path) -> None:
    made = recording(pictures(8, 4), {1: Layout(bits=8)}, tags={**AAV1, "FRAME-STACKING-RATE": "8"})
    made = at(made, [START + k * EIGHT for k in range(4)], 0.32)
    times = opened(write(tmp_path / "a.aav", 1, made)).times
    assert times.sigma_s.max() < 1e-3


@pytest.mark.parametrize(
    ("version", "tags", "named", "texts"),
    [
        (1, AAV1, "mid", True),
        (1, AAV1, "mid", False),
        (2, AAV2, "mid", True),
        (2, AAV2, "mid", False),
        (2, {**AAV2, "RECORDER-SOFTWARE": "Other"}, "start", False),
        (2, {**AAV2, "RECORDER-SOFTWARE": "Other"}, "mid", True),
        (2, {**AAV2, "RECORDER-SOFTWARE": "Other"}, "end", True),
    ],
)
def test_what_an_integrated_frames_stamp_names(
    tmp_path: Path, version: int, tags: dict[str, str], named: str, texts: bool
) -> None:
    """The digits are the ends of the first and of the last field; the middle is between their outer edges."""
    begin = [utc_ns("2024-05-06T23:59:58") + 500_000_000 + k * EIGHT for k in range(9)]
    share = {"start": 0, "mid": EIGHT // 2, "end": EIGHT}[named]
    types = {"StartFrameTimestamp": "text", "EndFrameTimestamp": "text", "IntegratedFrames": "u16"}
    made = at(
        recording(pictures(8), {1: Layout(bits=8)}, tags=tags, status_types=types),
        [ns + share for ns in begin],
        0.32,
    )
    frames = []
    for ns, frame in zip(begin, made.frames, strict=True):
        status: dict[str, Value] = {"IntegratedFrames": 8}
        if texts:
            status["StartFrameTimestamp"] = digits(ns + FIELD, 0)
            status["EndFrameTimestamp"] = digits(ns + EIGHT, 1)
        frames.append(replace(frame, status=status))
    stack = opened(write(tmp_path / "a.aav", version, replace(made, frames=frames)))
    assert stack.info.format == "aav"
    assert stack.times.meaning == named
    np.testing.assert_array_equal(stack.times.mid_ns, np.array(begin) + EIGHT // 2)
    assert stack.info.metadata["integrated_frames"] == "8"
    assert stack.info.exposure_s == pytest.approx(0.32)


def test_network_time_stands_for_the_end_of_the_exposure(tmp_path: Path) -> None:
    types = {"NTPEndTimestamp": "u64", "NTPStartTimestamp": "u64", "NTPTimestampError": "u16"}
    ends = [START + k * EIGHT for k in range(5)]
    values: list[dict[str, Value]] = [
        {"NTPEndTimestamp": (ns - EPOCH) // 10**6, "NTPTimestampError": 250 + k} for k, ns in enumerate(ends)
    ]
    made = recording(pictures(8, 5), {1: Layout(bits=8)}, status_types=types)
    frames = [replace(f, utc_ns=0, exposure_s=0, status=v) for f, v in zip(made.frames, values, strict=True)]
    path = tmp_path / "a.aav"
    write(path, 1, replace(made, frames=frames, tags={**AAV1, "CAPHNTP-TIMING-CORRECTION": "30"}))
    stack = opened(path)
    assert stack.times.meaning == "end"
    np.testing.assert_array_equal(stack.times.mid_ns, np.array(ends) - EIGHT // 2)
    np.testing.assert_allclose(stack.times.sigma_s, [np.hypot(0.32, 0.025 + k * 1e-4) for k in range(5)])
    assert [(entry.what, entry.value_s, entry.included) for entry in stack.times.ledger] == [
        ("acquisition", -0.03, True),
        ("stamp meaning", -0.16, False),
    ]
    assert Caveat.NETWORK_TIME in caveats(stack)
    write(path, 1, replace(made, frames=frames, tags=AAV1))
    assert [entry.what for entry in opened(path).times.ledger] == ["stamp meaning"]


def test_a_recorder_without_a_date_is_never_believed(tmp_path: Path) -> None:
    night = 22 * 3600 * 10**9
    made = recording(pictures(8, 5), {1: Layout(bits=8)}, tags=AAV1)
    undated = at(made, [EPOCH + night + k * STEP for k in range(5)], 0.08)
    stack = opened(write(tmp_path / "a.aav", 1, undated))
    assert Caveat.DATE_UNSET in caveats(stack)
    np.testing.assert_array_equal(np.diff(stack.times.mid_ns), STEP)
    clock = utc_ns("2016-03-04T22:00:03")
    values: list[dict[str, Value]] = [{"SystemTime": (clock - EPOCH) // 10**6 + k * 100} for k in range(5)]
    frames = [replace(f, status=v) for f, v in zip(undated.frames, values, strict=True)]
    dated = opened(
        write(tmp_path / "a.aav", 1, replace(undated, frames=frames, status_types={"SystemTime": "u64"}))
    )
    assert Caveat.DATE_UNSET in caveats(dated)
    expected = utc_ns("2016-03-04T22:00:00") + np.arange(5) * STEP
    np.testing.assert_array_equal(dated.times.mid_ns, expected)


def test_reference_frames_and_uneven_integration(tmp_path: Path) -> None:
    types = {"IntegratedFrames": "u16", "StartFrame": "u64", "EndFrame": "u64"}
    counts = [0, 8, 8, 7, 8, 8, 0]
    values: list[dict[str, Value]] = []
    frame = 100
    for k, count in enumerate(counts):
        if k == 5:
            frame += 20
        values.append({"IntegratedFrames": count, "StartFrame": frame, "EndFrame": frame + max(count, 1) - 1})
        frame += count
    stack = said(1, values, types, tmp_path, tags=AAV1)
    np.testing.assert_array_equal(stack.read(0, 5), pictures(8, 7)[1:6])
    assert stack.status.number("integrated").tolist() == [8, 8, 7, 8, 8]
    assert caveats(stack) >= {Caveat.FRAMES_EXCLUDED, Caveat.INTEGRATION_VARIES, Caveat.FRAMES_DROPPED}


@pytest.mark.parametrize(("gamma", "bent"), [(1.0, False), (0.0, False), (0.45, True), (1 / 0.45, True)])
def test_a_gamma_of_the_camera_is_told(tmp_path: Path, gamma: float, bent: bool) -> None:
    values: list[dict[str, Value]] = [{"Gamma": gamma if k else 1.0} for k in range(4)]
    stack = said(1, values, {"Gamma": "real"}, tmp_path)
    assert (Caveat.CAMERA_GAMMA in caveats(stack)) == bent


@pytest.mark.parametrize("step", [1, 2])
def test_frames_that_the_camera_counted_and_the_file_lacks(tmp_path: Path, step: int) -> None:
    counts = [0, 1, 2, 3, 6, 7, 8, 9, 10, 12, 13]
    values: list[dict[str, Value]] = [{"VideoCameraFrameId": 2**40 + step * k} for k in counts]
    types = {"VideoCameraFrameId": "u64"}
    notes = said(2, values, types, tmp_path).info.notes
    (text,) = [note.message for note in notes if note.caveat is Caveat.FRAMES_DROPPED]
    assert "3: 2 before frame 4, 1 before frame 9" in text
    whole: list[dict[str, Value]] = [{"VideoCameraFrameId": step * k} for k in range(11)]
    odd: list[dict[str, Value]] = [{"VideoCameraFrameId": k * k} for k in range(11)]
    for values in (whole, odd):
        assert Caveat.FRAMES_DROPPED not in caveats(said(2, values, types, tmp_path))


def test_frames_for_the_digits_are_left_out_of_the_main_stream(tmp_path: Path) -> None:
    values: list[dict[str, Value]] = [
        {"FRAME-TYPE": "VTI-OSD-CALIBRATION" if k == 0 else "DATA"} for k in range(5)
    ]
    stack = said(2, values, {"FRAME-TYPE": "text"}, tmp_path, tags=AAV2)
    np.testing.assert_array_equal(stack.read(0, 4), pictures(8, 5)[1:])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("P 8 20:44:27 1234     0012345", 74667.1234),
        ("P 8 20:44:27     5678 0012345", 74667.5678),
        ("00:00:00.5", 0.5),
        ("23:59:59,0001", 86399.0001),
        ("20:44:27", None),
        ("20:61:27 1234", None),
        ("24:00:00 1234", None),
        ("", None),
        ("no digits", None),
    ],
)
def test_digits(text: str, seconds: float | None) -> None:
    assert parse_digits(text) == (None if seconds is None else pytest.approx(seconds, abs=1e-9))


def test_what_a_recorder_took_off_is_not_taken_off_again(tmp_path: Path) -> None:
    values: list[dict[str, Value]] = [
        {"NTPEndTimestamp": (START - EPOCH) // 10**6 + 320 * k} for k in range(4)
    ]
    made = recording(pictures(8, 4), {1: Layout(bits=8)}, status_types={"NTPEndTimestamp": "u64"})
    frames = [replace(f, utc_ns=0, exposure_s=0, status=v) for f, v in zip(made.frames, values, strict=True)]
    path = tmp_path / "a.aav"
    write(path, 1, replace(made, frames=frames, tags={**AAV1, "CAPHNTP-TIMING-CORRECTION": "30"}))
    with pytest.raises(RequestError, match="corrected by whoever wrote the recording"):
        corrected(open_source(path).times, Corrections(acquisition_delay_s=0.02))
