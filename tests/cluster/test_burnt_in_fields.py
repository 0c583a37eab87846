"""Interlaced video whose fields bear burnt-in times of their own: from pixels to the times of an event."""

import csv
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from bench.inserters import Recording
from bench.inserters import Scene as Line
from bench.vti import DATE, MIDNIGHT_NS
from cluster.cli import reduce
from reduction.synthetic.scene import Scene
from reduction.synthetic.sky import Occultation, SceneStar

FRAMES, DROPPED_AT = 60, 20
EVENT_S = (1.0123, 1.6071)
STARS = tuple(SceneStar(x, y, e) for x, y, e in [(300, 200, 9e3), (150, 120, 14e3), (460, 300, 12e3)])


LINE = Line(frames=FRAMES, top_first=False, box=True, jumps={DROPPED_AT: 4})
"""Times burnt in; two frames are missing."""


def video(path: Path) -> Path:
    """Every field ends as the inserter stamps it, two stamps a frame, the bottom field first."""
    line, step_s, recording = LINE, LINE.step_s, Recording(LINE)
    scene = Scene(
        frames=FRAMES,
        height=line.height,
        width=line.width,
        stars=STARS,
        seed=3,
        occultations=(Occultation(*EVENT_S, 1.0),),
        fwhm_px=3.2,
        sky_e=900.0,
        gain_e_per_adu=30.0,
        read_noise_e=20.0,
        offset_adu=12.0,
        bit_depth=8,
        fields="bottom",
        drift_px=(16.0, -7.0),
        cadence_s=2 * step_s,
        exposure_s=2 * step_s,
        missing=(DROPPED_AT, DROPPED_AT + 1),
    )
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = line.width, line.height, "gray"
        for frame in range(FRAMES):
            pixels = scene.frame(frame).astype(np.float32)
            numbers = line.numbers[frame] + np.arange(2)
            shown, before = line.shown_s(numbers), line.shown_s(numbers - 1)
            for place, number in enumerate(numbers.tolist()):
                rows = pixels[1 - place :: 2]
                count = line.count + number
                recording._burn(
                    rows, recording.inserter.line(shown[place], count, count % 2 == 0, before[place])
                )
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels.round().astype(np.uint8), "gray")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def utc_s(text: str) -> float:
    """Seconds of the day of the recording."""
    ns = np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64) - MIDNIGHT_NS
    return float(ns * 1e-9)


def test_every_field_is_a_sample_at_its_own_time(tmp_path: Path) -> None:
    path, out = video(tmp_path / "fields.avi"), tmp_path / "out"
    assert reduce([str(path), "--vti-date", DATE, "--fields", "auto", "--out", str(out)]) == 0
    with (out / "lightcurve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["frame"]) for row in rows] == [k / 2 for k in range(2 * FRAMES)]
    ends = LINE.start_s + (LINE.numbers[:, None] + np.arange(2)).ravel() * LINE.step_s
    middles = np.array([utc_s(row["utc"]) for row in rows])
    np.testing.assert_allclose(middles, ends - LINE.step_s / 2, atol=2e-4, rtol=0)
    assert all(float(row["exposure_s"]) == pytest.approx(LINE.step_s, rel=1e-5) for row in rows)
    summary = json.loads((out / "summary.json").read_text())
    said = "bottom field first, as their burnt-in times show; the motion of the stars agrees"
    assert said in json.dumps(summary["caveats"])
    (event,) = summary["event"]["events"]
    for edge, truth_s in zip(("d", "r"), EVENT_S, strict=True):
        found, sigma = utc_s(event[edge]["utc"]), event[edge]["sigma_s"]
        assert sigma < 2e-3
        assert found == pytest.approx(LINE.start_s - LINE.step_s + truth_s, abs=4 * sigma)
