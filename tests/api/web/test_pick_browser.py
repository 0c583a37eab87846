"""The place of a site, picked on a map in a browser."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.requirements import require

require("server")

from tests.api.web.browser import Portal, axe  # noqa: E402 - after the check for the extra

if TYPE_CHECKING:
    from playwright.sync_api import Page

FIELDS = ("latitude_deg", "longitude_deg")
NORTH, EAST = 30.0, 10.0
"""What is in the middle of the map before a place is known."""
AROUND_PX = 512
"""Of the map, once around the Earth."""


def typed(page: "Page") -> list[float]:
    return [float(page.locator(f"[name={name}]").input_value()) for name in FIELDS]


def test_a_place_is_picked_on_the_map(portal: Portal) -> None:
    with portal.page("finn") as page:
        page.goto("/sites")
        chart = page.locator("#pick")
        chart.scroll_into_view_if_needed()
        chart.locator(".map-land").first.wait_for(state="attached")
        box = chart.bounding_box()
        assert box is not None
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.click(*middle)
        assert typed(page) == pytest.approx([NORTH, EAST], abs=0.8), "a pixel is 0.7 degrees"
        page.get_by_text("Taken from the map").wait_for()
        mark = chart.locator("img.leaflet-marker-icon")
        at = mark.bounding_box()
        assert at is not None
        assert at["x"] + at["width"] / 2 == pytest.approx(middle[0], abs=2)
        assert at["y"] + at["height"] == pytest.approx(middle[1], abs=3), "its tip is at the place"

        for name, text in zip(FIELDS, ("36 49 28.2 S", "30.335"), strict=True):
            page.locator(f"[name={name}]").fill(text)
            page.locator(f"[name={name}]").press("Tab")
        moved = mark.bounding_box()
        assert moved is not None
        assert moved["y"] > at["y"] + 80, "what is typed moves the mark: to the south"
        across = (30.335 - EAST) / 360 * AROUND_PX
        assert moved["x"] - at["x"] == pytest.approx(across, abs=2)

        page.mouse.move(moved["x"] + moved["width"] / 2, moved["y"] + moved["height"] / 2)
        page.mouse.down()
        page.mouse.move(moved["x"] + moved["width"] / 2 + 20, moved["y"] + moved["height"] / 2, steps=5)
        page.mouse.up()
        assert typed(page)[1] == pytest.approx(30.335 + 20 / AROUND_PX * 360, abs=1.5), "dragged to the east"
        assert typed(page)[0] == pytest.approx(-36.8245, abs=0.8)
        axe(page)

        kept = typed(page)
        page.locator("[name=name]").fill("Picked on the map")
        page.locator("[name=height_m]").fill("120")
        page.locator("button.main").filter(has_text="Add the site").click()
        page.get_by_role("link", name="Picked on the map", exact=True).click()
        page.wait_for_url(re.compile(r"/sites/[0-9a-f]{32}"))
        assert typed(page) == pytest.approx(kept)
