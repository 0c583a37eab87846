"""The light-curve page in a browser: points and cut-outs, zoom and pan, another version, what is excluded."""

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.requirements import require

require("server")

from reduction.result import UNUSABLE  # noqa: E402 - after the check for the extra
from tests.api.client import API  # noqa: E402
from tests.api.web.browser import Portal  # noqa: E402
from tests.api.web.scenery import CLOUD, FRAMES  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

CURVE = "document.getElementById('curve').umbra"
INKED = """name => {
    const { width, height } = document.querySelector('#curve canvas');
    const pen = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    const wanted = getComputedStyle(document.documentElement).getPropertyValue(name);
    [pen.fillStyle] = [wanted];
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
    pen.clearRect(0, 0, 1, 1);
    pen.drawImage(document.querySelector('#curve canvas'), 0, 0);
    const { data } = pen.getImageData(0, 0, width, height);
    let found = 0;
    for (let k = 0; k < data.length; k += 4) {
        const far = Math.abs(data[k] - red) + Math.abs(data[k + 1] - green) + Math.abs(data[k + 2] - blue);
        if (far < 12 && data[k + 3] > 200) found += 1;
    }
    return found;
}"""
"""Pixels of the uppermost panel that have a colour of the page."""


def opened(page: "Page", path: str) -> None:
    page.goto(path)
    page.locator("#curve[data-ready=yes]").wait_for()


def rows(portal: Portal, result: str) -> list[dict[str, str]]:
    """The curve as its CSV has it."""
    name, value = portal.cookie("staff")
    path = f"{portal.url}{API}/results/{result}/lightcurve.csv"
    answer = httpx.get(path, cookies={name: value}, timeout=60)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def value(page: "Page", name: str) -> str:
    return page.locator(f"[data-value='{name}']").inner_text()


def pictures(page: "Page", frame: int) -> list[str]:
    """Stars whose cut-outs are shown; waits until they are of a frame."""
    page.wait_for_function(
        """frame => [...document.querySelectorAll('.cutouts img')].every(
            one => one.src.includes(`/${frame}.png`) && one.complete && one.naturalWidth > 0)""",
        arg=frame,
    )
    found: list[str] = page.eval_on_selector_all(".cutouts img", "all => all.map(one => one.dataset.star)")
    return found


def plot(page: "Page") -> Any:
    """Where the uppermost panel is, brought into the window."""
    upper = page.locator("#curve .u-over").first
    upper.scroll_into_view_if_needed()
    return upper.bounding_box()


def view(page: "Page") -> tuple[float, float]:
    low, high = page.evaluate(f"{CURVE}.curve.view")
    return low, high


