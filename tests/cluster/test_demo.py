"""The demo: the campaign's truth, and the verb from end to end."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from cluster.demo_campaign import ASTEROID, demo_stations
from cluster.demo_cli import demo

FRAMES = 300


def test_chords_lie_on_the_asteroid() -> None:
    for station in demo_stations(800):
        disappear, reappear = station.event_ns()
        half = (reappear - disappear) * 1e-9 * ASTEROID.speed_km_s / 2
        assert math.hypot(half, station.chord_km) == pytest.approx(ASTEROID.radius_km, rel=1e-6)
        assert disappear + reappear == pytest.approx(2 * station.mid_ns, abs=4)
        assert station.scene.target_light(np.arange(800)).min() == pytest.approx(1.0 - station.event.depth)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "out"
    assert demo(["--out", str(out), "--frames", str(FRAMES), "--picture", str(out.parent / "p.png")]) == 0
    return out


def test_the_demo_finds_what_it_put_in(finished: Path) -> None:
    content = json.loads((finished / "demo.json").read_text())
    assert [s["station"] for s in content["stations"]] == ["A", "B", "C"]
    for station in content["stations"]:
        true, found = station["true"], station["found"]
        for edge in ("d", "r"):
            late = np.datetime64(found[f"{edge}_utc"][:-1]) - np.datetime64(true[f"{edge}_utc"][:-1])
            late_s = late / np.timedelta64(1, "s")
            assert abs(late_s) <= max(4.0 * found[f"{edge}_sigma_s"], 0.003), (station, edge)
        assert abs(found["depth"] - true["depth"]) <= max(4.0 * found["depth_sigma"], 0.01)
        assert station["lost_frames"] == 0
        assert station["position_px"] <= max(1.2 * station["position_bound_px"], 0.02)
        assert 0.7 < station["chi2_reduced"] < 1.3  # 240 points


def test_the_demo_leaves_recordings_reports_and_pictures(finished: Path) -> None:
    for station in "ABC":
        for name in ("lightcurve.csv", "summary.json", "report.html", "finder.png"):
            assert (finished / station / name).stat().st_size > 0
        assert any(path.stem == station for path in (finished / "recordings").iterdir())
    for picture in (finished / "campaign.png", finished.parent / "p.png"):
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert [p.name for p in finished.parent.iterdir() if "umbra" in p.name] == []


def test_the_demo_overwrites_only_a_demo_and_only_when_told(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo(["--out", str(finished)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    (tmp_path / "thesis.tex").write_text("years of work")
    assert demo(["--out", str(tmp_path), "--overwrite"]) == 2
    assert "nothing was overwritten" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("frames", ["0", "199", "20001", "many"])
def test_a_wrong_frame_count_is_a_wrong_request(frames: str, tmp_path: Path) -> None:
    assert demo(["--out", str(tmp_path / "out"), "--frames", frames]) == 2
    assert not (tmp_path / "out").exists()
