"""The forms that are workbooks; openpyxl, which the reader of ours does without, is the witness."""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from openpyxl.worksheet.datavalidation import DataValidation

from reduction.angles import signed_longitude
from reduction.errors import DataError, RequestError, UmbraError
from reduction.record import ObservationRecord
from reduction.reports.form import FORMS, Filled, ReadForm
from reduction.utc import utc_ns
from tests.fuzzing import COUNT, endure, mutations
from tests.reduction.reports.making import FULL, full, negative, records

FORM = FORMS["iota-na"]
TITLE = "Asteroid Occultation Report Form"

# what PyOTE and Astrid write where in the official form, from their own sources
PYOTE = {"d": ("F32", "H32", "J32"), "r": ("F36", "H36", "J36")}
PYOTE_ERRORS = {"d": ("L33", "M33", "N33"), "r": ("L35", "M35", "N35")}
ASTRID = {
    "AstNum": "E7", "AstName": "K7", "EventYear": "D5", "EventMonth": "K5", "EventDay": "P5",
    "StarCatalog": "S7", "StarNumber": "X7", "Hours": "Y5", "Minutes": "AA5", "Seconds": "AC5",
    "LatitudeFormat": "E17", "LongitudeFormat": "N17", "Latitude": "E18", "LatitudeDir": "J18",
    "Longitude": "N18", "LongitudeDir": "R18", "Elevation": "V18", "ElevationUnits": "W18",
    "ElevationDatum": "AA18", "Timing": "E22", "TimingDevice": "E23", "Detector": "E25",
    "ObserverName": "D9", "ObserverEmail": "S9", "Aperture": "E20", "ApertureUnits": "H20",
    "FocalRatio": "L20", "TelescopeType": "T20", "VideoFormat": "L25",
}  # fmt: skip


def one(record: ObservationRecord, template: Path | None = None, form: str = "iota-na") -> Filled:
    (filled,) = FORMS[form].fill(record, template)
    return filled


def data_of(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))["DATA"]


def again(record: ObservationRecord, folder: Path, form: str = "iota-na") -> ReadForm:
    (folder / "form.xlsx").write_bytes(one(record, form=form).content)
    return FORMS[form].read(folder / "form.xlsx")


def official(path: Path) -> Path:
    """A form made like the official one: another sheet before it, styles, lists, formulas, merged blocks."""
    book = openpyxl.Workbook()
    book.active.title = "Instructions"
    book.active["A1"] = "read me"
    page = book.create_sheet("DATA")
    page["G1"] = TITLE
    page["B7"] = "Asteroid number"
    page["E7"] = 1
    page["E7"].number_format = "0"
    page["E7"].font = openpyxl.styles.Font(bold=True)
    page["A2"] = "Positive"
    page["AB40"] = "=E7*2"
    page["J32"] = "=1+1"
    page.merge_cells("D9:H9")
    page.merge_cells("C43:Z43")
    lists = DataValidation(type="list", formula1='"Positive,Negative"')
    lists.add("A2")
    page.add_data_validation(lists)
    calculations = book.create_sheet("Corrections Calculations")
    calculations["L45"] = "=DATA!E7*0"
    book.save(path)
    return path


def test_the_cells_are_those_that_the_field_fills() -> None:
    page = data_of(one(full()).content)
    values = {name: page[cell].value for name, cell in ASTRID.items()}
    assert page["G1"].value == TITLE
    assert page["A2"].value == "Positive"
    assert values == {
        "AstNum": 928, "AstName": "Hildrun", "EventYear": 2026, "EventMonth": "March", "EventDay": 11,
        "StarCatalog": "UCAC4", "StarNumber": "350-187717", "Hours": 20, "Minutes": 3, "Seconds": 31,
        "LatitudeFormat": "deg.ddddd", "LongitudeFormat": "deg.ddddd", "Latitude": "52.98014",
        "LatitudeDir": "N", "Longitude": "13.37047", "LongitudeDir": "E", "Elevation": 37.4,
        "ElevationUnits": "m", "ElevationDatum": "WGS84", "Timing": "GPS - other linking",
        "TimingDevice": "GPS", "Detector": "QHY174M-GPS",
        "ObserverName": "Wilhelm Herschel, Caroline Herschel", "ObserverEmail": "w@example.org",
        "Aperture": 36, "ApertureUnits": "cm", "FocalRatio": 7.69,
        "TelescopeType": "SCT including Cass and Mak", "VideoFormat": "SER",
    }  # fmt: skip
    assert [page[cell].value for cell in PYOTE["d"]] == [20, 2, 30.012]
    assert [page[cell].value for cell in PYOTE["r"]] == [20, 2, 34.034]
    assert [page[cell].value for cell in PYOTE_ERRORS["d"]] == [0.021, 0.042, 0.091]  # rounded up
    assert page["W40"].value == 8.5
    assert page["O23"].value == "Umbra"
    assert one(full()).name == "20260311_928_Hildrun_Herschel_POS.xlsx"
    assert one(negative()).name == "20260311_928_Hildrun_Herschel_NEG.xlsx"


