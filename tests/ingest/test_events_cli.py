"""The verb `umbra events`: curves in, text, JSON, folder out; another curve laid upon ours."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.event_arguments import ARGUMENTS, event_settings
from ingest.events_cli import FILES, events
from reduction.errors import RequestError
from reduction.events.settings import EventSettings, Geometry
from tests.ingest.curves.written import Truth, limovie, pymovie, sora, tangra, truth


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "ours.csv"
    path.write_text(pymovie(truth(300)))
    return path


def test_json_text_and_folder(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert events([str(recorded), "--time-is", "mid", "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["status"]) == ("umbra-events-1", "positive")
    assert found["false_alarm_probability"] < 1e-6
    assert {path.name for path in out.iterdir()} == set(FILES)
    assert json.loads((out / "events.json").read_text()) == found
    assert "in.csv" not in (out / "events.html").read_text()
    assert events([str(recorded), "--time-is", "mid", "--out", str(out)]) == 2
    assert "holds an earlier run" in capsys.readouterr().err
    assert events([str(recorded), "--time-is", "mid", "--out", str(out), "--overwrite"]) == 0
    assert "ours.csv: positive" in capsys.readouterr().out
    (out / "precious.txt").write_text("x")
    assert events([str(recorded), "--out", str(out), "--overwrite"]) == 2
    assert "holds precious.txt" in capsys.readouterr().err


def test_several_curves(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "empty.dat"
    curve = truth(300)
    other.write_text(sora(Truth(curve.mid, curve.comparison, curve.comparison), "iso"))
    out = tmp_path / "all"
    assert events([str(recorded), str(other), "--json", "--out", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)["curves"]
    assert found[0]["status"] == "positive"
    assert found[1]["status"] != "positive"
    assert found[1]["detectable"] is not None
    assert sorted(path.name for path in out.iterdir()) == ["empty", "ours"]
    assert events([str(recorded), str(other), "--overlay", str(other)]) == 2


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        (tangra(truth(300)), 0.0),
        (limovie(truth(300)), 0.0),
        (sora(truth(300), "iso"), 0.0),
    ],
    ids=["tangra", "limovie", "sora"],
)
def test_another_programs_curve_is_laid_upon_ours(
    text: str, frames: float, recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.csv"
    other.write_text(text)
    assert events([str(recorded), "--time-is", "mid", "--overlay", str(other), "--json"]) == 0
    laid = json.loads(capsys.readouterr().out)["overlay"]
    assert laid["offset_frames"] == pytest.approx(frames, abs=0.1)
    assert laid["sigma_frames"] < 0.1


def test_half_an_exposure_between_two_programs_shows(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curve = truth(300)
    late = Truth([t + timedelta(milliseconds=20) for t in curve.mid], curve.target, curve.comparison)
    other = tmp_path / "late.csv"
    other.write_text(tangra(late))
    assert events([str(recorded), "--time-is", "mid", "--overlay", str(other)]) == 0
    said = next(line for line in capsys.readouterr().out.splitlines() if "overlay:" in line)
    assert "later than ours (0.5" in said or "later than ours (0.49" in said


def test_settings_of_the_options() -> None:
    words = {
        "distance_au": 14.66,
        "velocity_km_s": 22.0,
        "star_diameter_km": 0.2,
        "models": "square, diffraction",
    }
    assert event_settings({**words, "expected_depth": 0.9, "seed": 3}, 0.1) == EventSettings(
        expected_depth=0.9,
        seed=3,
        models=("square", "diffraction"),
        exposure_s=0.1,
        geometry=Geometry(distance_au=14.66, velocity_km_s=22.0, star_diameter_km=0.2),
    )
    assert event_settings({}, None) == EventSettings()
    known = set(EventSettings.model_fields) | set(Geometry.model_fields)
    assert set(ARGUMENTS) | {"geometry", "exposure_s", "search"} == known  # `umbra events` always searches


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"distance_au": 2.0}, "give both"),
        ({"velocity_km_s": -2.0, "distance_au": 2.0}, "--velocity -2.0"),
        ({"expected_depth": 1.5}, "--depth 1.5"),
        ({"models": "square,round"}, "--models round"),
        (
            {"distance_au": 2.0, "velocity_km_s": 9.0, "star_diameter_km": 1.0, "star_diameter_mas": 1.0},
            "give one of them",
        ),
    ],
    ids=["half a geometry", "negative velocity", "depth", "model", "two diameters"],
)
def test_what_cannot_be_is_refused(words: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        event_settings(words, None)


def test_bad_requests(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        ([str(tmp_path / "absent.csv")], "no such file"),
        ([str(recorded), "--out", str(recorded)], "is a file; name a folder"),
        ([str(recorded), str(recorded), "--out", str(tmp_path / "x")], "two of the curves have one name"),
        ([str(recorded), "--column", "nobody"], "no one column"),
    ):
        assert events(arguments) == 2
        assert words in capsys.readouterr().err
