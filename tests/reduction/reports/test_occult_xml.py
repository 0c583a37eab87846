import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from reduction.errors import DataError, RequestError
from reduction.record import ObservationRecord
from reduction.reports.form import FORMS, Filled, ReadForm
from reduction.reports.occult_xml_read import read_all
from reduction.utc import utc_ns
from tests.fuzzing import COUNT, endure, mutations
from tests.reduction.reports.making import FULL, full, negative, records
from tests.sample_data import sample

FORM = FORMS["occult-xml"]
SAMPLE = "reports/OBS-Example.xml"

# Herald's "Format for Asteroid Occultation Observations" 2.15: how many fields each element has
COUNTS = {
    "Date": 4, "Star": 16, "StarIssues": 11, "Asteroid": 13, "SolveFlags": 9, "EllipticFit": 10, "ID": 14,
    "Conditions": 5, "D": 6, "R": 6, "Prediction": 5,
}  # fmt: skip


def one(record: ObservationRecord) -> Filled:
    (filled,) = FORM.fill(record)
    return filled


def fields(content: bytes) -> dict[str, list[list[str]]]:
    """A reader of its own: fields of every element that holds text."""
    found: dict[str, list[list[str]]] = {}
    for element in ET.fromstring(content).iter():
        if not len(element):
            found.setdefault(element.tag, []).append((element.text or "").split("|"))
    return found


def again(record: ObservationRecord, folder: Path) -> ReadForm:
    (folder / "form.xml").write_bytes(one(record).content)
    return FORM.read(folder / "form.xml")


def test_the_sample_has_the_fields_that_we_write() -> None:
    theirs = fields(sample(SAMPLE).read_bytes())
    ours = fields(one(FORM.read(sample(SAMPLE)).record).content)
    for name, count in COUNTS.items():
        assert {len(element) for element in theirs[name]} == {count}, name
        assert {len(element) for element in ours[name]} == {count}, name


def test_what_the_sample_says_is_written_again_field_by_field() -> None:
    theirs = fields(sample(SAMPLE).read_bytes())
    ours = fields(one(FORM.read(sample(SAMPLE)).record).content)
    assert ours["Date"] == theirs["Date"]
    assert ours["ID"] == theirs["ID"]
    assert ours["Conditions"][0][:4] == theirs["Conditions"][0][:4]
    star, body = theirs["Star"][0], theirs["Asteroid"][0]
    for place in (0, 1, 3, 4, 5, 9, 10, 11, 13):
        assert ours["Star"][0][place] == star[place]
    assert (ours["Asteroid"][0][:2], ours["Asteroid"][0][10:]) == (body[:2], body[10:])
    assert ours["StarIssues"][0][0] == theirs["StarIssues"][0][0]
    for name in ("D", "R"):
        time, code, accuracy, *rest = ours[name][0]
        their_time, their_code, their_accuracy, *others = theirs[name][0]
        assert time == their_time + "0"
        assert (code, float(accuracy), rest) == (their_code, float(their_accuracy), others)
    assert ours["Prediction"][0][3] == theirs["Prediction"][0][3]


def test_a_positive_observation() -> None:
    found = fields(one(full()).content)
    assert found["FileVersion"] == [["2.15"]]
    assert found["Date"] == [["2026", "3", "11", "20.0"]]
    star = found["Star"][0]
    assert star[:4] == ["UCAC4", "350-187717", "-1", "4179586373926412160"]
    assert float(star[4]) == pytest.approx(303.438013 / 15, abs=1e-10)
    assert star[5] == "-0.111144400"
    assert star[6:8] == ["", ""]  # nobody stated them
    who = ["1", "Wilhelm Herschel", "Caroline Herschel", "0", "Berlin", "DE"]
    where = ["+013 22 13.7", "+52 58 48.5", "37", " "]
    assert found["ID"] == [[*who, *where, "36", "3", "a", "a"]]
    assert found["D"] == [["20  2 30.012", "D", "0.042", "", "", " "]]
    assert found["R"] == [["20  2 34.034", "R", "0.042", "", "", " "]]
    assert found["Conditions"][0][:4] == ["2", "3", "8.5", ""]
    assert "95 percent" in found["Conditions"][0][4]
    assert found["SolveFlags"] == [["0"] * 9]
    assert found["EllipticFit"] == [["0.0", "0.0", "66.0", "66.0", "0.0", "0", "1", "0", "0.0", "0.0"]]
    assert found["Prediction"][0][0] == "2"


