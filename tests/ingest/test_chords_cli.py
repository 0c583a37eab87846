import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ingest.chords_cli import chords
from reduction.errors import DataError
from reduction.events.curve import EventCurve
from reduction.limb.campaign import read_campaign
from reduction.limb.figures import draw_all
from reduction.limb.shape import Ellipse
from reduction.limb.study import ChordStudy, study
from reduction.utc import utc_line
from tests.reduction.limb.events import XML, observed, plane

TRUTH = Ellipse(12.0, -7.0, 55.0, 47.0, 30.0)
FILES = {
    "chords.csv", "limb.json", "limb.txt", "limb.html", "ades.xml", "ades.psv", "limb.png", "limb.svg",
    "limb.pdf", "residuals.png", "residuals.svg", "residuals.pdf",
}  # fmt: skip


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine stations, the fourth a second late, the last without an event."""
    folder = tmp_path_factory.mktemp("campaign")
    shares = [-0.9, -0.6, -0.35, -0.1, 0.15, 0.4, 0.6, 0.85, 1.2]
    stations = observed(plane(), TRUTH, shares, np.random.default_rng(3), shifts={3: 1.0})
    lines = ['prediction = "event.xml"', 'star_catalogue = "Gaia3"']
    for one in stations:
        lines += ["[[station]]", f'name = "{one.name}"', f'status = "{one.status}"']
        lines += [f"latitude_deg = {one.site.latitude_deg}", f"longitude_deg = {one.site.longitude_deg}"]
        if one.d is not None and one.r is not None:
            lines += [f'd = "{utc_line(one.d.utc_ns)}"', "d_sigma_s = 0.05"]
            lines += [f'r = "{utc_line(one.r.utc_ns)}"', "r_sigma_s = 0.05", "exposure_s = 0.04"]
    (folder / "campaign.toml").write_text("\n".join(lines))
    (folder / "event.xml").write_text(XML)
    return folder


def test_a_campaign_gives_limb_names_and_files(
    campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert chords([str(campaign), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "Station 4: its times are" in told
    assert "1 whole second late" in told
    assert "name no observers" in told
    assert {path.name for path in out.iterdir()} == FILES
    document = json.loads((out / "limb.json").read_text())
    assert [one["station"] for one in document["named"]] == ["Station 4"]
    figures = document["fit_with_named_stations_free"]["figures"]
    for name, value in (("f_km", 12.0), ("g_km", -7.0), ("semi_major_km", 55.0), ("semi_minor_km", 47.0)):
        low, high = figures[name]["intervals"][2]
        assert low < value < high
    rows = list(csv.DictReader((out / "chords.csv").read_text().splitlines()))
    assert len(rows) == 9
    assert [float(row["across_km"]) for row in rows] == sorted(float(row["across_km"]) for row in rows)
    assert ElementTree.parse(out / "ades.xml").getroot().tag == "ades"
    ElementTree.parse(out / "limb.svg")
    assert "http" not in (out / "limb.html").read_text().replace("http://www.w3.org/2000/svg", "")
    assert chords([str(campaign), "--out", str(out)]) == 2
    assert "exists; add --overwrite" in capsys.readouterr().err
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert chords([str(campaign), "--out", str(out), "--overwrite"]) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_json_is_printed(campaign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert chords([str(campaign), "--json", "--model", "circle"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["fit"]["model"] == "circle"
    assert "pa_deg" not in document["fit"]["figures"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.toml"], 2, "nowhere.toml: cannot be read"),
        (["{campaign}", "--model", "square"], 2, "--model square"),
        (["{campaign}", "--event", "none"], 3, "0 events 'none'"),
        (["{campaign}", "--prediction", "gone.xml"], 3, "gone.xml"),
    ],
)
def test_bad_requests(
    campaign: Path, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chords([one.format(campaign=campaign) for one in arguments]) == code
    assert message in capsys.readouterr().err


def test_the_star_of_a_catalogue_is_carried_to_the_event(campaign: Path, tmp_path: Path) -> None:
    text = (campaign / "campaign.toml").read_text()
    (tmp_path / "event.xml").write_text(XML)
    predicted = plane().prediction.star

    def with_star(dec_deg: float) -> ChordStudy:
        star = (
            f"ra = {predicted.ra_deg}\ndec = {dec_deg}\nref_epoch = 2016.0\nra_error = 0.3\ndec_error = 0.4"
        )
        star += "\npmra = 0\npmdec = -2.0\npmra_error = 0\npmdec_error = 0.03\nparallax = 0"
        (tmp_path / "campaign.toml").write_text(f"{text}\n[star]\n{star}\n")
        return study(read_campaign(tmp_path))

    plain, carried = study(read_campaign(campaign)).place, with_star(predicted.dec_deg).place
    years = 10.19  # from 2016.0 to the event
    assert (carried.star_dec_deg - predicted.dec_deg) * 3.6e6 == pytest.approx(-2 * years, abs=0.1)
    assert (carried.dec_deg - plain.dec_deg) * 3.6e6 == pytest.approx(-2 * years, abs=0.1)
    assert carried.ra_deg == pytest.approx(plain.ra_deg, abs=1e-9)
    assert carried.star_sigma_mas == pytest.approx((0.3, np.hypot(0.4, 0.03 * years)), abs=0.003)
    assert plain.star_sigma_mas is None
    with pytest.raises(DataError, match=r"arcsec from the predicted star .* another star, or its epoch"):
        with_star(predicted.dec_deg + 0.001)


def test_light_curves_are_stacked(campaign: Path) -> None:
    found = study(read_campaign(campaign))
    curves = {}
    for chord in found.chords[:3]:
        n = 400
        seconds = np.arange(n, dtype=np.float64) * 0.1
        curves[chord.station.name] = EventCurve(
            name=chord.station.name,
            time_s=seconds,
            ref_ns=chord.closest.utc_ns - 20_000_000_000,
            exposure_s=np.full(n, 0.1),
            flux=np.ones(n),
            sigma=np.full(n, 0.1),
            usable=np.ones(n, bool),
            frame=np.arange(n, dtype=float),
            utc_sigma_s=np.zeros(n),
        )
    made = draw_all(found, curves)
    assert {"curves.png", "curves.svg", "curves.pdf"} < set(made)
    assert made["curves.png"].startswith(b"\x89PNG")
