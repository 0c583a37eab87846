"""`umbra reduce FOLDER`: lights, darks, bias and flat frames in one folder, sorted out by their headers."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.cli import inspect
from ingest.writers import write_fits_sequence
from tests.ingest.fits_writer import write_fits
from tests.recordings import AT_TARGET, SMALL, Outcome, frames_of, run_reduce, stamps

CAMERA = replace(SMALL, dark_e=40.0, vignetting=0.4, frames=40, hot_pixels=150, hot_e=3000.0)
FILES = (("bias", "Bias Frame", 0.0, 12), ("dark", "Dark Frame", 0.05, 10), ("flat", "Flat Field", 1.0, 8))


def add(folder: Path, stem: str, frames: Any, **more: Any) -> None:
    """Write frames into a folder that exists."""
    beside = folder.with_name(f"{folder.name}-{stem}")
    write_fits_sequence(beside, frames, stem=stem, **more)
    for path in beside.iterdir():
        path.rename(folder / path.name)
    beside.rmdir()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("night") / "night"
    write_fits_sequence(
        folder, frames_of(CAMERA), stamps_ns=stamps(CAMERA), exposure_s=0.05, image_type="Light Frame"
    )
    for kind, word, exposure, count in FILES:
        masters = [CAMERA.calibration_frame(kind, i) for i in range(count)]  # type: ignore[arg-type]  # literals
        add(folder, kind, masters, exposure_s=exposure, image_type=word)
    return folder


@pytest.fixture(scope="module")
def reduced(night: Path) -> Outcome:
    return run_reduce(night.with_name("out"), night, *AT_TARGET)


def notes_of(outcome: Outcome) -> dict[str, str]:
    return {entry["code"]: entry["message"] for entry in outcome.summary["caveats"]}


def worst_ratio(outcome: Outcome) -> float:
    """Largest relative error of a flux against the brightest star; the target by its brighter quarter."""
    stars = outcome.summary["stars"]
    fluxes = []
    for truth in CAMERA.stars:
        distance = [np.hypot(star["x"] - truth.x, star["y"] - truth.y) for star in stars]
        fluxes.append(stars[int(np.argmin(distance))]["flux"] / truth.flux_e)
    return float(max(abs(flux / fluxes[1] - 1.0) for flux in fluxes))


class TestMixedFolder:
    def test_what_is_there_is_applied_and_said(self, reduced: Outcome) -> None:
        assert reduced.code == 0, reduced.err
        assert set(reduced.summary["provenance"]["calibration"]) == {"bias", "dark", "flat"}
        said = notes_of(reduced)["calibration-frames-applied"]
        assert "12 bias frames, 10 dark frames of 0.05 s, 8 flat frames of 1 s" in said
        assert "calibration-frames-left-out" not in reduced.caveats
        assert "uncalibrated" not in reduced.caveats
        metadata = reduced.summary["input"]["metadata"]
        assert metadata["calibration.dark"] == "10 dark frames of 0.05 s of the recording's folder"
        assert metadata["frame_types"] == "12 bias, 10 dark of 0.05 s, 8 flat of 1 s, 40 light of 0.05 s"
        page = (reduced.folder / "report.html").read_text(encoding="utf-8")
        assert "12 bias frames, 10 dark frames of 0.05 s, 8 flat frames of 1 s" in page

    def test_it_is_the_same_as_naming_them(self, night: Path, reduced: Outcome, tmp_path: Path) -> None:
        for kind, *_ in FILES:
            (tmp_path / kind).mkdir()
            for path in night.glob(f"{kind}_*"):
                shutil.copy(path, tmp_path / kind)
        named = [text for kind, *_ in FILES for text in (f"--{kind}", tmp_path / kind)]
        outcome = run_reduce(tmp_path / "out", night, *AT_TARGET, *named)
        here, there = ((o.folder / "lightcurve.csv").read_bytes() for o in (outcome, reduced))
        assert here == there
        assert "calibration-frames-applied" not in outcome.caveats
        assert outcome.summary["input"]["metadata"]["calibration.flat"] == "8 frames given by --flat"

    def test_stars_measure_right(self, night: Path, reduced: Outcome, tmp_path: Path) -> None:
        assert worst_ratio(reduced) < 0.02
        bare = run_reduce(tmp_path / "out", night, *AT_TARGET, "--no-calibration")
        assert worst_ratio(bare) > 0.05  # vignetting: the test would notice

    def test_they_can_be_left_out(self, night: Path, tmp_path: Path) -> None:
        outcome = run_reduce(tmp_path / "out", night, *AT_TARGET, "--no-calibration")
        assert outcome.summary["provenance"]["calibration"] == {}
        assert "12 bias, 10 dark, 8 flat" in notes_of(outcome)["calibration-frames-left-out"]

    def test_what_is_named_wins(self, night: Path, tmp_path: Path) -> None:
        dark = np.full((120, 160), 140, np.uint16)
        write_fits(tmp_path / "d.fits", dark, {"IMAGETYP": "DARK", "EXPTIME": 0.05})
        outcome = run_reduce(tmp_path / "out", night, *AT_TARGET, "--dark", tmp_path / "d.fits")
        metadata = outcome.summary["input"]["metadata"]
        assert metadata["calibration.dark"] == "1 frame given by --dark"
        assert metadata["calibration.bias"].startswith("12 bias frames")

    def test_inspection_shows_the_types(self, night: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert inspect([str(night)]) == 0
        assert "12 bias, 10 dark of 0.05 s, 8 flat of 1 s, 40 light of 0.05 s" in capsys.readouterr().out


class TestWhatDoesNotFit:
    def lights(self, folder: Path) -> Path:
        write_fits_sequence(folder, frames_of(SMALL), stamps_ns=stamps(SMALL), exposure_s=0.05)
        return folder

    def test_is_a_note_and_not_used(self, tmp_path: Path) -> None:
        folder = self.lights(tmp_path / "night")
        add(folder, "dark", [np.full((120, 160), 300, np.uint16)] * 3, exposure_s=10.0, image_type="DARK")
        add(folder, "flat", [np.full((60, 80), 9000, np.uint16)] * 2, exposure_s=1.0, image_type="FLAT")
        outcome = run_reduce(tmp_path / "out", folder, *AT_TARGET)
        assert outcome.code == 0, outcome.err
        assert outcome.summary["provenance"]["calibration"] == {}
        left = [
            entry["message"]
            for entry in outcome.summary["caveats"]
            if entry["code"] == "calibration-frames-left-out"
        ]
        assert any("2 flat frames: 80 x 60 pixels, the recording has 160 x 120" in text for text in left)
        assert any("3 dark frames of 10 s: the recording was exposed 0.05 s" in text for text in left)

    def test_masters_between_0_and_1(self, tmp_path: Path) -> None:
        folder = self.lights(tmp_path / "night")
        write_fits(folder / "m.fits", np.full((120, 160), 0.002, np.float32), {"IMAGETYP": "Master Dark"})
        outcome = run_reduce(tmp_path / "out", folder, *AT_TARGET)
        assert "1 dark frame: floats between 0 and 1" in notes_of(outcome)["calibration-frames-left-out"]
        assert outcome.summary["provenance"]["calibration"] == {}

    def test_a_recording_without_calibration_frames_says_nothing(self, tmp_path: Path) -> None:
        outcome = run_reduce(tmp_path / "out", self.lights(tmp_path / "night"), *AT_TARGET)
        assert not {code for code in outcome.caveats if "calibration" in code}
        assert "frame_types" not in json.dumps(outcome.summary["input"]["metadata"])