def test_an_event_over_midnight_counts_hours_on_from_the_earlier_day(tmp_path: Path) -> None:
    timing = {"d": {"utc": "2026-03-11T23:59:58.5Z"}, "r": {"utc": "2026-03-12T00:00:03.25Z"}}
    record = full(timings=[timing], prediction={"utc": "2026-03-12T00:00:01Z"})
    found = fields(one(record).content)
    assert found["Date"] == [["2026", "3", "11", "24.0"]]
    assert found["D"][0][0] == "23 59 58.5000"
    assert found["R"][0][0] == "24  0  3.2500"
    assert found["Prediction"][0][3] == "24  0  1.00"
    read = again(record, tmp_path).record
    assert read.prediction.utc == utc_ns("2026-03-12T00:00:01Z")
    assert read.timings[0].duration_s == 4.75


def test_no_hour_is_negative_where_the_event_came_after_midnight(tmp_path: Path) -> None:
    timing = {"d": {"utc": "2026-03-12T00:00:02Z"}, "r": {"utc": "2026-03-12T00:00:03.25Z"}}
    record = full(timings=[timing], prediction={"utc": "2026-03-11T23:59:59Z"})
    found = fields(one(record).content)
    assert found["Date"][0][:3] == ["2026", "3", "11"]
    assert found["Prediction"][0][3] == "23 59 59.00"
    assert found["D"][0][0] == "24  0  2.0000"
    assert again(record, tmp_path).record.timings[0].d == record.timings[0].d
    # a prediction of another day altogether is left out, not written with hours that nobody reads
    astray = full(timings=[timing], prediction={"utc": "2026-01-11T23:59:59Z"})
    found = fields(one(astray).content)
    assert "Prediction" not in found
    assert found["D"][0][0] == " 0  0  2.0000"


def test_rounding_never_puts_r_before_d(tmp_path: Path) -> None:
    timing = {
        "d": {"utc": "2026-03-11T20:02:30.0151Z", "sigma_s": 0.3},
        "r": {"utc": "2026-03-11T20:02:30.0160Z", "sigma_s": 0.001},
    }
    found = fields(one(full(timings=[timing])).content)
    assert (found["D"][0][0], found["R"][0][0]) == ("20  2 30.0151", "20  2 30.0160")
    assert not again(full(timings=[timing]), tmp_path).notes


def test_a_miss_has_only_its_interval(tmp_path: Path) -> None:
    found = fields(one(negative()).content)
    assert found["D"] == [["20  1 35.0", "M", "", "", "", " "]]
    assert found["R"] == [["20  5 34.0", "M", "", "", "", " "]]
    record = again(negative(), tmp_path).record
    assert (record.status, record.timings) == ("negative", ())
    assert record.recording.stopped == utc_ns("2026-03-11T20:05:34Z")


@pytest.mark.parametrize("status", ["overcast", "technical failure"])
def test_what_was_not_seen_has_its_own_code(status: str, tmp_path: Path) -> None:
    record = full(status=status, timings=[])
    assert fields(one(record).content)["D"] == [["", "C", "", "", "", " "]]
    assert again(record, tmp_path).record.status == status


@pytest.mark.parametrize("status", ["planned", "unknown"])
def test_what_is_not_decided_is_refused(status: str) -> None:
    with pytest.raises(RequestError, match=status):
        FORM.fill(full(status=status, timings=[]))


def test_every_event_is_an_entry_of_its_own(tmp_path: Path) -> None:
    second = {"r": {"utc": "2026-03-11T20:02:50Z", "sigma_s": 0.1}, "component": "second star"}
    record = full(timings=[*FULL["timings"], second])
    found = fields(one(record).content)
    assert [entry[0] for entry in found["ID"]] == ["1", "2"]
    assert found["D"][1] == ["", "C", "", "", "", "z"]
    assert found["R"][1] == ["20  2 50.00", "r", "0.10", "", "", "z"]
    assert found["Prediction"][0][0] == "3"
    read = again(record, tmp_path).record
    assert [timing.component for timing in read.timings] == ["main star", "second star"]
    assert read.timings[1].d is None


