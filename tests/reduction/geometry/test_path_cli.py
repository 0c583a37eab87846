"""`umbra path`: what it prints, writes and refuses; its documents read back by others' readers."""

import csv
import io
import json
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reduction.geometry import coast
from reduction.geometry.circumstances import circumstances
from reduction.geometry.cli import path as run
from reduction.geometry.occelmnt import read_occelmnt
from reduction.geometry.path import shadow_path
from reduction.geometry.path_files import line_label, path_csv, path_geojson, path_kml, stations_csv
from reduction.geometry.skyplane import sky_plane
from reduction.geometry.stations import Station
from reduction.sites import Site
from tests.reduction.geometry.predictions import event, event_text
from tests.sample_data import sample

MURCIA = Station(Site(latitude_deg=37.99, longitude_deg=-1.13, altitude_m=43, name="Murcia <&>"), "positive")
KML = "{http://www.opengis.net/kml/2.2}"


@pytest.fixture
def prediction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(coast, "_path", lambda: None)
    found = tmp_path / "event.xml"
    found.write_text(event_text())
    return found


def test_a_folder_with_everything(
    prediction: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stations, out = tmp_path / "s.csv", tmp_path / "out"
    stations.write_text("name,lat,lon,status\nMurcia,37.99,-1.13,positive\n")
    assert run([str(prediction), "--stations", str(stations), "--site", "40,-4", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Murcia" in printed
    assert "2026-03-11 20:24:03" in printed
    assert "miss" in printed
    summary = json.loads((out / "summary.json").read_text())
    assert sorted(file.name for file in out.iterdir()) == summary["files"]
    assert summary["stations"][0]["status"] == "positive"
    assert summary["geocentric"]["max_duration_s"] == pytest.approx(4.0, rel=0.01)
    assert read_occelmnt(out / "prediction.xml").predictions == (event(),)
    assert (out / "map.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "map.pdf").read_bytes().startswith(b"%PDF")
    assert run([str(prediction), "--out", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run([str(prediction), "--out", str(out), "--overwrite"]) == 0


def test_an_event_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = tmp_path / "two.xml"
    two.write_text(event_text() + event_text(Object_1="Anechka", ID_0="20240104_036348"))
    assert run([str(two)]) == 2
    error = capsys.readouterr().err
    assert "2 events; choose one by --event" in error
    assert "20240104_036348" in error
    for wanted in ("2", "anechka", "20240104_036348"):
        assert run([str(two), "--event", wanted, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert "Anechka" in document["title"]
    assert run([str(two), "--event", "Ceres"]) == 2
    assert "no event fits" in capsys.readouterr().err


def test_what_is_doubtful_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doubtful = tmp_path / "doubtful.xml"
    doubtful.write_text(event_text(Errors_6="2.1", Errors_7="1", Errors_8="1", Star_10="3.9"))
    assert run([str(doubtful)]) == 0
    printed = capsys.readouterr().out
    for words in (
        "RUWE of the star is 2.10",
        "duplicated source",
        "proper motion is not known",
        "apparent place",
    ):
        assert words in printed


def test_wrong_input_has_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(tmp_path / "none.xml")]) == 3
    rubbish = tmp_path / "rubbish.xml"
    rubbish.write_bytes(b"\x00" * 100)
    assert run([str(rubbish)]) == 3
    sound = tmp_path / "sound.xml"
    sound.write_text(event_text())
    assert run([str(sound), "--site", "100,0"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3


def test_the_lines_are_geojson() -> None:
    path = shadow_path(sky_plane(event(Elements_5="9.2", Earth_0="")))
    seen = circumstances(path.plane, [MURCIA.site])
    collection = json.loads(json.dumps(path_geojson(path, [MURCIA], seen), allow_nan=False))
    assert collection["type"] == "FeatureCollection"
    kinds = [feature["properties"]["kind"] for feature in collection["features"]]
    assert kinds.count("limit") == 2
    assert kinds.count("sigma") == 2
    assert kinds.count("station") == 1
    for feature in collection["features"]:
        shape = feature["geometry"]
        for places in (
            shape["coordinates"] if shape["type"] == "MultiLineString" else [[shape["coordinates"]]]
        ):
            assert all(-180 <= place[0] <= 180 and -90 <= place[1] <= 90 for place in places)
            steps = [abs(b[0] - a[0]) for a, b in pairwise(places)]
            assert max(steps, default=0) < 180  # RFC 7946: cut at the date line
    line = collection["features"][0]
    assert line["properties"]["name"] == "centre"
    assert len(line["geometry"]["coordinates"]) == 2
    first, last = path.lines[0].traces[0], path.lines[0].traces[-1]
    assert line["geometry"]["coordinates"][0][0] == pytest.approx(
        [first.longitude_deg[0], first.latitude_deg[0]], abs=1e-6
    )
    assert line["geometry"]["coordinates"][-1][-1] == pytest.approx(
        [last.longitude_deg[-1], last.latitude_deg[-1]], abs=1e-6
    )


def test_the_lines_are_kml() -> None:
    path = shadow_path(sky_plane(event()))
    root = ElementTree.fromstring(path_kml(path, [MURCIA], circumstances(path.plane, [MURCIA.site])))
    names = [one.text for one in root.iter(f"{KML}name")]
    assert "Murcia <&>" in names
    assert {line_label(line) for line in path.lines} <= set(names)
    places = next(root.iter(f"{KML}coordinates"))
    assert places.text is not None
    longitude, latitude, _ = places.text.split()[10].split(",")
    trace = path.lines[0].traces[0]
    assert (float(longitude), float(latitude)) == pytest.approx(
        (trace.longitude_deg[10], trace.latitude_deg[10]), abs=1e-6
    )


def test_tables_hold_every_point_and_station() -> None:
    path = shadow_path(sky_plane(event()))
    seen = circumstances(path.plane, [MURCIA.site])
    rows = list(csv.DictReader(io.StringIO(path_csv(path))))
    assert len(rows) == sum(trace.utc_ns.size for line in path.lines for trace in line.traces)
    assert {row["line"] for row in rows} == {line_label(line) for line in path.lines}
    (row,) = csv.DictReader(io.StringIO(stations_csv([MURCIA], seen)))
    assert row["name"] == "Murcia <&>"
    assert float(row["offset_km"]) == pytest.approx(seen[0].offset_km, abs=1e-4)
    assert row["d_utc"] < row["predicted_utc"] < row["r_utc"]


def test_the_samples_have_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(sample("occelmnt/owc_81879_2000LB11.xml")), "--site", "40,-4"]) == 0
    assert "2000 LB11" in capsys.readouterr().out