def test_nothing_is_left_to_be_corrected() -> None:
    """PyOTE adds these two cells to every time; ours contain their corrections, and say which."""
    book = openpyxl.load_workbook(io.BytesIO(one(full()).content), data_only=True)
    page = book["Corrections Calculations"]
    assert (page["L45"].value, page["L47"].value) == (0, 0)
    assert "camera -0.02 s" in book["DATA"]["D44"].value


def test_an_error_that_nobody_stated_stays_empty() -> None:
    timing = {"d": {"utc": "2026-03-11T20:02:30.0123Z", "sigma_s": 0.0201}}
    page = data_of(one(full(timings=[timing])).content)
    assert [page[cell].value for cell in PYOTE_ERRORS["d"]] == [0.021, None, None]
    assert [page[cell].value for cell in PYOTE["r"]] == [None, None, None]


def test_a_miss_has_only_its_interval(tmp_path: Path) -> None:
    page = data_of(one(negative()).content)
    assert page["A2"].value == "Negative"
    assert [page[cell].value for cell in (*PYOTE["d"], *PYOTE["r"])] == [None] * 6
    assert [page[cell].value for cell in ("F31", "H31", "J31")] == [20, 1, 34.99]
    record = again(negative(), tmp_path).record
    assert (record.status, record.timings) == ("negative", ())
    assert record.recording.stopped == utc_ns("2026-03-11T20:05:34.01Z")


@pytest.mark.parametrize("form", ["iota-na", "tt"])
def test_words_never_become_formulas(form: str, tmp_path: Path) -> None:
    evil = ["=1+1", "+49 30", "-1", "@sum(A1)", '=HYPERLINK("http://127.0.0.1")']
    record = full(
        observers=[
            {"name": evil[0], "e_mail": evil[1], "address": evil[2], "phone": evil[3], "city": evil[4]}
        ],
        comments="=cmd|' /C calc'!A0",
    )
    for template in (None, official(tmp_path / "mine.xlsx")):
        page = data_of(one(record, template, form).content)
        formulas = [c.coordinate for row in page.iter_rows() for c in row if c.data_type == "f"]
        assert set(formulas) <= {"AB40", "J32"}
        assert page["D9"].value == "=1+1"
        assert page["S9"].value == "+49 30"


@pytest.mark.parametrize("form", ["iota-na", "tt"])
@given(record=records())
@settings(max_examples=25, deadline=None)
def test_round_trip(form: str, tmp_path_factory: pytest.TempPathFactory, record: ObservationRecord) -> None:
    found = again(record, tmp_path_factory.mktemp("form"), form)
    assert not found.notes
    assert found.record.asteroid.number == record.asteroid.number
    assert found.record.asteroid.name == record.asteroid.name
    assert found.record.comments == record.comments
    assert found.record.prediction.utc == record.prediction.utc
    (ours,), (theirs,) = found.record.timings, record.timings
    assert ours.d is not None
    assert theirs.d is not None
    assert ours.r is not None
    assert theirs.r is not None
    assert abs(ours.d.utc - theirs.d.utc) <= 5_000_000
    assert abs(ours.r.utc - theirs.r.utc) <= 5_000_000
    assert (ours.d.sigma_s or 0) >= (theirs.d.sigma_s or 0) * (1 - 1e-9)
    assert record.site is not None
    assert found.record.site is not None
    assert abs(found.record.site.latitude_deg - record.site.latitude_deg) < 1e-5
    turned = found.record.site.longitude_deg - signed_longitude(record.site.longitude_deg)
    assert min(abs(turned), abs(abs(turned) - 360)) < 1e-5


