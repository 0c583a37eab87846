"""Files of predictions: what is read, every fault at once, damaged files."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.requirements import require

require("server")

from api.campaigns.prediction_files import MOST_LINES, read_csv, read_json, read_xml  # noqa: E402
from api.campaigns.prediction_views import columns_of, object_key  # noqa: E402
from reduction.errors import DataError, RequestError  # noqa: E402
from reduction.geometry.prediction import Prediction as Predicted  # noqa: E402
from tests.fuzzing import COUNT, endure, mutations  # noqa: E402
from tests.reduction.geometry.predictions import event_text  # noqa: E402
from tests.sample_data import sample  # noqa: E402

HEADER = (
    "occ_id", "object_name", "object_number", "object_class", "at", "star_name", "star_mag", "star_ra_deg",
    "star_dec_deg", "closest_approach_arcsec", "position_angle_deg", "velocity_km_s", "distance_au",
    "diameter_km",
)  # fmt: skip
ROW = (
    "L39076", "2002 MS4", "307261", "TNO", "2020-08-08T20:44:27Z", "Gaia 4253196402592965504", "14.6",
    "285.3", "-6.1", "0.05", "200.1", "-21.4", "45.6", "800",
)  # fmt: skip


def table(*rows: tuple[str, ...], header: tuple[str, ...] = HEADER, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *rows])
    return text.getvalue().encode()


def row(**changes: str) -> tuple[str, ...]:
    return tuple(changes.get(name, cell) for name, cell in zip(HEADER, ROW, strict=True))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_csv(delimiter: str, mark: bytes) -> None:
    found = read_csv(mark + table(ROW, row(occ_id="2", object_name='"Makemake, II"'), delimiter=delimiter))
    assert found.faults == ()
    first, second = (draft.body for draft in found.drafts)
    assert second.object_name == '"Makemake, II"'
    assert first.star_mag == 14.6
    assert first.approach is not None
    assert first.approach.velocity_km_s == -21.4
    columns = columns_of(first)
    assert columns["object_key"] == "3072612002ms4"
    elements = Predicted.model_validate(columns["elements"])
    assert elements.elements.epoch_ns == 1_596_919_467_000_000_000
    assert elements.body.diameter_km == 800


def test_a_row_may_lack_what_is_not_needed() -> None:
    bare = table(("1", "Ixion", "2020-08-08T23:44:27+03:00"), header=("occ_id", "object_name", "at"))
    (draft,) = read_csv(b"# made by hand\n\n" + bare).drafts
    assert draft.where == "line 4"
    columns = columns_of(draft.body)
    assert columns["elements"] == {}
    assert columns["at"].isoformat() == "2020-08-08T20:44:27+00:00"


def test_every_fault_of_a_file_is_told_with_its_line() -> None:
    data = table(
        ROW,
        row(occ_id="2", star_mag="bright"),
        row(occ_id="3", at="2020-08-08T20:44:27"),
        row(occ_id="4", star_dec_deg="91", velocity_km_s=""),
        row(occ_id="5", object_name=""),
        row(occ_id="6")[:-1],
        row(occ_id="7", diameter_km="nan"),
        row(occ_id="8", position_angle_deg="inf"),
        ROW,
        row(occ_id="10", velocity_km_s="0"),
        row(occ_id="11", at="1066-10-14T09:00:00Z"),
        row(occ_id="12"),
    )
    found = read_csv(data)
    assert [draft.body.occ_id for draft in found.drafts] == ["L39076", "L39076", "12"]
    told: dict[str, list[str]] = {}
    for fault in found.faults:
        told.setdefault(fault.where, []).append(fault.detail)
    assert list(told) == [f"line {n}" for n in (3, 4, 5, 6, 7, 8, 9, 11, 12, 10)]
    assert "star_mag" in told["line 3"][0]
    assert "'bright'" in told["line 3"][0]
    assert "timezone" in told["line 4"][0]
    assert len(told["line 5"]) == 2
    assert "object_name" in told["line 6"][0]
    assert told["line 7"] == ["13 cells, the header has 14"]
    assert "stands already at line 2" in told["line 10"][0]
    assert "stands still" in told["line 11"][0]
    assert "1700" in told["line 12"][0]


def test_a_cell_over_several_lines_keeps_the_numbers_of_lines_right() -> None:
    data = table(row(star_name="two\nlines"), row(occ_id="2", star_mag="x"))
    assert [fault.where for fault in read_csv(data).faults] == ["line 2", "line 4"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"\n# nothing\n", "empty"),
        (b"\xff\xfe1", "UTF-8"),
        (b"occ_id,object_name,at,colour\n", "unknown columns colour"),
        (b"occ_id,occ_id,object_name,at\n", "twice"),
        (b"occ_id,at\n", "lacks object_name"),
        (b'occ_id,"object\n', "header"),
        (b"occ_id,object_name,at\n" + b"1,a,b\n" * (MOST_LINES + 1), "more than 10000"),
    ],
    ids=["empty", "comments", "utf-16", "unknown", "twice", "lacking", "quotes", "long"],
)
def test_what_is_no_such_table(data: bytes, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        read_csv(data)


def body(**changes: Any) -> dict[str, Any]:
    return {"occ_id": "1", "object_name": "Ixion", "at": "2020-08-08T20:44:27Z", **changes}


def test_json() -> None:
    found = read_json(
        json.dumps([body(), body(), body(occ_id=2), 3, body(occ_id="5", colour="red")]).encode()
    )
    assert len(found.drafts) == 2
    assert [fault.where for fault in found.faults] == ["#/2", "#/3", "#/4", "#/1"]
    assert read_json(json.dumps({"predictions": [body()]}).encode()).faults == ()
    for bad in (b"", b"{}", b"3", b"[" * 100_000, b'{"predictions": 3}', b"\xff"):
        with pytest.raises(RequestError):
            read_json(bad)


@pytest.mark.parametrize(
    "changes",
    [
        {"object_name": "a\0b"},
        {"object_name": "\ud800"},
        {"object_name": "--"},
        {"object_name": "x" * 201},
        {"star_mag": 1e300},
        {"at": None},
        {"at": "9999-12-31T23:59:59Z"},
        {"elements": {}},
        {"approach": {}},
    ],
    ids=["nul", "surrogate", "signs", "long", "mag", "no time", "late", "no elements", "no approach"],
)
def test_what_is_no_prediction(changes: dict[str, Any]) -> None:
    found = read_json(json.dumps([body(**changes)]).encode())
    assert found.drafts == ()
    assert found.faults


def test_elements_of_strange_words_are_refused() -> None:
    whole = read_xml(event_text().encode()).drafts[0].body.elements
    assert whole is not None
    sound = whole.model_dump(mode="json")
    for strange in ("\0", "\ud800", "x" * 30_000):
        found = read_json(json.dumps([body(at=None, elements=sound | {"event_id": strange})]).encode())
        assert found.faults, strange
    found = read_json(json.dumps([body(elements=sound)]).encode())
    assert "is not the epoch" in found.faults[0].detail


def test_xml() -> None:
    second = event_text(ID_0="", Object_0="", Object_1="2026 AB")
    found = read_xml(("<Occultations>" + event_text() + second + "</Occultations>").encode())
    assert found.faults == ()
    first, other = (draft.body for draft in found.drafts)
    assert (first.occ_id, first.object_number, first.object_name) == ("20260311_2622.3", "81879", "2000 LB11")
    assert other.occ_id == "2026-03-11T20:19 2026 AB J061552.44+032622.3"
    columns = columns_of(first)
    assert columns["star_mag"] == 8.46
    assert columns["source"] == "JPL#58:2025-11-27"


def test_events_that_cannot_be_read_are_faults_or_notes() -> None:
    text = event_text() + event_text(Object_3="large") + event_text()
    strict, lax = read_xml(text.encode()), read_xml(text.encode(), strict=False)
    assert [fault.where for fault in strict.faults] == ["event 2", "prediction 2 ((81879) 2000 LB11 occults "
        "J061552.44+032622.3)"]  # fmt: skip
    assert len(lax.faults) == 1
    assert "event 2: left out" in lax.notes[0]
    with pytest.raises(RequestError, match="no <Event>"):
        read_xml(b"<html></html>")


@pytest.mark.parametrize("name", ["owc_81879_2000LB11.xml", "astrid_UsageGuide_occult4.xml"])
def test_files_of_the_field(name: str) -> None:
    found = read_xml(sample(f"occelmnt/{name}").read_bytes())
    assert found.faults == ()
    assert columns_of(found.drafts[0].body)["elements"]


@given(number=st.text(max_size=10), name=st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_key_is_the_same_however_it_is_written(number: str, name: str) -> None:
    key = object_key(number, name)
    assert all(c.isalnum() for c in key)
    assert object_key("", f"({number}) {name}") == key
    assert object_key(key, "") == key


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(cells=st.lists(CELLS, min_size=len(HEADER), max_size=len(HEADER)))
@settings(max_examples=150, deadline=None)
def test_any_row_is_read_or_told(cells: list[str]) -> None:
    found = read_csv(table(tuple(cells), row(occ_id="last")))
    assert found.drafts[-1].body.occ_id == "last" or found.faults
    assert len(found.drafts) + len({f.where for f in found.faults}) >= 1


WHOLE = {
    "csv": table(ROW, row(occ_id="2"), row(occ_id="3", star_name='"a", b')),
    "json": json.dumps([body(), body(occ_id="2", approach={"star_ra_deg": 1.0})]).encode(),
    "xml": ("<Occultations>" + event_text() + event_text(ID_0="2") + "</Occultations>").encode(),
}
READERS = {"csv": read_csv, "json": read_json, "xml": read_xml}


@pytest.mark.parametrize("kind", sorted(READERS))
def test_mutated_inputs_are_read_or_told(kind: str, tmp_path: Path) -> None:
    def read(damaged: Path) -> None:
        try:
            for draft in READERS[kind](damaged.read_bytes()).drafts:
                if draft.body.approach is None:
                    columns_of(draft.body)
        except RequestError as error:
            raise DataError(f"{damaged.name}: {error}") from error

    inputs = mutations([WHOLE[kind]], COUNT, len(WHOLE[kind]))
    outcomes = endure(tmp_path / f"mutated.{kind}", inputs, read, f"predictions {kind}")
    assert outcomes["read"] > COUNT // 50
