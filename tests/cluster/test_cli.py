"""`umbra reduce`: what it writes, from every format, and what happens when it is stopped."""

import csv
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cluster.cli import reduce
from ingest.cli import ingest
from ingest.scratch import remove_left_over
from ingest.writers import write_ser, write_times_csv
from reduction.result import Flag
from reduction.timing import utc_text
from tests.recordings import (
    AT_TARGET,
    SMALL,
    SMALL_8BIT,
    Outcome,
    avi_of,
    fits_of,
    frames_of,
    run_reduce,
    ser_of,
    stamps,
)
from tests.sample_data import sample

FIRST_COLUMNS = (
    "frame,utc,exposure_s,target_flux,target_sigma,reference_flux,ratio,ratio_sigma,target_x,target_y,flags"
)
KEYS = {
    "input": {"format", "frames", "width", "height", "first_utc", "last_utc", "time_source"},
    "alignment": {"method", "lost_frames"},
    "photometry": {"aperture_px", "sky_px", "gain", "read_noise"},
    "lightcurve": {"points", "scatter", "chi2_reduced"},
    "provenance": set(),
}
FILES = {"lightcurve.csv", "stars.parquet", "summary.json", "lightcurve.png", "finder.png", "report.html"}


def rows(outcome: Outcome) -> list[dict[str, str]]:
    with (outcome.folder / "lightcurve.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def column(outcome: Outcome, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([float(row[name] or "nan") for row in rows(outcome)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.fixture(scope="module")
def times(folder: Path) -> tuple[str, ...]:
    write_times_csv(folder / "times.csv", stamps(SMALL), SMALL.exposure_s)
    return "--times", str(folder / "times.csv"), "--time-is", "start"


@pytest.fixture(scope="module")
def ser(folder: Path) -> Path:
    return ser_of(SMALL, folder / "scene.ser")


@pytest.fixture(scope="module")
def from_ser(folder: Path, ser: Path, times: tuple[str, ...]) -> Outcome:
    return run_reduce(folder / "ser", ser, *AT_TARGET, *times, "--json")


class TestResults:
    def test_files_and_columns(self, from_ser: Outcome) -> None:
        assert from_ser.code == 0
        assert not from_ser.err
        assert {path.name for path in from_ser.folder.iterdir()} == FILES
        header = (from_ser.folder / "lightcurve.csv").read_text().splitlines()[0]
        assert header.startswith(FIRST_COLUMNS + ",")
        found = rows(from_ser)
        assert [row["frame"] for row in found] == [str(i) for i in range(48)]
        middle = stamps(SMALL) + round(SMALL.exposure_s * 5e8)
        assert [row["utc"] for row in found] == [utc_text(int(ns)) for ns in middle]
        assert {row["exposure_s"] for row in found} == {"0.05"}
        assert {row["flags"] for row in found} == {"0"}

    def test_summary(self, from_ser: Outcome) -> None:
        summary = from_ser.summary
        for part, names in KEYS.items():
            assert names <= set(summary[part])
        assert {"status", "d_utc", "d_sigma_s", "r_utc", "r_sigma_s", "depth"} <= set(summary["event"])
        assert 0.0 <= summary["event"]["false_alarm_probability"] <= 1.0
        assert isinstance(summary["caveats"], list)
        assert json.loads(from_ser.out) == summary
        assert from_ser.out == (from_ser.folder / "summary.json").read_text()
        found = summary["input"]
        assert (found["format"], found["frames"], found["width"], found["height"]) == ("ser", 48, 160, 120)
        assert found["first_utc"] == rows(from_ser)[0]["utc"]
        assert found["last_utc"] == rows(from_ser)[-1]["utc"]
        assert summary["lightcurve"]["points"] == 48
        assert summary["alignment"]["lost_frames"] == 0

    def test_truth_is_found(self, from_ser: Outcome) -> None:
        light = SMALL.target_light(np.arange(48))
        norm, sigma = column(from_ser, "flux_norm"), column(from_ser, "flux_norm_sigma")
        pull = (norm - light) / sigma
        assert np.abs(pull).max() < 4.5
        assert pull.std() < 1.4
        truths = [SMALL.truth(i) for i in range(48)]
        assert np.abs(column(from_ser, "target_x") - [t.x[0] for t in truths]).max() < 0.1
        assert np.abs(column(from_ser, "target_y") - [t.y[0] for t in truths]).max() < 0.1

    def test_a_report_for_people(self, ser: Path, tmp_path: Path) -> None:
        outcome = run_reduce(tmp_path / "out", ser, *AT_TARGET)
        assert outcome.out.startswith("scene.ser: 48 frames, 160 x 120\n")
        for topic in ("time:", "tracking:", "saturation:", "noise:", "report.html"):
            assert topic in outcome.out
        again = run_reduce(tmp_path / "out", ser, *AT_TARGET, "--overwrite")
        assert again.code == 0
        assert {path.name for path in again.folder.iterdir()} == FILES

    def test_results_stand_beside_the_working_folder_by_default(
        self, ser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert reduce([str(ser), *AT_TARGET]) == 0
        assert {path.name for path in (tmp_path / "scene-umbra").iterdir()} == FILES


class TestOptions:
    def test_response(self, ser: Path, tmp_path: Path) -> None:
        table = tmp_path / "lut.csv"
        table.write_text("level,linear\n0,0\n40000,5000\n65535,65535\n")
        plan = tmp_path / "plan.toml"
        plan.write_text("gamma = 0.5\n")
        outcome = run_reduce(tmp_path / "out", ser, *AT_TARGET, "--response", table, "--plan", plan)
        assert outcome.code == 0, outcome.err
        found = outcome.summary["provenance"]["plan"]
        assert found["response"] == [[0, 0], [40_000, 5000], [65_535, 65_535]]
        assert found["gamma"] is None
        outcome = run_reduce(tmp_path / "bent", ser, *AT_TARGET, "--gamma", "0.45")
        assert outcome.summary["provenance"]["plan"]["gamma"] == 0.45
        both = run_reduce(tmp_path / "both", ser, "--gamma", "0.45", "--response", table)
        assert (both.code, "exclude each other" in both.err) == (2, True)
        table.write_text("level,linear\n0,0\n100,5000\n")
        outcome = run_reduce(tmp_path / "short", ser, *AT_TARGET, "--response", table)
        assert (outcome.code, "the response's table covers 0 to 100" in outcome.err) == (2, True)

    def test_they_reach_the_plan(self, ser: Path, tmp_path: Path) -> None:
        plan = tmp_path / "plan.toml"
        plan.write_text("aperture_px = 9.0\nsegment = 17\ntarget = {x = 1, y = 2}\n")
        stars = ("--reference", "40,30", "--reference", "121,35", "--guide", "119,90", "--guide", "40,30")
        photometry = ("--aperture", "3.5", "--sky", "9,15", "--gain", "1", "--read-noise", "2")
        plan_options = ("--plan", plan, "--frame", "0")
        outcome = run_reduce(tmp_path / "out", ser, *AT_TARGET, *stars, *photometry, *plan_options)
        assert outcome.code == 0, outcome.err
        summary = outcome.summary
        assert summary["provenance"]["plan"]["segment"] == 17
        assert summary["provenance"]["plan"]["target"] == {"x": 80.0, "y": 61.0}
        found = summary["photometry"]
        assert (found["aperture_px"], found["sky_px"], found["gain"]) == (3.5, [9.0, 15.0], 1.0)
        assert (found["gain_source"], found["read_noise"]) == ("option", 2.0)
        listed = summary["stars"]
        assert [star["name"] for star in listed if star["role"] == "reference"] == ["R1", "R2"]
        assert sum(star["is_guide"] for star in listed) == 2
        assert summary["lightcurve"]["chi2_reduced"] == pytest.approx(1.0, abs=0.5)

    def test_positions_hold_on_a_frame_where_the_target_is_hidden(self, ser: Path, tmp_path: Path) -> None:
        truth = SMALL.truth(24)
        assert truth.target_light < 0.2
        outcome = run_reduce(
            tmp_path / "out", ser, "--target", f"{truth.x[0]:.1f},{truth.y[0]:.1f}", "--frame", "24"
        )
        assert outcome.code == 0, outcome.err
        off = column(outcome, "target_x") - [SMALL.truth(i).x[0] for i in range(48)]
        assert np.abs(off).max() < 0.15
        norm = column(outcome, "flux_norm")
        assert norm[21:28] == pytest.approx(0.1, abs=0.06)

    def test_no_target_named(self, ser: Path, tmp_path: Path) -> None:
        outcome = run_reduce(tmp_path / "out", ser)
        assert outcome.code == 0
        (target,) = (star for star in outcome.summary["stars"] if star["role"] == "target")
        assert [target["x"], target["y"]] == pytest.approx([80.3, 60.7], abs=0.3)
        assert "target-chosen-automatically" in outcome.caveats


class TestFormats:
    def test_the_same_pixels_give_the_same_curve(
        self, folder: Path, ser: Path, times: tuple[str, ...], from_ser: Outcome
    ) -> None:
        table = (from_ser.folder / "lightcurve.csv").read_bytes()
        digest = from_ser.summary["provenance"]["pixel_digest"]
        assert ingest([str(ser), str(folder / "scene.zarr")]) == 0
        for source in (fits_of(SMALL, folder / "scene"), folder / "scene.zarr"):
            outcome = run_reduce(folder / f"out-{source.name}", source, *AT_TARGET, *times)
            assert outcome.code == 0, outcome.err
            assert outcome.summary["provenance"]["pixel_digest"] == digest
            assert (outcome.folder / "lightcurve.csv").read_bytes() == table

    def test_video_with_a_table_of_times(self, tmp_path: Path) -> None:
        video, table = avi_of(SMALL_8BIT, tmp_path / "scene.avi")
        outcome = run_reduce(tmp_path / "out", video, *AT_TARGET, "--times", table, "--time-is", "start")
        assert outcome.code == 0, outcome.err
        middle = stamps(SMALL_8BIT) + round(SMALL_8BIT.exposure_s * 5e8)
        assert [row["utc"] for row in rows(outcome)] == [utc_text(int(ns)) for ns in middle]
        assert column(outcome, "flux_norm")[21:28] == pytest.approx(0.1, abs=0.1)
        assert outcome.summary["input"]["frames"] == 48

    def test_video_without_times_says_so(self, tmp_path: Path) -> None:
        video, _ = avi_of(SMALL_8BIT, tmp_path / "scene.avi")
        outcome = run_reduce(tmp_path / "out", video, *AT_TARGET)
        assert {row["utc"] for row in rows(outcome)} == {""}
        assert outcome.summary["input"]["first_utc"] is None
        assert "times-absent" in outcome.caveats
        assert not any(Flag(int(row["flags"])) & Flag.TIME_UNSURE for row in rows(outcome))


class TestCoordinates:
    """Frames that hold no star, and a file that says where the target is."""

    def test_the_file_places_what_nothing_else_does(self, tmp_path: Path) -> None:
        pixels = frames_of(SMALL)
        rng = np.random.default_rng(3)
        dark = [30, 31, 32, 33]
        pixels[dark] = np.rint(rng.normal(220.0, 11.0, (4, SMALL.height, SMALL.width)))
        write_ser(tmp_path / "scene.ser", pixels, stamps_ns=stamps(SMALL))
        truth = [SMALL.truth(i) for i in range(SMALL.frames)]
        lines = [f"{i},{t.x[0] + (6.0 if i in dark else 0.0):.3f},{t.y[0]:.3f}" for i, t in enumerate(truth)]
        (tmp_path / "places.csv").write_text("\n".join(["frame,x,y", *lines]))
        outcome = run_reduce(
            tmp_path / "out", tmp_path / "scene.ser", "--coordinates", tmp_path / "places.csv", "--roi", "8"
        )
        assert outcome.code == 0, outcome.err
        assert outcome.summary["alignment"]["counts"]["coordinates"] == 4
        x = column(outcome, "target_x")
        assert x[dark] - [truth[i].x[0] for i in dark] == pytest.approx(6.0, abs=0.1)
        assert x[35] == pytest.approx(truth[35].x[0], abs=0.1)
        flags = np.array([int(row["flags"]) for row in rows(outcome)])
        assert (flags[dark] & Flag.WEAK_TRACKING).all()
        assert "coordinates" in outcome.summary["provenance"]["calibration"]
        target = outcome.summary["provenance"]["plan"]["target"]
        assert target["x"] == pytest.approx(truth[0].x[0], abs=1e-3)

    def test_a_file_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "places.csv").write_text("star,magnitude\n1,12\n")
        ser = ser_of(SMALL, tmp_path / "scene.ser")
        outcome = run_reduce(tmp_path / "out", ser, "--coordinates", tmp_path / "places.csv")
        assert outcome.code == 2
        assert "columns x and y" in outcome.err


class TestRealFrames:
    """Four frames of one night: the first points elsewhere; the clock wrote whole seconds."""

    def test_says_what_can_and_cannot_be_done(self, tmp_path: Path) -> None:
        outcome = run_reduce(tmp_path / "out", sample("astrid"))
        assert outcome.code == 0, outcome.err
        flags = np.array([int(row["flags"]) for row in rows(outcome)])
        assert flags.size == 4
        lost = (flags & Flag.LOST) != 0
        assert lost.tolist() == [True, False, False, False]
        assert outcome.summary["alignment"]["lost_frames"] == 1
        assert {
            "few-frames",
            "whole-second-times",
            "frames-lost",
            "target-chosen-automatically",
        } <= outcome.caveats
        assert [row["target_flux"] == "" for row in rows(outcome)] == lost.tolist()
        steps = np.hypot(np.diff(column(outcome, "target_x"))[1:], np.diff(column(outcome, "target_y"))[1:])
        assert (steps < 60).all()
        assert (steps > 1).any()
        assert (column(outcome, "utc_sigma_s") >= 0.2).all()
        assert outcome.summary["verdict"]["state"] != "good"


class Started:
    """The real command in its own process, on a recording that takes a while."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "results"
        self.folder.mkdir()
        path = folder / "long.ser"
        pictures = [SMALL.frame(i).tobytes() for i in range(0, 40, 4)]
        with path.open("wb") as file:
            head = struct.pack("<14s7i", b"LUCAM-RECORDER", 0, 0, 0, 160, 120, 16, 6000)
            file.write(head.ljust(178, b"\0"))
            for k in range(6000):
                file.write(pictures[k % 10])
        out = self.folder / "out"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "umbra", "reduce", str(path), "--target", "80,61", "--out", str(out)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_segments(self) -> None:
        """Until pass 2 has written its first star table."""
        deadline = time.monotonic() + 600
        while not list(self.folder.glob(".umbra-*/stars-*.npy")):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)


class TestStopped:
    def test_control_c_leaves_nothing(self, tmp_path: Path) -> None:
        started = Started(tmp_path)
        started.wait_for_segments()
        started.process.send_signal(signal.SIGINT)
        out, err = started.process.communicate(timeout=300)
        assert started.process.returncode == 130, err
        assert err == "umbra reduce: interrupted; nothing was written\n"
        assert not out
        assert not list(started.folder.iterdir())

    def test_told_to_end_it_leaves_nothing(self, tmp_path: Path) -> None:
        started = Started(tmp_path)
        started.wait_for_segments()
        started.process.terminate()
        out, err = started.process.communicate(timeout=300)
        assert started.process.returncode == 143, err
        assert err == "umbra reduce: told to end; nothing was written\n"
        assert not out
        assert not list(started.folder.iterdir())

    def test_kill_leaves_no_results_and_the_next_run_removes_what_is_left(self, tmp_path: Path) -> None:
        started = Started(tmp_path)
        started.wait_for_segments()
        (left,) = started.folder.glob(".umbra-*")
        held = left / ".held"
        os.utime(held, (held.stat().st_atime - 3600, held.stat().st_mtime - 3600))
        remove_left_over(started.folder)
        assert left.is_dir()  # its process is alive
        started.process.kill()
        started.process.communicate(timeout=300)
        assert started.process.returncode == -signal.SIGKILL
        assert not (started.folder / "out").exists()
        assert left.is_dir()
        remove_left_over(started.folder)
        assert not left.exists()


def run_umbra(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "umbra", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class TestRealCommand:
    def test_exit_code_and_one_line(self, tmp_path: Path) -> None:
        stump = tmp_path / "stump.ser"
        stump.write_bytes(b"LUCAM-RECORDER")
        done = run_umbra("reduce", stump, "--out", tmp_path / "out")
        assert done.returncode == 3
        assert len(done.stderr.splitlines()) == 1
        assert not done.stdout
        assert [path.name for path in tmp_path.iterdir()] == ["stump.ser"]

    def test_verbs(self) -> None:
        done = run_umbra("redcue")
        assert done.returncode == 2
        assert "redcue" in done.stderr
