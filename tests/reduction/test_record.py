import json
import re
import tomllib
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reduction.errors import DataError, RequestError
from reduction.record import EdgeTime, ObservationRecord, Telescope
from reduction.record_file import field_paths, load_record, make_record, not_stated
from reduction.record_template import TEMPLATE
from reduction.utc import utc_ns
from tests.fuzzing import COUNT, endure, mutations


def uncommented() -> str:
    return re.sub(r"(?m)^# (?=\[|\w+ = )", "", TEMPLATE)


def test_the_template_as_it_is_states_nothing() -> None:
    assert make_record(tomllib.loads(TEMPLATE), "t") == ObservationRecord()


def test_every_field_stands_in_the_template_with_a_value_that_holds() -> None:
    raw = tomllib.loads(uncommented())
    record = make_record(raw, "t")
    assert record.star.ra_deg == pytest.approx(15 * (20 + 13 / 60 + 45.123 / 3600))
    assert record.star.dec_deg == pytest.approx(-(6 / 60 + 40.12 / 3600))
    stated = set()
    for path in field_paths():
        if not not_stated(record, {path: path}):
            stated.add(path)
    assert set(field_paths()) - stated <= {"timings.d.gradual_s", "timings.r.gradual_s"} | {
        "timings.d.intervals_s",
        "timings.r.sigma_s",
    }


def test_a_record_is_the_same_after_its_own_document() -> None:
    record = make_record(tomllib.loads(uncommented()), "t")
    again = make_record(json.loads(json.dumps(record.document())), "t")
    assert again == record
    assert again.model_dump_json() == record.model_dump_json()


@given(st.integers(-5_000_000_000 * 10**9, 9_000_000_000 * 10**9))
def test_times_keep_their_nanoseconds(ns: int) -> None:
    text = EdgeTime(utc=ns).model_dump(mode="json")["utc"]
    assert utc_ns(text) == ns
    assert str(np.datetime64(ns, "ns")) == text.removesuffix("Z")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-03-11T20:03:31", "does not say that it is UTC"),
        ("2026-03-11T20:03:31+01:00", "does not say that it is UTC"),
        ("2026-03-11T20:03:61Z", "no time"),
        ("2026-02-30T20:03:31Z", "no time"),
        ("20:03:31Z", "no time"),
        ("2026-03-11T20:03:31.4e1Z", "no time"),
    ],
)
def test_a_time_that_is_not_surely_utc_is_refused(text: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        make_record({"recording": {"started": text}}, "me.toml")


def test_a_toml_time_with_an_offset_is_turned_into_utc() -> None:
    raw = tomllib.loads("[recording]\nstarted = 2026-03-11T21:01:34.5+01:00")
    assert make_record(raw, "t").recording.started == utc_ns("2026-03-11T20:01:34.5Z")
    with pytest.raises(DataError, match="UTC"):
        make_record(tomllib.loads("[recording]\nstarted = 2026-03-11T21:01:34.5"), "t")


@pytest.mark.parametrize(
    "raw",
    [
        {"telescop": {}},
        {"site": {"latitude": "52 60 00", "longitude": "0"}},
        {"site": {"latitude": "52 10 00"}},
        {"site": {"latitude": "91 0 0", "longitude": "0"}},
        {"timings": [{}]},
        {"timings": [{"d": {"utc": "2026-03-11T20:03:31Z"}, "r": {"utc": "2026-03-11T20:03:30Z"}}]},
        {"timings": [{"d": {"utc": "2026-03-11T20:03:31Z"}}], "status": "negative"},
        {"timings": [{"d": {"utc": "2026-03-11T20:03:31Z", "intervals_s": [[1, 1], [0.5, 2], [3, 3]]}}]},
        {"recording": {"started": "2026-03-11T20:03:31Z", "stopped": "2026-03-11T20:03:30Z"}},
        {"snr": float("nan")},
    ],
)
def test_what_cannot_be_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(DataError, match=re.escape("me.toml")):
        make_record(raw, "me.toml")


def test_missing_figures_are_listed_and_not_invented() -> None:
    record = make_record(
        {"site": {"latitude": "-0 30 00", "longitude": "5"}, "observers": [{"name": "A B"}]}, "t"
    )
    wanted = {
        "site.latitude_deg": "latitude",
        "site.altitude_m": "altitude",
        "observers.name": "observer",
        "observers.e_mail": "e-mail",
        "timings.d": "D",
    }
    assert not_stated(record, wanted) == ["altitude", "e-mail", "D"]
    assert record.site is not None
    assert record.site.latitude_deg == -0.5


def test_ratio_and_focal_length_follow_from_each_other() -> None:
    assert Telescope(aperture_cm=20, focal_ratio=5).focal_cm == 100
    assert Telescope(aperture_cm=20, focal_length_cm=100).ratio == 5
    assert Telescope(aperture_cm=20).ratio is None


def test_the_date_is_that_of_the_first_timing() -> None:
    timings = [{"d": {"utc": "2026-03-11T23:59:59.9Z"}, "r": {"utc": "2026-03-12T00:00:03Z"}}]
    record = make_record({"timings": timings, "prediction": {"utc": "2026-03-12T00:00:01Z"}}, "t")
    assert record.event_date == date(2026, 3, 11)
    assert make_record({"recording": {"started": "2026-03-12T00:00:01Z"}}, "t").event_date == date(
        2026, 3, 12
    )
    assert ObservationRecord().event_date is None


def test_a_file_that_is_none_is_explained(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=re.escape("absent.toml")):
        load_record(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("a = [", encoding="utf-8")
    with pytest.raises(DataError, match=re.escape("bad.toml")):
        load_record(tmp_path / "bad.toml")
    (tmp_path / "list.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(DataError, match="not a table"):
        load_record(tmp_path / "list.json")


def test_mutated_inputs(tmp_path: Path) -> None:
    whole = uncommented().encode()
    outcomes = endure(
        tmp_path / "record.toml",
        mutations([whole], COUNT, len(whole)),
        lambda path: void(load_record(path)),
        "record",
    )
    assert outcomes["read"] > 20
    assert outcomes["DataError"] > 20


def void(_: object) -> None:
    return None
