"""Straight from RAVF, pictures and exported FITS to a light curve: that of the same frames as SER."""

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile

from ingest.export_cli import export
from ingest.writers import write_times_csv
from tests.ingest.picture_writer import png_bytes, write_folder
from tests.ingest.ravf_writer import write_ravf
from tests.recordings import AT_TARGET, SMALL, frames_of, run_reduce, ser_of, stamps

SCENE = replace(SMALL, bit_depth=12, gain_e_per_adu=8.0)
CLOCK = {"utc", "utc_sigma_s"}


def curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "lightcurve.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def of_ser(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, str]]]:
    folder = tmp_path_factory.mktemp("ser")
    path = ser_of(SCENE, folder / "a.ser")
    times = folder / "t.csv"
    write_times_csv(times, stamps(SCENE), SCENE.exposure_s)
    outcome = run_reduce(folder / "out", path, *AT_TARGET, "--time-is", "start")
    assert outcome.code == 0, outcome.err
    return path, curve(outcome.folder)


def ravf(folder: Path, _: Path) -> list[str]:
    path = write_ravf(
        folder / "a.ravf",
        frames_of(SCENE),
        image_format=3,
        padding=4,
        stamps_ns=stamps(SCENE).tolist(),
        exposure_ns=round(SCENE.exposure_s * 1e9),
    )
    return [str(path)]


def png(folder: Path, ser: Path) -> list[str]:
    """Names hold the start of each exposure, to a microsecond; exposures are then the cadence."""
    names = [f"{np.datetime64(int(ns), 'ns').astype('M8[us]')!s}Z".replace(":", "-") for ns in stamps(SCENE)]
    path = write_folder(folder / "n", [png_bytes(p, kinds="1") for p in frames_of(SCENE)], ".png", names)
    return [str(path), "--time-is", "start"]


def tiff(folder: Path, ser: Path) -> list[str]:
    path = folder / "pages.tif"
    tifffile.imwrite(path, frames_of(SCENE), compression="zlib", photometric="minisblack")
    return [str(path), "--times", str(ser.with_name("t.csv")), "--time-is", "start"]


def fits(folder: Path, ser: Path) -> list[str]:
    assert export([str(ser), "--fits", str(folder / "f"), "--time-is", "start"]) == 0
    return [str(folder / "f")]


def cube(folder: Path, ser: Path) -> list[str]:
    assert export([str(ser), "--fits", str(folder / "f"), "--time-is", "start", "--cube"]) == 0
    return [str(folder / "f")]


@pytest.mark.parametrize("made", [ravf, png, tiff, fits, cube])
def test_the_light_curve_is_that_of_the_same_frames_as_ser(
    tmp_path: Path,
    of_ser: tuple[Path, list[dict[str, str]]],
    made: Callable[[Path, Path], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ser, theirs = of_ser
    outcome = run_reduce(tmp_path / "out", *made(tmp_path, ser), *AT_TARGET)
    assert outcome.code == 0, outcome.err
    mine = curve(outcome.folder)
    assert len(mine) == len(theirs) == SCENE.frames
    for own, other in zip(mine, theirs, strict=True):
        assert {k: own[k] for k in own.keys() - CLOCK} == {k: other[k] for k in other.keys() - CLOCK}
        moments = [datetime.fromisoformat(row["utc"]) for row in (own, other)]
        assert abs((moments[0] - moments[1]).total_seconds()) <= 1e-6