def settled(page: "Page") -> None:
    """Two pictures of the screen later."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_a_point_and_its_neighbours_are_looked_at(portal: Portal) -> None:
    result = portal.world.result()
    told = rows(portal, result)
    with portal.page("staff") as page:
        opened(page, f"/results/{result}")
        box = plot(page)
        page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2)
        page.wait_for_function("() => Number(document.querySelector('[data-value=frame]').innerText) < 60")
        frame = int(value(page, "frame"))
        assert frame == pytest.approx(0.2 * 1.02 * FRAMES - 0.01 * FRAMES, abs=1.5)
        for key, by in (("", 0), ("ArrowRight", 1), ("Shift+ArrowRight", 10), ("ArrowLeft", -1)):
            if key:
                page.keyboard.press(key)
            frame += by
            stars = pictures(page, frame)
            row = told[frame]
            assert row["utc"][:22].replace("T", " ") in value(page, "utc")
            shown = value(page, "normalised").partition(" ± ")[0]
            assert float(shown) == pytest.approx(float(row["flux_norm"]), abs=0.006)
        assert stars[0] == "T"
        page.locator("select[data-role=reference]").select_option("R3")
        assert pictures(page, frame)[1] == "R3"
        page.get_by_role("link", name="after →").click()
        pictures(page, frame + 1)
        assert f"frame={frame + 1}" in page.url, "the address can be sent to somebody"
        page.get_by_label("Number of a frame").fill("7")
        page.get_by_label("Number of a frame").press("Enter")
        page.wait_for_url(re.compile("frame=7&.*#frame"))
        page.locator("#curve[data-ready=yes]").wait_for()
        pictures(page, 7)


def test_zoom_pan_and_reset(portal: Portal) -> None:
    with portal.page("staff") as page:
        opened(page, f"/results/{portal.world.result()}")
        whole = view(page)
        plots = page.locator("#curve .u-over")
        box = plot(page)
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

        page.get_by_role("button", name="Zoom in").click()
        low, high = view(page)
        assert (whole[1] - whole[0]) / (high - low) == pytest.approx(1.6)
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] - 0.25 * box["width"], middle[1], steps=5)
        page.mouse.up()
        assert view(page)[0] - low == pytest.approx(0.25 * (high - low), rel=0.01), "dragged to later times"
        page.mouse.click(*middle)
        before = view(page)
        page.mouse.wheel(0, -300)
        page.wait_for_function(f"span => {CURVE}.curve.view[1] - {CURVE}.curve.view[0] < span",
                               arg=0.9 * (before[1] - before[0]))  # fmt: skip
        assert sum(view(page)) / 2 == pytest.approx(sum(before) / 2, abs=0.02), "about the pointer"
        page.get_by_role("button", name="All", exact=True).click()
        assert view(page) == pytest.approx(whole)
        page.get_by_role("button", name="Event", exact=True).click()
        edges = page.evaluate(f"{CURVE}.curve.edges.map(one => one.at)")
        low, high = view(page)
        assert low < min(edges) < max(edges) < high < whole[1]
        plots.first.dblclick()
        assert view(page) == pytest.approx(whole)
        page.locator("[data-plots]").focus()
        page.keyboard.press("d")
        low, high = view(page)
        assert high - low < 0.2 * (whole[1] - whole[0])
        assert (low + high) / 2 == pytest.approx(min(edges), abs=0.01)
        page.keyboard.press("0")
        assert view(page) == pytest.approx(whole)
        shown = plots.count()
        page.get_by_label("R3 reference").check()
        assert plots.count() == shown + 1


def test_another_version_lies_beneath(portal: Portal) -> None:
    result, first = portal.world.result(), portal.world.result(version=0)
    with portal.page("staff") as page:
        opened(page, f"/results/{result}")
        assert page.evaluate(INKED, "--guide") == 0
        opened(page, f"/results/{result}?with=1")
        page.wait_for_function(f"() => {CURVE}.other !== undefined")
        settled(page)
        assert page.evaluate(INKED, "--guide") > FRAMES
        assert page.get_by_text("version 1", exact=True).first.is_visible()
        other = page.evaluate(
            f"{{ const o = {CURVE}.other; ({{ time: [...o.time], values: [...o.values] }}) }}"
        )
        told = rows(portal, first)
        assert other["values"] == pytest.approx([float(one["flux_norm"]) for one in told], abs=1e-6)
        assert other["time"] == pytest.approx(page.evaluate(f"[...{CURVE}.curve.columns.time]"), abs=1e-6)


def test_excluded_points_are_told_and_drawn(portal: Portal) -> None:
    result = portal.world.result("eva")
    lost = [k for k, one in enumerate(rows(portal, result)) if int(one["flags"]) & int(UNUSABLE)]
    assert lost
    assert set(lost) <= set(range(*CLOUD))
    last = next(k for k in range(lost[0], CLOUD[1]) if k + 1 not in lost)
    with portal.context("eva") as (context, watch):
        watch.forgiven.append("/cutouts/")  # a star that is not seen has none
        page = context.new_page()
        opened(page, f"/results/{result}")
        excluded = page.evaluate(f"[...{CURVE}.curve.excluded].map(k => {CURVE}.curve.columns.frame[k])")
        assert excluded == lost
        assert page.evaluate(INKED, "--bad") > 3 * len(lost)
        page.get_by_text("of excluded samples").first.click()
        page.get_by_role("link", name=f"{lost[0]} to {last}" if last > lost[0] else str(last)).click()
        page.wait_for_url(f"**frame={lost[0]}#frame")
        page.locator("#curve[data-ready=yes]").wait_for()
        assert value(page, "normalised") == "not measured"
        assert value(page, "flags") != "none: good"
