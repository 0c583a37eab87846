"""Burnt-in times through the verbs: options, video and stack, the ledger, and what is told."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from bench.inserters import Recording, Scene
from bench.vti import DATE, MIDNIGHT_NS
from ingest.burnt_in import BurntInSource
from ingest.cli import ingest, inspect
from ingest.convert import stack_of
from ingest.formats import open_source
from ingest.inspection import inspect_recording
from ingest.ocr import kept_rows
from ingest.ocr.kept_rows import KeptRows
from ingest.ocr.network import recogniser
from ingest.ocr.options import Vti, vti_options
from ingest.ocr.read import find_overlay_time, sample_frames
from ingest.stack import open_stack
from ingest.time_arguments import time_options
from ingest.timeoptions import TimeOptions
from ingest.times_cli import retime, times
from reduction.caveats import Caveat
from reduction.errors import RequestError
from reduction.stack import FrameBlock, FrameSource

SCENE = Scene(model="iota", frames=40, jumps={25: 4}, seed=8)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "vti.avi"
    write_video(path, SCENE)
    return path


def write_video(path: Path, scene: Scene) -> None:
    recording = Recording(scene)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "gray"
        for frame in recording.read(0, scene.frames):
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def expected_ns(scene: Scene) -> np.ndarray:
    return MIDNIGHT_NS + np.rint(scene.shown_s(scene.numbers) * 1e9).astype(np.int64)


def test_options() -> None:
    assert vti_options(None, None) is None
    assert vti_options("off", "2026-01-31") is None
    assert vti_options(None, "2026-01-31") == Vti(None, date(2026, 1, 31))
    assert vti_options("kiwi", "2026-01-31") == Vti("kiwi", date(2026, 1, 31))
    assert Vti(None, date(2026, 1, 31)).midnight_ns == MIDNIGHT_NS
    with pytest.raises(RequestError, match="has no date: give --vti-date"):
        vti_options("auto", None)
    with pytest.raises(RequestError, match="--vti tangra: give auto, off, iota"):
        vti_options("tangra", DATE)
    with pytest.raises(RequestError, match="not a date such as"):
        vti_options("auto", "31.1.2026")
    with pytest.raises(RequestError, match="exclude each other"):
        time_options({"vti_date": DATE, "table": "x.csv"})


def test_a_video_is_ingested_with_its_burnt_in_times(video: Path, tmp_path: Path) -> None:
    target = tmp_path / "s.zarr"
    assert ingest([str(video), str(target), "--vti", "iota", "--vti-date", DATE]) == 0
    stack = open_stack(target)
    np.testing.assert_allclose(stack.times.mid_ns, expected_ns(SCENE), atol=60_000, rtol=0)
    assert [entry.what for entry in stack.times.ledger] == ["inserter", "stamp meaning"]
    assert stack.times.exposure_s[0] == pytest.approx(2 * SCENE.step_s)
    kinds = {note.caveat for note in stack.times.notes}
    assert {Caveat.BURNT_IN_TIME, Caveat.FRAMES_DROPPED} <= kinds
    assert Caveat.BURNT_IN_UNSURE not in kinds
    assert stack.times.fields == "top"
    text = next(note.message for note in stack.times.notes if note.caveat is Caveat.FRAMES_DROPPED)
    assert text == "the burnt-in time shows 4 fields missing, the first before frame 25"


def test_a_stack_is_retimed(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "s.zarr"
    assert ingest([str(video), str(target)]) == 0
    digest = open_stack(target).digest
    assert retime([str(target), "--vti-date", DATE]) == 0
    stack = open_stack(target)
    assert stack.digest == digest
    np.testing.assert_allclose(stack.times.mid_ns, expected_ns(SCENE), atol=60_000, rtol=0)
    capsys.readouterr()
    assert times([str(target), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["frames_missing"] == 2
    assert document["source"].startswith("IOTA-VTI")


def test_inspect_tells_what_was_read(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect([str(video), "--vti", "auto", "--vti-date", DATE]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "times are those burnt in (iota, rows" in out
    assert "top field first" in out
    assert "2026-01-31T11:44:55.2500" in out


class Counted:
    """A video that counts how often it is read from its first frame on."""

    def __init__(self, recording: FrameSource) -> None:
        self.recording, self.readings = recording, 0
        self.info, self.times = recording.info, recording.times

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        self.readings += 1
        return self.recording.blocks(size, start)

    def close(self) -> None:
        self.recording.close()


def test_frames_that_came_by_need_not_be_read_again_to_find_the_line(video: Path) -> None:
    options = time_options({"vti_date": DATE})
    alone, after = (Counted(open_source(str(video), TimeOptions())) for _ in range(2))
    expected = BurntInSource(alone, options).times
    assert alone.readings == 2
    source = BurntInSource(after, options)
    assert sum(len(block.frames) for block in source.blocks(7)) == SCENE.frames
    assert source.times.digest == expected.digest
    assert after.readings == 2


def test_a_video_is_decoded_once_to_be_inspected(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = time_options({"vti_date": DATE})
    once, twice = (Counted(open_source(str(video), TimeOptions())) for _ in range(2))
    found = inspect_recording(BurntInSource(once, options))
    assert once.readings == 1
    np.testing.assert_allclose(found.solution.mid_ns, expected_ns(SCENE), atol=60_000, rtol=0)
    monkeypatch.setattr(kept_rows, "MOST_BYTES", 100_000)  # too few: the frames are decoded again
    again = inspect_recording(BurntInSource(twice, options))
    assert twice.readings == 2
    assert again.solution.digest == found.solution.digest


def test_rows_kept_are_those_of_the_digits_and_serve_no_other_line(video: Path) -> None:
    source = open_source(str(video), TimeOptions())
    overlay = find_overlay_time(sample_frames(source), recogniser())
    assert overlay is not None
    kept = KeptRows(source.info, source.times)
    for block in source.blocks(16):
        assert not kept.hold(overlay)
        kept.add(block)
    assert kept.hold(overlay)
    elsewhere = replace(overlay.crop, top=overlay.crop.top - 60, bottom=overlay.crop.bottom - 60)
    assert not kept.hold(replace(overlay, crop=elsewhere))
    assert not kept.hold(replace(overlay, interlaced=False))


def test_a_reading_that_was_broken_off_is_no_sample(video: Path) -> None:
    options = time_options({"vti_date": DATE})
    source = BurntInSource(open_source(str(video), TimeOptions()), options)
    next(iter(source.blocks(7)))
    assert sum(len(block.frames) for block in source.blocks(7, 30)) == SCENE.frames - 30
    np.testing.assert_allclose(source.times.mid_ns, expected_ns(SCENE), atol=60_000, rtol=0)


def test_a_camera_delay_goes_on_from_the_first_field(video: Path, tmp_path: Path) -> None:
    plain = stack_of(str(video), tmp_path / "a", time_options({"vti_date": DATE}))
    assert Caveat.CAMERA_UNKNOWN in {note.caveat for note in plain.times.notes}
    delayed = open_source(str(video), time_options({"vti_date": DATE, "acquisition_delay_s": 0.01})).times
    moved = delayed.mid_ns - plain.times.mid_ns
    assert set(moved.tolist()) == {-10_000_000}


def test_a_folder_of_stacks_needs_no_date_when_nothing_is_read(video: Path) -> None:
    source = open_source(str(video), time_options({"vti": "off"}))
    assert not source.times.known.any()
    text = next(note.message for note in source.times.notes if note.caveat is Caveat.TIMES_ABSENT)
    assert "--vti-date" in text


def test_a_table_tells_how_each_frame_was_read(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "read.csv"
    assert times([str(video), "--vti-date", DATE, "--burnt-in", str(table)]) == 0
    capsys.readouterr()
    head, *rows = [line.split(",") for line in table.read_text().splitlines() if line[0] != "#"]
    assert head == ["frame", "inserted_utc", "confidence", "state", "number", "residual_ms", "residual_2_ms"]
    assert len(rows) == SCENE.frames
    assert [int(row[4]) for row in rows] == SCENE.numbers.tolist()
    assert {row[3] for row in rows} <= {"read", "repaired"}
    assert all(float(row[2]) > 0.999 for row in rows)
    assert all(abs(float(row[5])) < 0.13 for row in rows if row[5])
    assert times([str(video), "--burnt-in", str(table)]) == 2
    assert "give --vti-date too" in capsys.readouterr().err
