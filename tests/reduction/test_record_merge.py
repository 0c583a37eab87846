import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reduction.errors import DataError, RequestError
from reduction.events.curve import EventCurve
from reduction.events.document import document
from reduction.events.results import Dip, Edge, Event, EventAnalysis, Figure, NoiseModel
from reduction.events.settings import EventSettings
from reduction.record_merge import record_from
from reduction.utc import utc_ns
from tests.fuzzing import COUNT, endure, mutations

SUMMARY: dict[str, Any] = {
    "schema": "umbra-summary-1",
    "input": {
        "format": "ser",
        "first_utc": "2026-03-11T20:01:35.000000Z",
        "last_utc": "2026-03-11T20:05:34.000000Z",
        "cadence_s": 0.1,
        "exposure_s": 0.08,
        "ledger": [
            {
                "what": "camera",
                "start": "a",
                "end": "b",
                "value_s": -0.02,
                "sigma_s": 0.001,
                "source": "option",
            }
        ],
        "metadata": {"instrument": "QHY174M-GPS", "latitude": "-00 30 00", "longitude": "13 22 13.7 W"},
    },
    "lightcurve": {"scatter": 0.125},
    "event": None,
    "provenance": {"version": "0.1.0"},
    "caveats": [{"code": "time-meaning-assumed", "message": "taken as the middle"}],
}
EDGE = {
    "utc": "2026-03-11T20:02:30.012300000Z",
    "sigma_s": 0.02,
    "intervals_s": [[0.02, 0.021], [0.04, 0.041], [0.07, 0.09]],
    "timing_sigma_s": None,
    "gradual_s": None,
}
EVENT: dict[str, Any] = {
    "status": "positive",
    "events": [
        {
            "label": "square",
            "d": EDGE,
            "r": None,
            "depth": {"value": 0.95, "sigma": 0.02, "intervals": []},
            "dip": {"snr": 12.5},
        }
    ],
}


def folder(path: Path, **changes: Any) -> Path:
    path.mkdir(exist_ok=True)
    (path / "summary.json").write_text(json.dumps(SUMMARY | changes), encoding="utf-8")
    return path


def test_what_a_reduction_knows(tmp_path: Path) -> None:
    record = record_from(folder(tmp_path / "out", event=EVENT), None).record
    assert record.status == "positive"
    # the summary's times are of mid-exposure: light was taken half an exposure before and after
    assert record.recording.started == utc_ns("2026-03-11T20:01:34.96Z")
    assert record.recording.stopped == utc_ns("2026-03-11T20:05:34.04Z")
    assert (record.recording.exposure_s, record.recording.camera) == (0.08, "QHY174M-GPS")
    assert record.snr == 8
    assert record.caveats == ("time-meaning-assumed: taken as the middle",)
    assert record.reduction_software == "Umbra 0.1.0"
    assert [(one.what, one.value_s) for one in record.corrections] == [("camera", -0.02)]
    assert record.site is not None
    assert (record.site.latitude_deg, record.site.longitude_deg < 0) == (-0.5, True)
    assert "altitude_m" not in record.site.model_fields_set
    (timing,) = record.timings
    assert timing.d is not None
    assert timing.d.utc == utc_ns("2026-03-11T20:02:30.0123Z")
    assert timing.d.intervals_s == ((0.02, 0.021), (0.04, 0.041), (0.07, 0.09))
    assert (timing.r, timing.depth, timing.depth_sigma, timing.snr) == (None, 0.95, 0.02, 12.5)
    assert timing.model == "square"


def test_the_shortest_form_of_an_event(tmp_path: Path) -> None:
    event = {
        "status": "positive",
        "d_utc": "2026-03-11T20:02:30.0Z",
        "d_sigma_s": 0.02,
        "r_utc": "2026-03-11T20:02:34.0Z",
        "r_sigma_s": None,
        "depth": 0.9,
        "events": [],
        "edges_from": "search",
    }
    merged = record_from(folder(tmp_path / "out", event=event), None)
    assert any("not those of a fit" in note for note in merged.notes)
    (timing,) = merged.record.timings
    assert timing.duration_s == 4
    assert timing.d is not None
    assert timing.r is not None
    assert (timing.d.sigma_s, timing.r.sigma_s, timing.depth) == (0.02, None, 0.9)


