"""Straight from ADV and AAV to a light curve: as from SER, with digits masked where the file says."""

import csv
import json
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.cli import ingest, inspect
from ingest.stack import open_stack
from reduction.synthetic import Scene
from tests.ingest.fstf.test_source import opened
from tests.ingest.fstf.test_times import AAV1
from tests.ingest.fstf.writer import Frame, Layout, Recording, Value, write_v1, write_v2
from tests.recordings import AT_TARGET, SMALL, SMALL_8BIT, frames_of, run_reduce, ser_of, stamps

OSD = (104, 115)


def written(path: Path, scene: Scene, layout: Layout, version: int, **changes: Any) -> Path:
    """The scene with its stamps: the start of the exposure in version 2, its middle in version 1."""
    frames = frames_of(scene)
    shift = round(scene.exposure_s * 5e8) if version == 1 else 0
    status: dict[str, Value] = {"Gain": 2.0, "TrackedSatellites": 8, "AlmanacStatus": 2}
    made = Recording(
        scene.width,
        scene.height,
        layout.bits,
        {1: layout},
        [
            Frame(picture, utc_ns=int(ns) + shift, exposure_s=scene.exposure_s, status=status)
            for picture, ns in zip(frames, stamps(scene), strict=True)
        ],
        status_types={"Gain": "real", "TrackedSatellites": "u8", "AlmanacStatus": "u8"},
    )
    return (write_v1 if version == 1 else write_v2)(path, replace(made, **changes))


def curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "lightcurve.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("version", "layout"),
    [
        (2, Layout("12BIT-IMAGE-PACKED", "LAGARITH16", 12)),
        (1, Layout("FULL-IMAGE-DIFFERENTIAL-CODING", "QUICKLZ", 12, base="PREV-FRAME")),
    ],
)
def test_the_light_curve_is_that_of_the_same_frames_as_ser(
    tmp_path: Path, version: int, layout: Layout
) -> None:
    scene = replace(SMALL, bit_depth=12, gain_e_per_adu=8.0)
    path = written(tmp_path / "a.adv", scene, layout, version, image_tags={"IMAGE-BITPIX": "12"})
    ours = run_reduce(tmp_path / "adv", path, *AT_TARGET)
    peer = run_reduce(tmp_path / "ser", ser_of(scene, tmp_path / "a.ser"), *AT_TARGET, "--time-is", "start")
    assert (ours.code, peer.code) == (0, 0), ours.err + peer.err
    mine, theirs = curve(ours.folder), curve(peer.folder)
    assert len(mine) == len(theirs) == scene.frames
    clock = {"utc", "utc_sigma_s"}
    for own, other in zip(mine, theirs, strict=True):
        assert {key: own[key] for key in own.keys() - clock} == {
            key: other[key] for key in other.keys() - clock
        }
        moments = [datetime.fromisoformat(row["utc"]) for row in (own, other)]
        assert abs((moments[0] - moments[1]).total_seconds()) <= (1e-3 if version == 1 else 1e-6)


def test_stated_lines_are_masked_from_photometry_and_kept_in_a_stack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tags = {**AAV1, "OSD-FIRST-LINE": str(OSD[0]), "OSD-LAST-LINE": str(OSD[1])}
    layout = Layout("FULL-IMAGE-DIFFERENTIAL-CODING", "QUICKLZ", 8, base="PREV-FRAME", trailer=True)
    path = written(tmp_path / "a.aav", SMALL_8BIT, layout, 1, tags=tags)
    stack = tmp_path / "a.zarr"
    assert inspect([str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["input"]["format"] == "aav"
    assert document["times"]["meaning"] == "mid"
    assert document["header"]["metadata"]["gps"] == "8 satellites, almanac certain"
    assert ingest([str(path), str(stack)]) == 0
    assert open_stack(stack).info.burnt_in == ((OSD[0], OSD[1] + 1, 0, SMALL_8BIT.width),)
    for source in (path, stack):
        outcome = run_reduce(tmp_path / f"out-{source.suffix[1:]}", source, *AT_TARGET)
        assert outcome.code == 0, outcome.err
        assert "digits-burnt-in" in outcome.caveats
        text = next(c["message"] for c in outcome.summary["caveats"] if c["code"] == "digits-burnt-in")
        assert f"rows {OSD[0]}-{OSD[1]}, columns 0-{SMALL_8BIT.width - 1}" in text


@pytest.mark.parametrize("placed", ["tracked", "by coordinates"])
def test_a_damaged_frame_is_flagged_and_costs_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], placed: str
) -> None:
    """In the raw file and in a stack of it; also where places come from a file and would be measured."""
    layout = Layout("12BIT-IMAGE-PACKED", "LAGARITH16", 12)
    scene = replace(SMALL, bit_depth=12, gain_e_per_adu=8.0)
    path = written(tmp_path / "a.adv", scene, layout, 2)
    damaged = [3, 17, 18, 40]
    with closing(opened(path)) as stack:
        places = stack._pictures._chains.frames.image[damaged].tolist()
    content = bytearray(path.read_bytes())
    for place in places:
        content[place : place + 8] = b"\xa5" * 8
    path.write_bytes(content)
    assert ingest([str(path), str(tmp_path / "a.zarr")]) == 0
    options = list(AT_TARGET)
    for source in (path, tmp_path / "a.zarr"):
        capsys.readouterr()
        assert inspect([str(source), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)["notes"]
        assert [note["caveat"] for note in said].count("frames-without-picture") == 1
    if placed == "by coordinates":
        star = scene.stars[0]
        lines = [f"{k},{star.x},{star.y}" for k in range(scene.frames)]
        (tmp_path / "places.csv").write_text("\n".join(["frame,x,y", *lines]) + "\n", encoding="utf-8")
        options += ["--coordinates", str(tmp_path / "places.csv")]
    for source in (path, tmp_path / "a.zarr"):
        outcome = run_reduce(tmp_path / f"out-{source.suffix[1:]}", source, *options)
        assert outcome.code == 0, outcome.err
        rows = curve(outcome.folder)
        assert [k for k, row in enumerate(rows) if int(row["flags"]) & 4] == damaged
        assert all(rows[k]["target_flux"] == rows[k]["ratio"] == "" for k in damaged)
        text = next(c["message"] for c in outcome.summary["caveats"] if c["code"] == "frames-without-picture")
        assert f"4 of {scene.frames} frames" in text
        assert "first is number 3" in text