def test_pipes_and_markup_in_words(tmp_path: Path) -> None:
    record = full(observers=[{"name": 'A | B <&> "C" ]]>', "country": "NZ"}], comments="x|y & <z>")
    found = fields(one(record).content)
    assert found["ID"][0][1] == 'A / B <&> "C" ]]>'
    assert len(found["Conditions"][0]) == 5
    assert again(record, tmp_path).record.comments == "x/y & <z>"


@given(records())
@settings(max_examples=150, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, record: ObservationRecord) -> None:
    found = again(record, tmp_path_factory.mktemp("form"))
    assert not found.notes
    assert found.record.asteroid.name == record.asteroid.name.replace("|", "/")
    assert found.record.comments == record.comments.replace("|", "/")
    assert found.record.prediction.utc == record.prediction.utc
    (ours,), (theirs,) = found.record.timings, record.timings
    assert ours.d is not None
    assert theirs.d is not None
    assert ours.r is not None
    assert theirs.r is not None
    assert abs(ours.d.utc - theirs.d.utc) <= 5_000_000
    assert abs(ours.r.utc - theirs.r.utc) <= 5_000_000
    assert (ours.d.sigma_s or 0) >= (theirs.d.sigma_s or 0)
    assert record.site is not None
    assert found.record.site is not None
    assert abs(found.record.site.latitude_deg - record.site.latitude_deg) < 0.06 / 3600


def test_a_file_of_several_stations(tmp_path: Path) -> None:
    first = one(full()).content.decode()
    entry = first[first.index("      <Observer>") : first.index("      <Prediction>")]
    other = entry.replace("1|Wilhelm", "2|William").replace("|D|", "|M|").replace("|R|", "|M|")
    excluded = entry.replace("1|Wilhelm", "3|Bill").replace("|D|", "|e|").replace("|R|", "|f|")
    (tmp_path / "all.xml").write_text(first.replace(entry, entry + other + excluded), encoding="utf-8")
    found = read_all(tmp_path / "all.xml")
    assert [form.record.status for form in found] == ["positive", "negative", "unknown"]
    assert any("artificial" in note for note in found[2].notes)
    assert any("3 observations" in note for note in FORM.read(tmp_path / "all.xml").notes)


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd">',
        "<!DOCTYPE a>",
    ],
)
def test_no_document_type_is_read(head: str, tmp_path: Path) -> None:
    body = one(full()).content.decode().partition("?>")[2]
    (tmp_path / "form.xml").write_text(head + body, encoding="utf-8")
    with pytest.raises(DataError, match="document type"):
        FORM.read(tmp_path / "form.xml")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not XML"),
        ("<a>", "not XML"),
        ("<a/>", "holds no <Event>"),
        ("<a><Event/></a>", "no observer"),
        ("<a>" * 100, "too deep"),
        ("<a>&b;</a>", "not XML"),
        ('<?xml version="1.0" encoding="no-such"?><a/>', "not XML"),
    ],
)
def test_what_is_no_such_file_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "form.xml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=why):
        FORM.read(tmp_path / "form.xml")


def test_mutated_inputs(tmp_path: Path) -> None:
    wholes = [one(full()).content, one(negative()).content]
    outcomes = endure(
        tmp_path / "form.xml",
        mutations(wholes, COUNT, len(wholes[0])),
        lambda path: void(read_all(path)),
        "occult-xml",
    )
    assert outcomes["DataError"] > COUNT // 10


def test_mutated_inputs_within_fields(tmp_path: Path) -> None:
    """Damage to the fields alone, so that the document stays one and every field is looked at."""
    parts = re.split(r"(<[^>]*>)", one(full()).content.decode())
    rng = np.random.default_rng(1)
    alphabet = [*"0123456789|-+. :eEDRMx∞é", "9" * 30, "&amp;", "1e9", "nan", "|" * 40]

    def damaged() -> Iterator[bytes]:
        for _ in range(COUNT):
            again = list(parts)
            for place in rng.choice(np.arange(0, len(parts), 2), 4):
                at = int(rng.integers(len(again[place]) + 1))
                piece = alphabet[int(rng.integers(len(alphabet)))]
                again[place] = again[place][:at] + piece + again[place][at + int(rng.integers(3)) :]
            yield "".join(again).encode()

    path = tmp_path / "form.xml"
    outcomes = endure(path, damaged(), lambda path: void(read_all(path)), "occult-xml fields")
    assert outcomes["read"] > COUNT // 2


def void(_: object) -> None:
    return None