def test_events_of_another_programs_curve(tmp_path: Path) -> None:
    (tmp_path / "events.json").write_text(json.dumps({"schema": "umbra-events-1"} | EVENT), encoding="utf-8")
    record = record_from(tmp_path / "events.json", None).record
    assert record == record_from(tmp_path, None).record  # the folder too
    assert record.status == "positive"
    assert len(record.timings) == 1
    assert record.recording.started is None


def figure(value: float, *reach: float) -> Figure:
    return Figure(value, reach[0], tuple((value - r, value + 1.5 * r) for r in reach))


def test_what_umbra_events_writes(tmp_path: Path) -> None:
    """Its own document, not one made here: the two must not drift apart."""
    ref = utc_ns("2026-03-11T20:00:00Z")
    times = np.arange(40.0)
    usable, frame, unsure = np.ones(40, np.bool_), np.arange(40.0), np.full(40, 1e-3)
    curve = EventCurve("a.csv", times, ref, times, np.ones(40), np.ones(40), usable, frame, unsure)
    d = Edge("D", figure(10.0, 0.02, 0.04, 0.07), ref + 10 * 10**9, 0.0, figure(10.0, 0.02, 0.04, 0.0399))
    dip = Dip(10, 14, 0.9, 20.0, 1e-9)
    event = Event("gradual", replace(d, gradual_s=0.4), None, figure(0.9, 0.01, 0.02, 0.03), None, dip)
    analysis = EventAnalysis("positive", 1e-9, (event,), (dip,), NoiseModel(0.1, (), 1.0, 0.0), None, "why")
    text = json.dumps(document(analysis, curve, EventSettings()))
    (tmp_path / "events.json").write_text(text, encoding="utf-8")
    (timing,) = record_from(tmp_path / "events.json", None).record.timings
    assert timing.d is not None
    assert timing.d.utc == utc_ns("2026-03-11T20:00:10Z")
    assert timing.d.sigma_s == pytest.approx(0.02)
    assert timing.d.gradual_s == 0.4
    assert timing.d.intervals_s is not None
    assert np.allclose(timing.d.intervals_s, [[0.02, 0.03], [0.04, 0.06], [0.04, 0.06]])  # made to nest
    assert (timing.r, timing.depth, timing.depth_sigma, timing.model) == (None, 0.9, 0.01, "gradual")


def test_the_newer_search_beside_the_summary_counts(tmp_path: Path) -> None:
    out = folder(tmp_path / "out", event={"status": "negative"})
    assert record_from(out, None).record.status == "negative"
    more = {"caveats": [*SUMMARY["caveats"], {"code": "event-not-fitted", "message": "x" * 900}]}
    (out / "events.json").write_text(json.dumps(EVENT | more), encoding="utf-8")
    record = record_from(out, None).record
    assert record.status == "positive"
    assert [caveat.partition(":")[0] for caveat in record.caveats] == [
        "time-meaning-assumed",
        "event-not-fitted",
    ]


@pytest.mark.parametrize(
    ("event", "status", "told"),
    [
        (None, "unknown", "no search for events"),
        ({"status": "inconclusive"}, "unknown", "inconclusive"),
        ({"status": "positive", "events": [{"d": {"utc": None}, "r": None}]}, "positive", "not in UTC"),
    ],
)
def test_what_is_not_known_is_told(tmp_path: Path, event: Any, status: str, told: str) -> None:
    merged = record_from(folder(tmp_path / "out", event=event), None)
    assert merged.record.status == status
    assert merged.record.timings == ()
    assert any(told in note for note in merged.notes)


