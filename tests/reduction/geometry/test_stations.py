"""Tables of stations: columns by name, angles in words, rows that are wrong; damage."""

from pathlib import Path

import pytest

from reduction.errors import DataError, RequestError
from reduction.geometry.stations import read_stations, site_argument
from tests.fuzzing import COUNT, endure, mutations

TABLE = """# a campaign
Name;Longitude;Latitude;Status;Altitude;Code
Murcia;-1 07 50;37 59 32.1;positive;43;
Quito;78°30'W;-00 12 30;;2850 m;

;;;negative;;309
"""


def test_columns_go_by_name(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(TABLE, encoding="utf-8-sig")
    murcia, quito, paranal = read_stations(path)
    assert murcia.site.latitude_deg == pytest.approx(37.99225)
    assert murcia.site.longitude_deg == pytest.approx(-1.130556, abs=1e-6)
    assert (murcia.status, murcia.site.altitude_m, murcia.site.name) == ("positive", 43.0, "Murcia")
    assert quito.site.latitude_deg == pytest.approx(-0.2083333)  # south, though its degrees are 0
    assert quito.site.longitude_deg == pytest.approx(-78.5)
    assert (quito.status, quito.site.altitude_m) == ("planned", 2850.0)
    assert paranal.site.code == "309"
    assert paranal.status == "negative"
    assert "good to" in paranal.note


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no stations"),
        ("a,b\n1,2\n", "latitude and longitude"),
        ("lat,lon\n95,2\n", "line 2: latitude_deg 95"),
        ("lat,lon\n5,x\n", "line 2"),
        ("lat,lon,alt\n5,6,high\n", "altitude 'high'"),
        ("lat,lon,status\n5,6,maybe\n", "use one of: positive"),
        ("code\n???\n", "not in the installed table"),
        ("lat,lon\n5\n", "line 2"),
    ],
    ids=["empty", "header", "range", "word", "height", "status", "code", "short"],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"wrong\.csv") as caught:
        read_stations(path)
    assert words in str(caught.value)


def test_a_site_in_an_argument() -> None:
    assert site_argument("-0 30,10,1200").site.latitude_deg == -0.5
    assert site_argument("40.0, -4.0").site.longitude_deg == -4.0
    assert site_argument("J75").site.name.startswith("OAM")
    for wrong in ("1,2,3,4", "95,0", "a,b", "40,4,up"):
        with pytest.raises(RequestError, match="--site"):
            site_argument(wrong)


def test_mutated_inputs_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "mutated.csv"

    def read(damaged: Path) -> None:
        read_stations(damaged)

    outcomes = endure(
        path, mutations([TABLE.encode(), TABLE.encode("utf-8-sig")], COUNT, 200), read, "stations"
    )
    assert outcomes["read"] > COUNT // 20
    assert outcomes["DataError"] > COUNT // 20