def test_the_observers_own_copy_keeps_everything_else(tmp_path: Path) -> None:
    template = official(tmp_path / "mine.xlsx")
    before = template.read_bytes()
    filled = one(full(), template)
    assert template.read_bytes() == before
    assert filled.notes == ("J32 holds a formula and was left",)
    with zipfile.ZipFile(template) as old, zipfile.ZipFile(io.BytesIO(filled.content)) as new:
        assert old.namelist() == new.namelist()
        changed = {name for name in old.namelist() if old.read(name) != new.read(name)}
    assert changed == {"xl/worksheets/sheet2.xml"}
    page = data_of(filled.content)
    assert page["E7"].value == 928
    assert page["E7"].font.bold
    assert page["E7"].number_format == "0"
    assert page["B7"].value == "Asteroid number"
    assert page["AB40"].value == "=E7*2"
    assert page["J32"].value == "=1+1"
    assert page["D9"].value == "Wilhelm Herschel, Caroline Herschel"
    assert page["C43"].value == "two lines of what matters"  # the first cell of its merged block
    assert len(page.data_validations.dataValidation) == 1
    assert page["H32"].value == 2
    (tmp_path / "again.xlsx").write_bytes(filled.content)
    assert FORM.read(tmp_path / "again.xlsx").record.asteroid.name == "Hildrun"


def test_a_sheet_of_another_hand_is_filled_too(tmp_path: Path) -> None:
    """Names with prefixes, rows and data without content: other programs write them."""
    template = official(tmp_path / "mine.xlsx")
    with zipfile.ZipFile(template) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    rows = '<x:row r="1"><x:c r="G1" s="0" t="s"><x:v>1</x:v></x:c></x:row>'
    runs = "<r><t>Asteroid Occultation</t></r><r><t xml:space='preserve'> Report Form</t></r>"
    spread = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    reading = '<rPh sb="0" eb="1"><t>reading</t></rPh>'
    words = f'<sst xmlns="{spread}"><si><t>other</t></si><si>{runs}{reading}</si></sst>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    named = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'.encode()
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"</Types>", named)
    parts["xl/sharedStrings.xml"] = words.encode()
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(b'fullCalcOnLoad="1"', b"")
    start = f'<x:worksheet xmlns:x="{spread}"><x:sheetData>'
    sheet = f"{start}{rows}<x:row r='5'/><x:row r=\"9\"></x:row></x:sheetData></x:worksheet>"
    parts["xl/worksheets/sheet2.xml"] = sheet.encode()
    with zipfile.ZipFile(template, "w") as new:
        for name, part in parts.items():
            new.writestr(name, part)
    content = one(full(), template).content
    page = data_of(content)
    assert (page["D5"].value, page["K5"].value, page["AC5"].value) == (2026, "March", 31)
    assert page["D9"].value == "Wilhelm Herschel, Caroline Herschel"
    assert page["F32"].value == 20
    with zipfile.ZipFile(io.BytesIO(content)) as new:
        assert b'fullCalcOnLoad="1"' in new.read("xl/workbook.xml")
        cells = re.findall(rb'<x:c r="([A-Z]+)(\d+)"', new.read("xl/worksheets/sheet2.xml"))
    order = [(int(row), len(letters), letters) for letters, row in cells]
    assert order == sorted(order)


def test_a_miss_in_the_observers_copy(tmp_path: Path) -> None:
    """The form has a list "Was this a Miss?", whose cell is known by what it holds, or is left alone."""
    template = official(tmp_path / "mine.xlsx")
    assert "Was this a Miss?" in one(negative(), template).notes[0]
    assert data_of(one(negative(), template).content)["W38"].value is None
    book = openpyxl.load_workbook(template)
    book["DATA"]["W38"] = "no"
    book.save(template)
    assert data_of(one(negative(), template).content)["W38"].value == "Yes"
    assert data_of(one(full(), template).content)["W38"].value == "No"
    assert not any("Miss" in note for note in one(negative(), template).notes)


