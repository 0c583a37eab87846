"""The workbook of chords: the same cells as the CSV, the same bytes each time."""

import csv
import io
import re
import zipfile
from datetime import timedelta
from xml.etree import ElementTree

import pytest

from tests.requirements import require

require("server")

from sqlalchemy import update  # noqa: E402 - after the check for the extra

from api.database.tables import new_id, now  # noqa: E402
from api.equipment.tables import Equipment  # noqa: E402
from api.observations.tables import Observation  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.fits.field import Stations  # noqa: E402

SPREADSHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def cells(content: bytes) -> list[dict[str, tuple[str, str]]]:
    """Rows of the first sheet: letters of the column -> (type, text), by the facts of ECMA-376 alone."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    rows = []
    for row in sheet.iter(f"{SPREADSHEET}row"):
        found = {}
        for cell in row.iter(f"{SPREADSHEET}c"):
            kind, letters = cell.get("t", "n"), re.sub(r"\d", "", cell.get("r", ""))
            assert cell.find(f"{SPREADSHEET}f") is None, "no formula"
            inline = "".join(part.text or "" for part in cell.iter(f"{SPREADSHEET}t"))
            found[letters] = (kind, inline if kind == "inlineStr" else cell.findtext(f"{SPREADSHEET}v") or "")
        rows.append(found)
    return rows


def column(number: int) -> str:
    return chr(65 + number) if number < 26 else chr(64 + number // 26) + chr(65 + number % 26)


def test_the_workbook_is_the_csv(callers: Callers, stations: Stations) -> None:
    stations.fill()
    stations.join(stations.seen[0], "=HYPERLINK(1)", status="overcast")
    address = f"/campaigns/{stations.campaign}/chords"
    answer = callers.ask("staff", "GET", f"{address}.xlsx")
    assert answer.status_code == 200
    assert 'filename="chords.xlsx"' in answer.headers["content-disposition"]
    rows = cells(answer.content)
    table = list(csv.reader(io.StringIO(callers.ask("staff", "GET", f"{address}.csv").text)))
    assert len(rows) == len(table)
    for made, told in zip(rows, table, strict=True):
        for number, text in enumerate(told):
            kind, value = made.get(column(number), ("n", ""))
            if kind == "inlineStr":
                assert value == text.removeprefix("'")
            elif text:
                assert float(value) == pytest.approx(float(text), rel=1e-15), "16 digits"
            else:
                assert value == ""
    assert ("inlineStr", "=HYPERLINK(1)") in [row.get("A") for row in rows]


def test_the_same_chords_are_the_same_bytes(callers: Callers, stations: Stations) -> None:
    stations.fill()
    address = f"/campaigns/{stations.campaign}/chords.xlsx"
    first = callers.ask("staff", "GET", address)
    again = callers.ask("staff", "GET", address, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert callers.ask("staff", "GET", address).content == first.content


def test_who_may(callers: Callers, stations: Stations) -> None:
    address = f"/campaigns/{stations.campaign}/chords.xlsx"
    assert callers.ask("participant", "GET", address).status_code == 403
    stations.embargo(now() - timedelta(seconds=5))
    assert callers.ask("participant", "GET", address).status_code == 200


def test_equipment_is_told(callers: Callers, stations: Stations) -> None:
    identity = stations.reported(stations.seen[0])
    with callers.world.database.writing() as session:
        person = session.get_one(Observation, identity).person
        for kind, name, details in (("telescope", "C11", {"aperture_mm": 280.0}), ("camera", "QHY 174M", {})):
            row = Equipment(id=new_id(), person=person, kind=kind, name=name, details=details, created=now())
            session.add(row)
            session.flush()
            session.execute(update(Observation).where(Observation.id == identity).values(**{kind: row.id}))
    one = callers.get("staff", f"/campaigns/{stations.campaign}/chords/{identity}")
    assert (one["telescope"], one["aperture_mm"], one["camera"]) == ("C11", 280.0, "QHY 174M")
