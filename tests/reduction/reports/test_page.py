from html.parser import HTMLParser
from pathlib import Path

import pytest

from reduction.errors import RequestError
from reduction.record import ObservationRecord
from reduction.reports.form import FORMS
from reduction.reports.page import page
from tests.reduction.reports.making import FULL, full, negative


class _Text(HTMLParser):
    """What a reader sees, and what the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.loads: list[str] = []
        self.hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden = tag in {"style", "script"}
        assert tag != "script"
        self.loads += [value for name, value in attrs if name in {"src", "href"} and value]

    def handle_endtag(self, tag: str) -> None:
        self.hidden = self.hidden and tag not in {"style", "script"}

    def handle_data(self, data: str) -> None:
        if not self.hidden and data.strip():
            self.words.append(" ".join(data.split()))


def read(record: ObservationRecord) -> _Text:
    seen = _Text()
    seen.feed(page(record))
    return seen


def test_it_says_what_the_record_says() -> None:
    words = read(full()).words
    for word in (
        "(928) Hildrun",
        "positive",
        "2026-03-11 20:02:30.012",
        "−0.020 +0.021 s",
        "−0.040 +0.042 s",
        "Duration 4.022 s; depth 0.951 ± 0.020 of the light.",
        "20 13 45.1231 -00 06 40.120",
        "+52 58 48.50",
        "-0.02",
    ):
        assert any(word in one for one in words), word
    assert "two lines" in words
    assert "of what matters" in words


def test_what_is_open_is_seen() -> None:
    words = read(ObservationRecord()).words
    assert "Unnamed body" in words
    assert "No times are stated." in words
    assert words.count("not stated") > 15


def test_a_miss() -> None:
    words = read(negative()).words
    assert any("No occultation was detected" in word for word in words)
    assert "2026-03-11 20:01:34.99" in words


def test_several_events_and_a_gradual_flank() -> None:
    second = {"d": {"utc": "2026-03-11T20:02:50Z", "gradual_s": 0.5}, "component": "ring"}
    words = read(full(timings=[*FULL["timings"], second])).words
    assert "disappearance, ring" in words
    assert "gradual, 0.5 s (10 to 90 %)" in words
    assert words.count("sharp") == 2


def test_caveats_stand_with_their_sentences() -> None:
    words = read(full(caveats=["time-meaning-assumed: taken as the middle"])).words
    assert "time-meaning-assumed" in words
    assert "taken as the middle" in words
    assert "Caveats of the reduction" not in read(full()).words


def test_nothing_is_loaded_and_nothing_is_run() -> None:
    evil = full(comments="<script>alert(1)</script>", asteroid={"name": '"><img src=x onerror=1>'})
    seen = read(evil)
    assert seen.loads == ["data:,"]
    assert "<script>alert(1)</script>" in seen.words


def test_it_is_for_people(tmp_path: Path) -> None:
    (filled,) = FORMS["page"].fill(full())
    (tmp_path / filled.name).write_bytes(filled.content)
    with pytest.raises(RequestError, match=r"record\.json"):
        FORMS["page"].read(tmp_path / filled.name)