def test_the_observers_word_counts_and_is_noted(tmp_path: Path) -> None:
    me = tmp_path / "me.toml"
    me.write_text(
        'snr = 8.0\n[[observers]]\nname = "A B"\n[recording]\nexposure_s = 0.1\ntime_source = "gps"\n'
        '[site]\nlatitude = "+52 58 48.5"\nlongitude = "+013 22 13.7"\n',
        encoding="utf-8",
    )
    merged = record_from(folder(tmp_path / "out", event=EVENT), me)
    assert merged.record.recording.exposure_s == 0.1
    assert merged.record.recording.camera == "QHY174M-GPS"  # not in the file: the recording's
    assert merged.record.recording.time_source == "gps"
    assert merged.record.site is not None
    assert merged.record.site.latitude_deg > 52
    told = " ".join(merged.notes)
    assert "recording.exposure_s" in told
    assert "0.08" in told
    assert "site.latitude_deg" in told
    assert "snr" not in told  # both say 8


def test_a_miss_stated_by_the_observer_drops_the_events(tmp_path: Path) -> None:
    me = tmp_path / "me.toml"
    me.write_text('status = "negative"\n', encoding="utf-8")
    merged = record_from(folder(tmp_path / "out", event=EVENT), me)
    assert (merged.record.status, merged.record.timings) == ("negative", ())
    assert any("left out" in note for note in merged.notes)


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="nothing to report"):
        record_from(None, None)
    with pytest.raises(RequestError, match=r"summary\.json"):
        record_from(tmp_path, None)
    with pytest.raises(RequestError, match="cannot be read"):
        record_from(tmp_path / "absent.json", None)
    with pytest.raises(DataError, match="none of Umbra's"):
        record_from(folder(tmp_path / "out", event={"status": "maybe"}), None)
    with pytest.raises(DataError, match="not a summary"):
        record_from(folder(tmp_path / "out", input=None), None)
    (tmp_path / "me.toml").write_text("telescop = 1", encoding="utf-8")
    with pytest.raises(DataError, match=r"me\.toml"):
        record_from(folder(tmp_path / "out"), tmp_path / "me.toml")


def test_mutated_inputs(tmp_path: Path) -> None:
    whole = json.dumps(SUMMARY | {"event": EVENT}).encode()
    folder(tmp_path / "summary")
    outcomes = endure(
        tmp_path / "summary" / "summary.json",
        mutations([whole], COUNT, len(whole)),
        lambda path: void(record_from(path.parent, None)),
        "summary of umbra reduce for a record",
    )
    assert outcomes["DataError"] > COUNT // 10


def test_mutated_inputs_within_values(tmp_path: Path) -> None:
    """Another value at some places of a sound document, so that every field is looked at."""
    rng = np.random.default_rng(1)
    junk = [
        None,
        "",
        "x" * 600,
        [],
        [1],
        {},
        {"utc": 1},
        -1,
        0,
        1e308,
        True,
        "2026-03-11T20:02:30Z",
        "positive",
    ]

    def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        inside = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        return [here, *(place for key, item in inside for place in places(item, (*here, key)))]

    every = [place for place in places(SUMMARY | {"event": EVENT}) if place]

    def damaged() -> Iterator[bytes]:
        for _ in range(COUNT):
            document = json.loads(json.dumps(SUMMARY | {"event": EVENT}))
            *way, last = every[int(rng.integers(len(every)))]
            here = document
            for step in way:
                here = here[step]
            here[last] = junk[int(rng.integers(len(junk)))]
            yield json.dumps(document).encode()

    folder(tmp_path / "summary")
    path = tmp_path / "summary" / "summary.json"
    outcomes = endure(path, damaged(), lambda path: void(record_from(path.parent, None)), "summary values")
    assert outcomes["read"] > COUNT // 10
    assert outcomes["DataError"] > COUNT // 10


def void(_: object) -> None:
    return None
