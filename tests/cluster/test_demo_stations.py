"""The demo of many stations: a campaign of mixed formats whose truth is known."""

import json
from pathlib import Path

import pytest

from cluster.demo_cli import demo
from cluster.demo_stations import make_room, planned_stations
from reduction.errors import RequestError


def test_stations_differ_and_some_miss() -> None:
    stations = planned_stations(60)
    assert {planned.station.container for planned in stations} == {"SER", "FITS", "AVI"}
    assert len({planned.station.scene.seed for planned in stations}) == 60
    crossed = [planned for planned in stations if planned.edges is not None]
    assert 45 <= len(crossed) < 60
    for planned in crossed:
        assert planned.edges is not None
        assert sum(planned.edges) == pytest.approx(2 * planned.station.mid_ns, abs=4)


def test_a_few_stations_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert demo(["--out", str(out), "--stations", "4", "--ray", "none"]) == 0
    text = capsys.readouterr().out
    assert "5 observations, 4 done, 1 failed" in text
    assert "cut: failed (data): cut.ser" in text
    assert "2 of 2 events found; 0 false among 2 misses" in text
    truth = json.loads((out / "truth.json").read_text())
    for row in truth["stations"]:
        assert abs(row.get("d_pull", 0.0)) < 4.5, row
        assert abs(row.get("r_pull", 0.0)) < 4.5, row
    assert (out / "report" / "index.html").is_file()
    assert demo(["--out", str(out), "--stations", "4"]) == 2
    make_room(out, overwrite=True)
    assert not out.exists()
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(RequestError, match="nothing was overwritten"):
        make_room(out, overwrite=True)
