from pathlib import Path

import numpy as np
import pytest

from reduction.errors import DataError, RequestError, UmbraError
from reduction.limb.campaign import read_campaign
from tests.fuzzing import COUNT, endure, mutations
from tests.reduction.limb.events import XML

HEAD = 'prediction = "event.xml"\n'
STATION = """
[[station]]
name = "One"
latitude_deg = "+50 48 15.8"
longitude_deg = 96.4
d = "2026-03-11T20:14:55Z"
d_sigma_s = 0.05
r = "2026-03-11T20:15:04.5Z"
r_sigma_s = 0.04
exposure_s = 0.04
"""
BAD = """
[[station]]
name = "Two"
latitude_deg = 95
longitude_deg = 10
[[station]]
name = "Three"
latitude_deg = 45
longitude_deg = 10
d = "2026-03-11 20:15:00"
[[station]]
name = "Four"
latitude_deg = 45
longitude_deg = 10
d = "2026-03-11T20:15:00Z"
[[station]]
name = "One"
latitude_deg = 45
longitude_deg = 10
status = "negative"
colour = "red"
[[station]]
name = "Six"
latitude_deg = 45
longitude_deg = 10
d = "2026-03-11T20:15:00Z"
d_sigma_s = 0.1
r = "2026-03-11T20:14:00Z"
r_sigma_s = 0.1
[[station]]
name = "Seven"
status = "negative"
[[station]]
name = "Eight"
latitude_deg = 45
longitude_deg = 10
status = "positive"
[[station]]
name = "Nine"
result = "nowhere"
"""


def written(folder: Path, text: str, name: str = "campaign.toml") -> Path:
    (folder / "event.xml").write_text(XML)
    (folder / name).write_text(text)
    return folder / name


def test_a_campaign_is_read(tmp_path: Path) -> None:
    found = read_campaign(written(tmp_path, HEAD + STATION))
    (station,) = found.stations
    assert station.status == "positive"
    assert station.site.latitude_deg == pytest.approx(50 + 48 / 60 + 15.8 / 3600)
    assert station.d is not None
    assert station.r is not None
    assert station.r.utc_ns - station.d.utc_ns == 9_500_000_000
    assert (station.d.sigma_s, station.r.sigma_s, station.exposure_s) == (0.05, 0.04, 0.04)
    assert found.prediction.body.name == "Cucula"
    assert read_campaign(tmp_path).stations == found.stations


def test_a_table_says_the_same(tmp_path: Path) -> None:
    lines = (
        "# our stations\n"
        "name,latitude_deg,longitude_deg,status,d,d_sigma_s,r,r_sigma_s,exposure_s\n"
        "One,+50 48 15.8,96.4,,2026-03-11T20:14:55Z,0.05,2026-03-11T20:15:04.5Z,0.04,0.04\n"
        "Two,50,97,negative,,,,,\n"
    )
    found = read_campaign(written(tmp_path, lines, "stations.csv"))
    assert found.stations[0] == read_campaign(written(tmp_path, HEAD + STATION)).stations[0]
    assert found.stations[1].status == "negative"


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_campaign(written(tmp_path, HEAD + 'colour = "blue"\n' + STATION + BAD))
    told = str(caught.value)
    for part in (
        "colour: is no field of a campaign ('blue')",
        "station 2 (Two): latitude_deg",
        "station 3 (Three): d: the time does not say that it is UTC",
        "station 4 (Four): d has no sigma; give d_sigma_s",
        "station 5 (One): colour: is no field",
        "station 6 (Six): d is not before r",
        "station 7 (Seven): latitude_deg and longitude_deg are missing",
        "station 8 (Eight): positive, but neither d nor r",
        "station 9 (Nine)",
    ):
        assert part in told


def test_results_give_what_a_line_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(
        '{"schema": "umbra-events-1", "status": "positive", "events": [{"label": "square", '
        '"d": {"utc": "2026-03-11T20:14:55Z", "sigma_s": 0.03}, '
        '"r": {"utc": "2026-03-11T20:15:04Z", "sigma_s": 0.02}}]}'
    )
    lines = '[[station]]\nname = "One"\nlatitude_deg = 50\nlongitude_deg = 96\nresult = "event.json"\n'
    (station,) = read_campaign(written(tmp_path, HEAD + lines)).stations
    assert station.status == "positive"
    assert station.d is not None
    assert station.r is not None
    assert (station.d.sigma_s, station.r.sigma_s) == (0.03, 0.02)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prediction = [", "not TOML"),
        ("station = 3", r"\[\[station\]\]"),
        (HEAD, "no station"),
        ('prediction = "gone.xml"\n' + STATION, "gone.xml"),
        (HEAD + 'event = "other"\n' + STATION, "0 events 'other'"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UmbraError, match=message):
        read_campaign(written(tmp_path, text))


def test_a_folder_without_a_campaign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no campaign\.toml and 0 CSV files"):
        read_campaign(tmp_path)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD)
    path.write_bytes(b"name = \xff")
    with pytest.raises(DataError, match="UTF-8"):
        read_campaign(path)


def test_nothing_of_numpy_leaks_into_settings(tmp_path: Path) -> None:
    (station,) = read_campaign(written(tmp_path, HEAD + STATION)).stations
    assert not isinstance(station.site.latitude_deg, np.generic)


@pytest.mark.parametrize("name", ["campaign.toml", "stations.csv"])
def test_mutated_inputs_are_read_or_explained(tmp_path: Path, name: str) -> None:
    whole = HEAD + STATION + BAD
    if name.endswith("csv"):
        whole = "name,latitude_deg,longitude_deg,status,d,d_sigma_s\nOne,50,96,,2026-03-11T20:14:55Z,0.1\n"
        whole += "Two,50.5,96,negative,,\n" * 3
    path = written(tmp_path, whole, name)
    outcomes = endure(
        path, mutations([whole.encode()], COUNT, len(whole)), lambda one: void(read_campaign(one)), name
    )
    assert outcomes.total() == COUNT


def void(_: object) -> None:
    """Takes anything."""


def test_times_known_to_be_late_are_taken_earlier(tmp_path: Path) -> None:
    """D, R, begin and end of a station move together; its sigmas and its neighbour stay."""
    watched = 'started = "2026-03-11T20:14:00Z"\nstopped = "2026-03-11T20:16:00Z"\n'
    (tmp_path / "event.xml").write_text(XML)
    other = (STATION + watched).replace("One", "Two")
    (tmp_path / "campaign.toml").write_text(HEAD + STATION + watched + "late_s = 1.25\n" + other)
    moved, stayed = read_campaign(tmp_path).stations
    for name in ("d", "r"):
        one, two = getattr(moved, name), getattr(stayed, name)
        assert two.utc_ns - one.utc_ns == 1_250_000_000
        assert one.sigma_s == two.sigma_s
    assert stayed.from_ns is not None
    assert stayed.to_ns is not None
    assert (moved.from_ns, moved.to_ns) == (stayed.from_ns - 1_250_000_000, stayed.to_ns - 1_250_000_000)
    assert (moved.late_s, stayed.late_s) == (1.25, 0.0)
