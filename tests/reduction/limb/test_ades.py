"""Facts of the standard (adesmaster.xml, version 2017) that a document must keep, checked by hand."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from reduction.limb.ades import AdesContext, ades_psv, ades_xml, observation
from reduction.limb.astrometry import BodyPlace
from reduction.sites import Site

ORDER = [
    "permID",
    "provID",
    "artSat",
    "trkSub",
    "stn",
    "sys",
    "ctr",
    "pos1",
    "pos2",
    "pos3",
    "obsTime",
    "raStar",
    "decStar",
    "deltaRA",
    "deltaDec",
    "rmsRA",
    "rmsDec",
    "rmsCorr",
    "astCat",
    "remarks",
]
NEEDED = ["stn", "obsTime", "raStar", "decStar", "deltaRA", "deltaDec", "astCat"]
DECIMAL = r"[+-]?\d+(\.\d+)?"
PATTERNS = {
    "permID": r"\d+([PD](-[A-Z]{1,2})?)?",
    "provID": r"\d{4} [A-HJ-Y][A-HJ-Z]\d*|\d{4} [PT]-[L123]",
    "trkSub": r"[A-Za-z0-9_]{1,8}",
    "stn": r"[A-Za-z0-9_]{3,4}",
    "sys": "WGS84|ITRF|IAU|ICRF_AU|ICRF_KM",
    "ctr": r"\d+",
    "obsTime": r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z",
    "astCat": r"[A-Za-z0-9_]{1,8}",
    "remarks": r"[^|]{1,200}",
}
PLACE = BodyPlace(
    utc_ns=1_773_259_200_123_456_789,
    site=Site(latitude_deg=50.1, longitude_deg=-3.25, altitude_m=120),
    star_ra_deg=148.685175,
    star_dec_deg=-0.1234567,
    east_arcsec=-0.0123456,
    north_arcsec=0.0000049,
    covariance_arcsec2=np.array([[1e-8, -2e-9], [-2e-9, 4e-8]]),
    ra_deg=148.6,
    dec_deg=-0.12,
    offset_mas=(1.0, 2.0),
    offset_sigma_mas=(0.1, 0.2),
    star_sigma_mas=None,
)
CONTEXT = AdesContext(
    submitter="A. B. Sea & Sons",
    observers=("C. Dee", "E. <Eff>"),
    measurers=("G. H.",),
    telescope_design="Schmidt-Cassegrain",
    telescope_aperture_m=0.28,
    telescope_detector="CMO",
)


def check(fields: list[tuple[str, str]]) -> None:
    names = [name for name, _ in fields]
    assert names == [name for name in ORDER if name in names]
    assert set(NEEDED) <= set(names)
    assert len({"permID", "provID", "trkSub"} & set(names)) == 1
    values = dict(fields)
    for name, text in fields:
        assert re.fullmatch(PATTERNS.get(name, DECIMAL), text), (name, text)
    assert 0 <= float(values["raStar"]) < 360
    assert -90 <= float(values["decStar"]) <= 90
    assert float(values["rmsRA"]) > 0
    assert float(values["rmsDec"]) > 0
    assert -1 <= float(values["rmsCorr"]) <= 1
    assert 0 <= float(values["pos1"]) < 360


@pytest.mark.parametrize(
    ("number", "name", "kind", "text"),
    [
        ("2731", "Cucula", "permID", "2731"),
        ("", "2026 AB12", "provID", "2026 AB12"),
        ("", "New-Body!", "trkSub", "NewBody"),
        ("", "", "trkSub", "unknown"),
    ],
)
def test_fields_keep_the_standard(number: str, name: str, kind: str, text: str) -> None:
    fields = observation(PLACE, number, name, "Gaia3", "12 chords | of two\nsites")
    check(fields)
    assert dict(fields)[kind] == text


def test_values_are_those_of_the_place() -> None:
    values = dict(observation(PLACE, "2731", "", "", ""))
    assert float(values["deltaRA"]) == pytest.approx(PLACE.east_arcsec, abs=5e-7)
    assert values["deltaDec"] == "0.000005"
    assert float(values["rmsRA"]) == pytest.approx(1e-4)
    assert float(values["rmsCorr"]) == pytest.approx(-0.1)
    assert values["pos1"] == "356.750000"
    assert values["obsTime"] == "2026-03-11T20:00:00.123Z"
    assert values["stn"] == "275"
    assert values["astCat"] == "UNK"


def test_xml_holds_the_fields_in_a_block_with_its_context() -> None:
    fields = observation(PLACE, "2731", "", "Gaia3", "")
    root = ElementTree.fromstring(ades_xml(fields, CONTEXT))
    assert (root.tag, root.attrib) == ("ades", {"version": "2017"})
    block = root.find("obsBlock")
    assert block is not None
    assert [one.tag for one in block] == ["obsContext", "obsData"]
    context = block[0]
    assert {one.tag for one in context} == {"observatory", "submitter", "observers", "measurers", "telescope"}
    assert context.findtext("observatory/mpcCode") == "275"
    assert [one.text for one in context.findall("observers/name")] == ["C. Dee", "E. <Eff>"]
    assert [(one.tag, one.text) for one in block[1][0]] == fields
    bare = ElementTree.fromstring(ades_xml(fields, None))
    assert [one.tag for one in bare] == ["occultation"]


def test_psv_holds_the_same() -> None:
    fields = observation(PLACE, "2731", "", "Gaia3", "7 chords")
    lines = ades_psv(fields, CONTEXT).splitlines()
    assert lines[0] == "# version=2017"
    assert "! name A. B. Sea & Sons" in lines
    names, values = ([cell.strip() for cell in line.split("|")] for line in lines[-2:])
    assert list(zip(names, values, strict=True)) == fields