def test_what_is_not_the_form_is_not_filled(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "DATA"
    book.active["G1"] = "Lunar form"
    book.save(tmp_path / "other.xlsx")
    with pytest.raises(RequestError, match="Lunar form"):
        one(full(), tmp_path / "other.xlsx")
    (tmp_path / "no.xlsx").write_bytes(b"hello")
    with pytest.raises(DataError, match=re.escape("no.xlsx")):
        one(full(), tmp_path / "no.xlsx")
    with pytest.raises(RequestError, match="cannot be read"):
        one(full(), tmp_path / "absent.xlsx")
    with pytest.raises(RequestError, match="fills no copy"):
        FORMS["iota-es"].fill(full(), tmp_path / "other.xlsx")
    with pytest.raises(RequestError, match="overcast"):
        FORM.fill(full(status="overcast", timings=[]))


def test_feet_inches_and_a_correction_still_to_add(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(io.BytesIO(one(full()).content))
    page = book["DATA"]
    page["V18"], page["W18"], page["E20"], page["H20"] = 1000, "ft", 10, "in"
    page["E18"], page["J18"], page["S7"] = "36 50 07.4", "S", "UCAC4     xxx - xxxxxx"
    book["Corrections Calculations"]["L45"] = -0.0334
    book.save(tmp_path / "form.xlsx")
    found = FORM.read(tmp_path / "form.xlsx")
    assert found.record.site is not None
    assert found.record.site.altitude_m == pytest.approx(304.8)
    assert found.record.site.latitude_deg == pytest.approx(-36.8353889)
    assert found.record.telescope.aperture_cm == pytest.approx(25.4)
    assert found.record.star.catalogue == "UCAC4"
    assert any("-0.0334 s to D" in note for note in found.notes)


def test_the_form_of_australia_and_new_zealand(tmp_path: Path) -> None:
    record = full(conditions={"body_visible": True})
    filled = one(record, form="tt")
    assert filled.name == "20260311_928_Hildrun_UCAC4_350_187717+Herschel.xlsx"
    assert one(negative(), form="tt").name == "20260311_928_Hildrun_UCAC4_350_187717-Herschel.xlsx"
    page = data_of(filled.content)
    cells = {cell: page[cell].value for cell in ("C22", "O22", "AA22", "P25", "S25", "O26", "P26", "W38")}
    assert cells == {
        "C22": "GPS - other linking", "O22": "Video Recording", "AA22": "Yes", "P25": 0.1, "S25": "Seconds",
        "O26": "yes", "P26": -0.02, "W38": "no",
    }  # fmt: skip
    assert [page[cell].value for cell in ("F33", "H33", "J33", "M33")] == [20, 2, 30.012, 0.042]
    assert [page[cell].value for cell in ("F35", "H35", "J35", "M35")] == [20, 2, 34.034, 0.042]
    only_sigma = {"d": {"utc": "2026-03-11T20:02:30Z", "sigma_s": 0.02}}
    page = data_of(one(full(timings=[only_sigma]), form="tt").content)
    assert page["M33"].value == 0.04
    assert "1.96 sigma" in page["D44"].value


def test_several_events_are_several_workbooks() -> None:
    second = {"d": {"utc": "2026-03-11T20:02:50Z"}}
    names = [file.name for file in FORM.fill(full(timings=[*FULL["timings"], second]))]
    assert names == [
        "20260311_928_Hildrun_Herschel_POS_event1.xlsx",
        "20260311_928_Hildrun_Herschel_POS_event2.xlsx",
    ]


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "form.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * (100 << 20))
    with pytest.raises(DataError, match="no report form"):
        FORM.read(tmp_path / "form.xlsx")
    entities = b'<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>'
    with zipfile.ZipFile(tmp_path / "form.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", entities)
        archive.writestr("xl/_rels/workbook.xml.rels", "<a/>")
    with pytest.raises(DataError, match="document type"):
        FORM.read(tmp_path / "form.xlsx")


def test_mutated_inputs(tmp_path: Path) -> None:
    """The archive's bytes, then each part's within a sound archive: for reading, and as a template."""
    whole = one(full()).content
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"

    def damaged() -> Iterator[bytes]:
        yield from mutations([whole], COUNT // 2, len(whole))
        for changed in mutations([parts[sheet]], COUNT // 2, 1 << 20):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                for other, part in parts.items():
                    archive.writestr(other, changed if other == sheet else part)
            yield packed.getvalue()

    def read_and_fill(path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile tells of names that stand twice
            FORM.read(path)
            FORM.fill(full(), path)

    outcomes = endure(tmp_path / "form.xlsx", damaged(), read_and_fill, "iota-na")
    assert outcomes["DataError"] > COUNT // 10
    assert issubclass(DataError, UmbraError)
