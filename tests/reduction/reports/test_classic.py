import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from reduction.errors import DataError
from reduction.record import ObservationRecord
from reduction.reports.form import FORMS, Filled, ReadForm
from reduction.utc import utc_ns
from tests.fuzzing import COUNT, endure, mutations
from tests.reduction.reports.making import FULL, full, negative, records

FORM = FORMS["text"]


def one(record: ObservationRecord) -> Filled:
    (filled,) = FORM.fill(record)
    return filled


def again(record: ObservationRecord, folder: Path) -> ReadForm:
    (folder / "form.txt").write_bytes(one(record).content)
    return FORM.read(folder / "form.txt")


def test_a_person_reads_it() -> None:
    text = one(full()).content.decode()
    assert text.startswith("ASTEROIDAL OCCULTATION - REPORT FORM\n")
    sections = re.findall(r"^(\d) [A-Z]", text, re.MULTILINE)
    assert sections == list("12345678")
    assert "  Occultation recorded:  POSITIVE" in text
    assert "  D     2026-03-11  20 02 30.012     0.042     disappearance" in text
    assert "  S     2026-03-11  20 01 34.99      -         observation started" in text
    assert "Latitude:              +52 58 48.50" in text
    assert "  Duration:              4.022 +- 0.029 s (one sigma)\n" in text
    assert "  Mid-event:             20 02 32.023 UT\n" in text
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("status", ["overcast", "technical failure", "unknown", "planned", "negative"])
def test_every_status_has_a_place(status: str, tmp_path: Path) -> None:
    record = full(status=status, timings=[])
    text = one(record).content.decode()
    assert f"recorded:  {status.upper()}" in text
    assert ("no occultation detected" in text) == (status == "negative")
    assert again(record, tmp_path).record.status == status


def test_a_component_and_an_interruption(tmp_path: Path) -> None:
    timing = {
        "r": {"utc": "2026-03-11T23:59:59.9999Z", "sigma_s": 0.3},
        "component": "satellite, second star",
    }
    pause = [["2026-03-11T20:02:00Z", "2026-03-11T20:02:05Z"]]
    record = full(timings=[timing], recording=FULL["recording"] | {"interrupted": pause})
    text = one(record).content.decode()
    assert "  R     2026-03-12  00 00 00.00" in text
    assert "  I     2026-03-11  20 02 00.00      -         interruption begins" in text
    assert "  J     2026-03-11  20 02 05.00      -         interruption ends" in text
    found = again(record, tmp_path).record.timings[0]
    assert found.component == "satellite, second star"
    assert found.r is not None
    assert found.r.utc == utc_ns("2026-03-12T00:00:00Z")


@given(records())
@settings(max_examples=100, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, record: ObservationRecord) -> None:
    found = again(record, tmp_path_factory.mktemp("form"))
    assert not found.notes
    assert found.record.asteroid == record.asteroid.model_copy(update={"diameter_km": None})
    assert found.record.comments == record.comments
    assert found.record.prediction.utc == record.prediction.utc
    (ours,), (theirs,) = found.record.timings, record.timings
    assert ours.d is not None
    assert theirs.d is not None
    assert abs(ours.d.utc - theirs.d.utc) <= 5_000_000
    assert (ours.d.sigma_s or 0) >= (theirs.d.sigma_s or 0)
    assert found.record.telescope.aperture_cm == record.telescope.aperture_cm


def test_what_is_no_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("hello", encoding="utf-8")
    with pytest.raises(DataError, match=re.escape("other.txt")):
        FORM.read(tmp_path / "other.txt")


def test_mutated_inputs(tmp_path: Path) -> None:
    wholes = [one(full()).content, one(negative()).content]
    outcomes = endure(
        tmp_path / "form.txt",
        mutations(wholes, COUNT, len(wholes[0])),
        lambda path: void(FORM.read(path)),
        "classic",
    )
    assert outcomes["read"] > COUNT // 2


def void(_: object) -> None:
    return None
