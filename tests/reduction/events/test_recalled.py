"""What was said of events, read back: the same document again, and no crash on what is none."""

import json
from typing import Any

import pytest

from reduction.errors import DataError
from reduction.events.document import document
from reduction.events.recalled import recalled
from reduction.events.results import EventAnalysis
from reduction.events.settings import EventSettings
from reduction.outputs.event_summary import leading
from reduction.timing import UNKNOWN_NS
from tests.reduction.events.said import REF_NS, analysis, curve, negative

NAMES = ("status", "reason", "false_alarm_probability", "events", "dips", "noise", "detectable")
CASES = {
    "positive": (analysis(curve()), True),
    "gradual": (analysis(curve(), 0.4), True),
    "one edge": (analysis(curve(), r=False), True),
    "negative": (negative(), True),
    "undated": (analysis(curve(dated=False)), False),
}


def fields(found: EventAnalysis, dated: bool = True) -> dict[str, Any]:
    written = json.loads(json.dumps(document(found, curve(dated=dated), EventSettings()), allow_nan=False))
    return {name: written[name] for name in NAMES}


@pytest.mark.parametrize("name", CASES)
def test_the_same_again(name: str) -> None:
    found, dated = CASES[name]
    said = fields(found, dated)
    back = recalled(said, REF_NS if dated else UNKNOWN_NS)
    assert fields(back, dated) == said
    first, second = leading(found), leading(back)
    assert (first is None) == (second is None)
    if first is not None and second is not None and first.d is not None and second.d is not None:
        assert second.d.utc_ns == first.d.utc_ns
        assert second.d.utc.intervals[2] == pytest.approx(first.d.utc.intervals[2])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_analysis(name: str) -> None:
    said = fields(analysis(curve()))
    without = {key: value for key, value in said.items() if key != name}
    with pytest.raises(DataError, match="reduce again"):
        recalled(without, REF_NS)


@pytest.mark.parametrize("name", ["false_alarm_probability", "events", "dips", "noise", "detectable"])
@pytest.mark.parametrize("value", ["x", [3], {"d": 1}], ids=["text", "list", "object"])
def test_what_is_of_another_kind(name: str, value: Any) -> None:
    with pytest.raises(DataError, match="reduce again"):
        recalled(fields(analysis(curve())) | {name: value}, REF_NS)
