import json
from pathlib import Path

import pytest

from reduction.errors import RequestError
from reduction.record_prediction import predicted
from reduction.report_cli import report
from reduction.sites import Site
from reduction.utc import utc_ns
from tests.sample_data import sample

ONE = "occelmnt/owc_81879_2000LB11.xml"
SEVERAL = "occelmnt/astrid_UsageGuide_occult4.xml"


def test_body_star_and_time_at_the_place() -> None:
    raw, notes = predicted(sample(ONE), None, Site(latitude_deg=40.0, longitude_deg=0.0, altitude_m=0.0))
    assert raw["asteroid"]["number"] == "81879"
    assert raw["asteroid"]["diameter_km"] == pytest.approx(3.5)
    assert raw["star"]["designation"]
    assert 0 <= raw["star"]["ra_deg"] < 360
    assert utc_ns(raw["prediction"]["utc"]) > utc_ns("2026-03-01T00:00:00Z")
    assert "81879" in notes[0]


def test_without_a_place_there_is_no_predicted_time() -> None:
    raw, notes = predicted(sample(ONE), None, None)
    assert "utc" not in raw["prediction"]
    assert any("state latitude" in note for note in notes)


def test_which_event_must_be_clear() -> None:
    path = sample(SEVERAL)
    with pytest.raises(RequestError, match="say which"):
        predicted(path, None, None)
    assert predicted(path, "1", None)[0] != predicted(path, "2", None)[0]
    with pytest.raises(RequestError, match="none is meant"):
        predicted(path, "no such body", None)


def test_what_the_observer_states_goes_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    me = tmp_path / "me.toml"
    me.write_text(
        'status = "negative"\n[asteroid]\nname = "mine"\n[site]\nlatitude = "40"\nlongitude = "-0 30"\n',
        encoding="utf-8",
    )
    words = ["--observer", str(me), "--prediction", str(sample(ONE)), "--json"]
    assert report(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["record"]["asteroid"]["name"] == "mine"
    assert document["record"]["asteroid"]["number"] == "81879"
    assert document["record"]["prediction"]["utc"].startswith("2026-03-11")
    assert any("asteroid.name: what is stated counts" in note for note in document["notes"])
    assert report(["--observer", str(me), "--event", "1"]) == 2
    assert not any("more than a day" in note for note in document["notes"])
    recording = '[recording]\nstarted = "2025-10-09T08:53:20Z"\n'
    me.write_text(me.read_text(encoding="utf-8") + recording, encoding="utf-8")
    assert report(words) == 0
    assert "more than a day" in capsys.readouterr().out
