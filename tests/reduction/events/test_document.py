"""What is said of events: the document for programs and the text for people."""

import json
import math

from reduction.events.document import SCHEMA, analysis_text, digits_of, document, probability
from reduction.events.settings import EventSettings, Geometry
from tests.reduction.events.said import D, R, analysis, curve, negative


def test_document_of_a_positive() -> None:
    one = curve()
    settings = EventSettings(geometry=Geometry(distance_au=2.0, velocity_km_s=10.0))
    found = json.loads(json.dumps(document(analysis(one), one, settings), allow_nan=False))
    assert (found["schema"], found["status"], found["curve"]["samples"]) == (SCHEMA, "positive", 250)
    event = found["events"][0]
    assert event["d"]["utc"] == "2017-06-22T21:20:10.089000000Z"
    assert event["d"]["sigma_s"] == 0.012
    assert [round(x, 6) for x in event["d"]["intervals_s"][2]] == [-0.036, 0.054]
    assert event["d"]["intervals_utc"][0] == [
        "2017-06-22T21:20:10.077000000Z",
        "2017-06-22T21:20:10.107000000Z",
    ]
    assert event["d"]["fit"]["value"] == D
    assert math.isclose(event["duration_s"]["value"], R - D)
    assert [score["model"] for score in event["scores"]] == ["square", "gradual"]
    assert found["settings"]["geometry"]["distance_au"] == 2.0
    assert found["caveats"] == [{"code": "clock-accuracy-unstated", "message": "the clock <is> unsaid"}]
    assert found["detectable"] is None


def test_document_of_what_is_not_known() -> None:
    one = curve(dated=False)
    found = document(analysis(one, r=False), one, EventSettings())
    event = found["events"][0]
    assert (event["r"], event["duration_s"], event["d"]["utc"]) == (None, None, None)
    assert event["d"]["intervals_utc"] == [[None, None]] * 3
    assert found["curve"]["reference_utc"] is None
    assert document(negative(), one, EventSettings())["detectable"]["shortest_s"] == 0.25


def test_text() -> None:
    one = curve()
    text = analysis_text(analysis(one), one)
    assert "D  2017-06-22 21:20:10.089 UTC ± 0.012 s  (68 % -0.012 +0.018, 95 % -0.024 +0.036" in text
    assert "duration 4.038 ± 0.020 s" in text
    assert "models compared: square (AIC +0.0, BIC +0.0), gradual (AIC +1.0, BIC +4.0)" in text
    assert "false-alarm probability of the whole search: below 1e-15" in text
    assert "R  outside the recording" in analysis_text(analysis(one, r=False), one)
    assert "gradual: 10 to 90 % in 400 ms" in analysis_text(analysis(one, 0.4), one)
    undated = curve(dated=False)
    assert "D  10.033 s ± 0.012 s" in analysis_text(analysis(undated), undated)
    no = analysis_text(negative(), one)
    assert "shortest event of depth 0.90 that 95 % of 200 injections are found of: 250 ms" in no
    assert "correlated over 300 ms" in no


def test_digits() -> None:
    assert [digits_of(x) for x in (0.03, 0.0999, 1.5, 250.0, 2e-5, math.nan, 0.0)] == [3, 3, 1, 0, 6, 3, 3]
    assert [probability(x) for x in (0.031, 2e-7, 1e-20, 0.0, math.nan)] == [
        "0.031", "2e-07", "below 1e-15", "below 1e-15", "unknown",
    ]  # fmt: skip
