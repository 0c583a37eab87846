"""Figure and page of events: drawn for every kind of answer, equal bytes for equal input, nothing loaded."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from reduction.events.alongside import Offset
from reduction.events.curve import EventCurve
from reduction.events.drawn import drawn
from reduction.events.results import EventAnalysis
from reduction.events.settings import EventSettings
from reduction.outputs.event_figure import Overlay, axis_of, offset_text, rendered, with_sigma
from reduction.outputs.event_page import event_page
from tests.reduction.events.said import D, analysis, curve, negative


def overlay(one: EventCurve) -> Overlay:
    return Overlay(
        replace(one, name="other.csv", time_s=one.time_s + 0.05), Offset(0.05, 0.002, 0.1, 0.99, 200)
    )


def test_figure_in_every_format() -> None:
    one = curve()
    found = analysis(one)
    model = drawn(one, found, EventSettings())
    files = rendered(one, found, model, overlay(one))
    assert files["png"].startswith(b"\x89PNG")
    assert files["pdf"].startswith(b"%PDF")
    assert b"<svg" in files["svg"][:1000]
    again = rendered(one, found, model, overlay(one))
    assert {kind: again[kind] == data for kind, data in files.items()} == dict.fromkeys(files, True)


@pytest.mark.parametrize("which", ["negative", "no r", "gradual", "undated", "no sigma", "many points"])
def test_figure_of_every_answer(which: str) -> None:
    one = curve(n=9000 if which == "many points" else 250, dated=which != "undated")
    if which == "no sigma":
        one = replace(one, sigma=np.full(one.sigma.size, np.nan))
        assert with_sigma(one, negative()).sigma[0] == 0.05
    found: EventAnalysis = analysis(one, r=which != "no r", gradual=0.4 if which == "gradual" else None)
    if which in {"negative", "many points"}:
        found = negative()
    model = drawn(one, found, EventSettings())
    assert len(rendered(one, found, model)["png"]) > 10_000
    page = event_page(one, found, model, b"png")
    assert len(page) > 10_000


def test_the_abscissa_counts_from_a_whole_minute() -> None:
    one = curve()
    axis = axis_of(one, 0.0, 25.0)
    assert axis.label == "seconds after 2017-06-22 21:20:00 UTC, mid-exposure"
    assert axis.of(D) == pytest.approx(D + 0.056)
    long = axis_of(one, 0.0, 4000.0)
    assert long.label == "minutes after 2017-06-22 21:00:00 UTC, mid-exposure"
    assert long.of(60.0) == pytest.approx(21.0 + 0.056 / 60)
    assert "no date" in axis_of(curve(dated=False), 0.0, 25.0).label


def test_the_offset_in_words() -> None:
    assert offset_text(overlay(curve())) == (
        "other.csv: 0.0500 ± 0.0020 s later than ours (0.500 ± 0.020 frames)"
    )


class Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.inside = ""
        self.scripts: list[tuple[str | None, str]] = []
        self.outside: list[str] = []
        self.buttons: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.inside = tag
        if tag == "script":
            self.scripts.append((said.get("type"), ""))
        if tag == "button":
            self.buttons.append(said)
        for key in ("src", "href"):
            if said.get(key) and not str(said[key]).startswith("data:"):
                self.outside.append(str(said[key]))

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside if tag != self.inside else ""


def test_the_page_loads_nothing_and_runs_its_own_script_only() -> None:
    one = curve(name="</script><script>alert(1)</script>.csv")
    found = analysis(one)
    model = drawn(one, found, EventSettings())
    page = event_page(one, found, model, b"png", overlay(one))
    parts = Parts()
    parts.feed(page)
    assert parts.outside == []
    assert [kind for kind, _ in parts.scripts] == ["application/json", None]
    digest = base64.b64encode(hashlib.sha256(parts.scripts[1][1].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert f"script-src 'sha256-{digest}'".replace("'", "&#39;") in policy.group(1)
    assert "<stands>" not in page
    data = json.loads(parts.scripts[0][1])
    assert (len(data["time"]), data["zero_ms"]) == (250, 1498166400000)
    assert data["flux"][20] is None
    assert data["usable"][30] == 0
    assert data["edges"][0]["at"] == pytest.approx(D + 0.056, abs=1e-6)
    assert len(data["other"]["time"]) == 247
    assert [b.get("class") for b in parts.buttons] == [None, "D", "R"]
    assert "alert(1)</script>" not in page


def test_undated_page_counts_seconds() -> None:
    one = curve(dated=False)
    data = json.loads(
        re.findall(
            r'id="data">(.*?)</script>',
            event_page(one, negative(), drawn(one, negative(), EventSettings()), b""),
        )[0]
    )
    assert data["zero_ms"] is None
    assert data["view"] == pytest.approx([data["time"][0], data["time"][-1]])
