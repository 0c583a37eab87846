import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reduction.caveats import Caveat, Note
from reduction.events.analyse import analyse_lightcurve
from reduction.outputs.folder import FILES
from reduction.outputs.summary import SCHEMA, summarise, summary_text
from reduction.outputs.verdict import judge
from reduction.plan import make_plan
from reduction.result import ReductionResult
from tests.reduction.outputs.result_factory import make_result


def summary_of(result: ReductionResult) -> dict[str, Any]:
    content = json.loads(summary_text(summarise(result, judge(result), FILES)))
    assert isinstance(content, dict)
    return content


def test_the_promised_fields(result: ReductionResult) -> None:
    s = summary_of(result)
    promised = {
        "input": "format,frames,width,height,first_utc,last_utc,time_source",
        "alignment": "method,lost_frames",
        "photometry": "aperture_px,sky_px,gain,read_noise",
        "lightcurve": "points,scatter,chi2_reduced",
    }
    for part, names in promised.items():
        assert set(names.split(",")) <= set(s[part])
    assert s["schema"] == SCHEMA
    promised_of_event = "status,d_utc,d_sigma_s,r_utc,r_sigma_s,depth,false_alarm_probability"
    assert set(promised_of_event.split(",")) <= set(s["event"])
    assert (s["input"]["width"], s["input"]["height"]) == (320, 240)
    assert s["input"]["first_utc"] == "2024-05-04T21:02:56.120000Z"
    assert s["photometry"]["sky_px"] == [7.5, 12.0]
    assert s["lightcurve"]["flags"]["lost"] == s["alignment"]["lost_frames"] == 3
    assert [star["name"] for star in s["stars"]] == ["T", "R1", "R2", "G1", "S1", "S2", "S3"]


def test_the_plan_can_be_read_back(result: ReductionResult) -> None:
    plan = summary_of(result)["provenance"]["plan"]
    assert make_plan(plan, "summary.json") == result.plan


def test_without_times(small: ReductionResult, tmp_path: Any) -> None:
    s = summary_of(make_result(tmp_path / "s", points=60, timed=False))
    assert s["input"]["first_utc"] is s["input"]["last_utc"] is s["input"]["time_meaning"] is None
    assert s["input"]["time_source"] == "none"
    assert s["input"]["time_sigma_s"] is None
    assert s["input"]["exposure_s"] == 0.04


def test_what_is_not_a_number_is_null(small: ReductionResult) -> None:
    odd = replace(small.quality, scatter=math.nan, chi2_reduced=math.inf, median_snr=np.float64(2.5))
    text = summary_text(summarise(replace(small, quality=odd), judge(small), FILES))
    s = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert s["lightcurve"]["scatter"] is s["lightcurve"]["chi2_reduced"] is None
    assert s["lightcurve"]["median_snr"] == 2.5


def test_every_caveat_once(small: ReductionResult) -> None:
    note = Note(Caveat.FILE_TRUNCATED, "cut off after frame 59 – “é”")
    source = replace(small.source, notes=(note,))
    s = summary_of(replace(small, source=source, times=small.times.with_notes([note]), notes=(note,)))
    assert s["caveats"] == [{"code": "file-truncated", "message": note.message}]


def test_what_json_cannot_hold_is_a_bug(small: ReductionResult) -> None:
    odd = replace(small.quality, points={1, 2})  # type: ignore[arg-type]  # a set, on purpose
    with pytest.raises(TypeError, match="set has no place"):
        summarise(replace(small, quality=odd), judge(small), FILES)


def test_the_event(result: ReductionResult) -> None:
    event = summary_of(result)["event"]
    assert event["status"] == "positive"
    assert event["depth"] == pytest.approx(0.97, abs=0.02)
    assert event["false_alarm_probability"] < 1e-6
    n = result.lightcurve.frame.size
    for name, share in (("d", 0.52), ("r", 0.56)):
        truth = int(result.lightcurve.mid_ns[round(share * n)]) - 20_000_000
        found = np.datetime64(event[f"{name}_utc"].rstrip("Z"), "ns").astype(np.int64)
        assert abs(int(found) - truth) < 60_000_000
        assert 0.0 < event[f"{name}_sigma_s"] < 0.05


def test_no_event(result: ReductionResult) -> None:
    curve = result.lightcurve
    flat = np.where(np.isfinite(curve.flux_norm) & (curve.flux_norm < 0.5), 1.0, curve.flux_norm)
    empty = replace(curve, flux_norm=flat)
    analysis = analyse_lightcurve(empty, "empty", 0.04, result.plan.event)
    event = summary_of(replace(result, lightcurve=empty, event=analysis))["event"]
    assert event["status"] == "negative"
    assert event["d_utc"] is event["r_utc"] is event["depth"] is event["edges_from"] is None
    assert event["detectable"]["shortest_s"] > 0.0


def test_events_not_looked_for(result: ReductionResult) -> None:
    assert summary_of(replace(result, event=None))["event"] is None
