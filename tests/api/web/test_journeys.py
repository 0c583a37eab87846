"""Whole ways through the portal, as people go them: from registration to SORA, from XML to the limb."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.requirements import require

require("server")

import httpx  # noqa: E402 - after the check for the extra

from tests.api.campaign import recordings, truth  # noqa: E402
from tests.api.campaign.line import Line, line_to  # noqa: E402
from tests.api.campaign.truth import PLACES  # noqa: E402
from tests.api.client import API  # noqa: E402
from tests.api.web import steps  # noqa: E402
from tests.api.web.browser import Portal, axe  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

EMAIL = "walker@example.org"
LONG_MS = 180_000
PLACE = PLACES[0]


def test_from_registration_to_sora(portal: Portal, tmp_path: Path) -> None:
    campaign = portal.world.note["campaigns"]["past"]
    recording, _ = recordings.write(PLACE, tmp_path, 0)
    with line_to(portal.served.port) as line, portal.context(base_url=line.url) as (context, watch):
        watch.forgiven += ["net::ERR_"]  # the line is cut
        page = context.new_page()
        steps.register(portal, page, EMAIL, "Wanda Walker")
        steps.add_equipment(page, "telescope", name="Little Newtonian", aperture_mm=150)
        steps.add_equipment(page, "recorder", name="GPS box", time_source="gps")
        place = {"latitude_deg": PLACE.latitude_deg, "longitude_deg": PLACE.longitude_deg}
        steps.add_site(page, name="Garden", **place, height_m=PLACE.height_m, sigma_m=5)
        observation = steps.join(page, campaign, "Wanda's garden")
        page = cut_half_way(page, line, observation, recording)
        assert (
            "its SHA-256 is that of your file" in page.locator("#upload-list [data-kind=good]").inner_text()
        )
        page.get_by_role("link", name="Look at the frames").wait_for(timeout=LONG_MS)
    with portal.page("staff") as page:
        reduced(page, observation)
        looked_at(page)
        with page.expect_download() as download:
            page.get_by_role("link", name="SORA").first.click()
        lines = Path(download.value.path()).read_text().splitlines()
        assert len([line for line in lines if line and not line.startswith("#")]) == recordings.FRAMES


def cut_half_way(page: "Page", line: Line, observation: str, recording: Path) -> "Page":
    """Send the first half, lose the line and close the page; open another, and send the rest."""
    size = recording.stat().st_size
    line.stop_after(size // 2)
    steps.choose_file(page, observation, recording)
    assert line.reached.wait(120)
    context = page.context
    page.close(run_before_unload=False)
    line.cut()
    before, page = line.passed, context.new_page()
    steps.choose_file(page, observation, recording)
    page.locator("#upload-list [data-kind=good]").wait_for(timeout=LONG_MS)
    assert line.passed - before < 0.8 * size
    return page


def reduced(page: "Page", observation: str) -> None:
    """Ask for a reduction, and follow it to the light curve."""
    page.goto(f"/observations/{observation}/reduce")
    form = f"/observations/{observation}/reduce"
    steps.fill(page, form, plan__target=recordings.target_of(PLACE, 0))
    page.get_by_text("Times", exact=True).first.click()
    steps.fill(page, form, times__meaning="start")
    steps.press(page, "Start the reduction")
    page.get_by_role("link", name="See the light curve").click(timeout=LONG_MS)
    page.wait_for_url("**/results/*")


def looked_at(page: "Page") -> None:
    """Click before the event and in it: the star is there, and is gone; the arrow keys step on."""
    page.locator("#curve[data-ready=yes]").wait_for()
    page.get_by_role("button", name="Event", exact=True).click()
    plot = page.locator("#curve .u-over").first
    box = plot.bounding_box()
    assert box is not None
    frame = page.locator("[data-value=frame]").first

    def at(part: float) -> int:
        before = frame.inner_text()
        plot.click(position={"x": part * box["width"], "y": box["height"] / 2})
        page.wait_for_function("before => document.querySelector('[data-value=frame]').innerText !== before",
                               arg=before)  # fmt: skip
        page.wait_for_load_state("networkidle")
        return int(frame.inner_text())

    first = at(0.03)
    there = steps.standing_out(page)
    middle = at(0.5)
    gone, reference = steps.standing_out(page), steps.standing_out(page, "reference")
    assert first < middle
    assert there > 3
    assert gone < there / 3
    assert reference > 3
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"document.querySelector('[data-value=frame]').innerText === '{middle + 1}'")
    axe(page)


def test_from_xml_to_the_limb(portal: Portal, tmp_path: Path) -> None:
    xml = tmp_path / "another.xml"
    xml.write_text(truth.XML.replace("20260311_2622.3", "20260311_again"))
    with portal.page("staff") as page:
        steps.import_prediction(page, xml, truth.NAME)
        campaign = steps.open_campaign(page, name="Again, by pages", tell=False)
        for place in PLACES:
            reported(portal, campaign, place)
        page.goto(f"/campaigns/{campaign}/chords")
        for place in PLACES:
            assert page.get_by_text(place.name).count()
        page.goto(f"/campaigns/{campaign}/fit")
        steps.press(page, "Fit the limb")
        picture = page.locator("figure img[src*='limb.png']")
        picture.wait_for(timeout=LONG_MS)
        assert picture.evaluate("async one => { await one.decode(); return one.naturalWidth; }") > 400
        sentence = page.locator("p.big").inner_text()
        found = re.search(r"([\d.]+) ± ([\d.]+) km", sentence)
        assert found is not None, sentence
        value, sigma = map(float, found.groups())
        assert abs(value - 2 * truth.RADIUS_KM) < 4 * sigma < truth.RADIUS_KM


def reported(portal: Portal, campaign: str, place: truth.Place) -> None:
    """A station's contacts, as its observer reports them to the API."""
    who = place.name.partition(" ")[0].lower()
    name, value = portal.cookie(who)
    with httpx.Client(base_url=f"{portal.url}{API}", cookies={name: value}) as client:
        client.headers["X-CSRF-Token"] = client.get("/account").json()["csrf"]
        where = {"latitude_deg": place.latitude_deg, "longitude_deg": place.longitude_deg}
        site = {"name": f"of {campaign}", "height_m": place.height_m, **where}
        made = client.post("/sites", json=site).json()
        gone, back = (datetime.fromtimestamp(ns / 1e9, UTC).isoformat() for ns in truth.edges_ns(place))
        body = {
            "campaign": campaign, "site": made["id"], "station": place.name, "status": "positive",
            "report": {
                "disappearance": {"utc": gone, "sigma_s": 0.02},
                "reappearance": {"utc": back, "sigma_s": 0.02},
            },
        }  # fmt: skip
        answer = client.post("/observations", json=body)
        assert answer.status_code == 201, answer.text
