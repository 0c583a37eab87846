import base64
import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reduction.caveats import Caveat, Note
from reduction.outputs.charts import HEIGHT, WIDTH, make_chart
from reduction.outputs.page import POLICY, report_page
from reduction.outputs.reproduce import command, plan_toml
from reduction.outputs.verdict import judge
from reduction.plan import Position, ReductionPlan, Sky, make_plan
from reduction.result import ReductionResult
from tests.reduction.outputs.result_factory import make_result, without_reference

PNG = b"\x89PNG\r\n"
VOID = {"meta", "link", "img", "line", "circle", "polyline", "br"}


class Reader(HTMLParser):
    """Checks that tags nest; collects them, their references and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data
        if self.open[-1:] == ["h2"]:
            self.headings.append(data)


def read(result: ReductionResult) -> tuple[str, Reader]:
    page = report_page(result, judge(result), PNG, PNG + b"2")
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return page, reader


def test_nothing_outside_is_named(result: ReductionResult) -> None:
    page, reader = read(result)
    tags = {tag for tag, _ in reader.tags}
    assert not tags & {"script", "iframe", "object", "embed", "form", "base", "a"}
    for tag, attributes in reader.tags:
        for name in ("src", "href", "srcset", "action", "data", "xlink:href", "style"):
            value = attributes.get(name)
            assert value is None or value.startswith("data:"), (tag, name)
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"https?:|//|url\(|@import", page.replace(POLICY, ""))
    policy = [a for tag, a in reader.tags if tag == "meta" and a.get("http-equiv")]
    assert policy == [{"http-equiv": "Content-Security-Policy", "content": POLICY}]
    assert "default-src 'none'" in POLICY


def test_pictures_are_inside(result: ReductionResult) -> None:
    page, reader = read(result)
    images = [a for tag, a in reader.tags if tag == "img"]
    sources = [str(a["src"]).split(",")[1] for a in images]
    assert [base64.b64decode(s) for s in sources] == [PNG, PNG + b"2"]
    assert all(a["alt"] for a in images)
    assert page.startswith("<!doctype html>")


def test_the_event_stands_first_then_the_verdict(result: ReductionResult) -> None:
    _, reader = read(result)
    assert reader.headings == [
        "An event", "Can this be trusted?", "Light curve", "Caveats", "Finder and stars", "Settings", "Times",
        "Alignment", "Photometry", "Provenance", "To run this again",
    ]  # fmt: skip
    assert judge(result).headline in reader.text
    for item in judge(result).items:
        assert item.sentence in reader.text
    for star in result.stars:
        assert star.name in reader.text
    for digest in (result.provenance.key, result.provenance.pixel_digest, "ef" * 32):
        assert digest in reader.text


def test_all_text_is_escaped(small: ReductionResult) -> None:
    evil = "<script>alert(1)</script>\"'&"
    source = replace(small.source, name=evil, metadata={evil: evil})
    stars = tuple(replace(star, name=evil) for star in small.stars)
    hostile = replace(
        small,
        source=source,
        stars=stars,
        notes=(Note(Caveat.CROWDED, evil),),
        alignment=replace(small.alignment, method=evil),
        photometry=replace(small.photometry, gain_source=evil),
        times=replace(small.times, source=evil),
    )
    page, reader = read(hostile)
    assert "<script" not in page
    assert reader.text.count(evil) >= 10


def test_results_with_little_in_them(small: ReductionResult, tmp_path: Path) -> None:
    bare = without_reference(make_result(tmp_path / "s", points=8, timed=False))
    photometry = replace(
        bare.photometry, saturation_adu=None, read_noise=None, radii_px=(), growth=(), predicted_sigma=()
    )
    _, reader = read(replace(bare, photometry=photometry, stars=(), notes=(), plan=ReductionPlan()))
    assert "none found" in reader.text
    assert "to be chosen" in reader.text
    _, reader = read(make_result(tmp_path / "c", points=300, clean=True))
    assert "No point bears a flag." in reader.text


@pytest.mark.parametrize(
    "plan",
    [
        ReductionPlan(),
        ReductionPlan(
            target=Position(x=1.5, y=-2e-7),
            references=(Position(x=1, y=2), Position(x=3, y=4)),
            guides=(Position(x=1e9, y=0),),
            aperture_px=3.25,
            sky_px=Sky(inner=7, outer=12.5),
            gain_e_per_adu=1e-3,
            read_noise_e=0.0,
            frame=12,
        ),
    ],
)
def test_the_plan_file_makes_the_same_plan(plan: ReductionPlan) -> None:
    assert make_plan(tomllib.loads(plan_toml(plan)), "plan.toml").digest == plan.digest


def test_the_command_quotes(small: ReductionResult) -> None:
    named = replace(small, source=replace(small.source, name="a b;rm.ser"))
    assert command(named) == "umbra reduce 'a b;rm.ser' --plan plan.toml --dark DARK --out again"


def test_charts_stay_in_their_frame() -> None:
    chart = make_chart("growth", "radius", [1, 2, 3.5], [0.1, float("nan"), 0.97], 2.0, 0.0)
    assert chart is not None
    assert len(chart.dots) == 2
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in chart.dots)
    assert chart.dots[0][1] > chart.dots[1][1]  # upwards is more
    assert chart.mark is not None
    assert chart.dots[0][0] < chart.mark < chart.dots[1][0]
    assert [t.text for t in chart.y_ticks] == ["0", "0.25", "0.5", "0.75", "1"]
    assert make_chart("growth", "radius", [1.0], [1.0], 1.0, None) is None
    flat = make_chart("growth", "radius", [1.0, 2.0], [1.0, 1.0], 9.0, None)
    assert flat is not None
    assert flat.mark is None
