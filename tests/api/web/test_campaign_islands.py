"""Map and table of chords in a browser: places are where the API has them, tools do what they say."""

import base64
import math
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.requirements import require

require("server")

from tests.api.client import API  # noqa: E402 - after the check for the extra
from tests.api.web.browser import DESKTOP, PHONE, Portal  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

FIRST_PAGE_BYTES = 150_000
TILE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
"""A pixel."""
MARKS = """() => [...document.querySelectorAll('.map-sign')].map(one => {
    const box = one.getBoundingClientRect();
    return [one.title, box.left + box.width / 2, box.top + box.height / 2];
})"""
CENTRE = """() => [...document.querySelectorAll('path.map-centre')].flatMap(path => {
    const to = path.getScreenCTM(), length = path.getTotalLength();
    return Array.from({length: 600}, (_, k) => {
        const at = path.getPointAtLength(length * k / 599).matrixTransform(to);
        return [at.x, at.y];
    });
})"""

NAMES = """() => [...document.querySelectorAll('#chords tbody tr:not([hidden]) th')]
    .map(one => one.innerText.trim())"""

HIDDEN_WIDTH = """() => {
    const box = document.querySelector('.table:has(#chords)');
    return box.scrollWidth - box.clientWidth;
}"""


def mercator(latitude_deg: float) -> float:
    return math.degrees(math.asinh(math.tan(math.radians(latitude_deg))))


def asked(portal: Portal, who: str, path: str, **params: Any) -> Any:
    name, value = portal.cookie(who)
    answer = httpx.get(f"{portal.url}{path}", params=params, cookies={name: value}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def shown(page: "Page", path: str) -> None:
    page.goto(path)
    page.wait_for_selector(".map-land", state="attached")
    page.wait_for_load_state("networkidle")


class Screen:
    """Where the map has which place: from two stations whose places are known."""

    def __init__(self, page: "Page") -> None:
        stations = page.evaluate("JSON.parse(document.getElementById('map-data').textContent).stations")
        known = {one["station"]: one for one in stations}
        marks = {title.partition(":")[0]: (x, y) for title, x, y in page.evaluate(MARKS)}
        ends = sorted(known.values(), key=lambda one: float(one["latitude_deg"]))
        one, other = ends[0], ends[-1]
        (x1, y1), (x2, y2) = marks[one["station"]], marks[other["station"]]
        self.scale_x = (x2 - x1) / (other["longitude_deg"] - one["longitude_deg"])
        self.scale_y = (y2 - y1) / (mercator(other["latitude_deg"]) - mercator(one["latitude_deg"]))
        self.x0 = x1 - self.scale_x * one["longitude_deg"]
        self.y0 = y1 - self.scale_y * mercator(one["latitude_deg"])
        self.apart = max(
            math.dist(marks[name], self.of(told["longitude_deg"], told["latitude_deg"]))
            for name, told in known.items()
        )

    def of(self, longitude_deg: float, latitude_deg: float) -> tuple[float, float]:
        return self.x0 + self.scale_x * longitude_deg, self.y0 + self.scale_y * mercator(latitude_deg)


def test_stations_and_path_are_where_the_api_has_them(portal: Portal) -> None:
    campaign, prediction = (portal.world.note[kind]["upcoming"] for kind in ("campaigns", "predictions"))
    with portal.page("staff") as page:
        shown(page, f"/campaigns/{campaign}")
        screen = Screen(page)
        assert screen.apart < 2.5, "pixels: all stations, by the place of two"
        assert abs(screen.scale_x + screen.scale_y) < 0.02 * screen.scale_x, "angles are kept"
        drawn = page.evaluate(CENTRE)
        box = page.locator(".map").bounding_box()
        assert box is not None
        path = asked(portal, "staff", f"{API}/predictions/{prediction}/path.geojson")["features"]
        centre = next(one for one in path if one["properties"]["kind"] == "centre")
        near = []
        for east, north in (place for trace in centre["geometry"]["coordinates"] for place in trace):
            x, y = screen.of(east, north)
            if box["x"] < x < box["x"] + box["width"] and box["y"] < y < box["y"] + box["height"]:
                near.append(min(math.dist((x, y), at) for at in drawn))
        assert len(near) > 5
        assert max(near) < 4, "pixels"


def test_a_click_tells_what_the_place_may_expect(portal: Portal) -> None:
    campaign, prediction = (portal.world.note[kind]["upcoming"] for kind in ("campaigns", "predictions"))
    with portal.page("staff") as page:
        shown(page, f"/campaigns/{campaign}")
        screen = Screen(page)
        x, y = screen.of(9.5, 48.9)
        page.mouse.click(x, y)
        told = page.locator(".leaflet-popup-content")
        told.get_by_text("of the centre").wait_for()
        latitude, longitude = (
            float(page.input_value(f"#place-{name}")) for name in ("latitude", "longitude")
        )
        assert [longitude, latitude] == pytest.approx([9.5, 48.9], abs=0.03)
        seen = asked(
            portal,
            "staff",
            f"{API}/predictions/{prediction}/circumstances",
            latitude=latitude,
            longitude=longitude,
        )
        text = told.inner_text()
        assert seen["predicted_utc"][11:20] in text
        assert f"{abs(seen['offset_km']):.1f} ±" in text
        assert seen["darkness"] in text


def test_names_on_the_map_are_text(portal: Portal) -> None:
    with portal.page("ada") as page:
        shown(page, f"/campaigns/{portal.world.note['campaigns']['past']}")
        mark = page.locator(".map-sign").filter(has=page.locator(".mark-negative")).first
        mark.dispatch_event("click")
        assert "<script>alert('Eva')</script>" in page.locator(".leaflet-popup-content").inner_text()


def test_without_leaflet_there_is_a_picture(portal: Portal) -> None:
    with portal.context("ada") as (context, watch):
        watch.forgiven.append("leaflet.js")
        page = context.new_page()
        page.route("**/islands/leaflet.js", lambda route: route.abort())
        page.goto(f"/campaigns/{portal.world.note['campaigns']['past']}")
        picture = page.locator("figure img")
        picture.wait_for()
        page.wait_for_load_state("networkidle")
        assert picture.evaluate("one => one.naturalWidth") > 1000


def test_tiles_where_the_service_names_some(portal: Portal) -> None:
    campaign = portal.world.note["campaigns"]["past"]
    named = {
        '"tiles": ""': '"tiles": "/tiles/{z}/{x}/{y}.png"',
        '"attribution": ""': '"attribution": "Made here"',
    }
    wanted: list[str] = []

    def with_tiles(route: "Route") -> None:
        answer = route.fetch()
        text = answer.text()
        for plain, told in named.items():
            assert plain in text
            text = text.replace(plain, told)
        route.fulfill(response=answer, body=text)

    def tile(route: "Route") -> None:
        wanted.append(route.request.url.partition("/tiles/")[2])
        route.fulfill(content_type="image/png", body=TILE)

    with portal.page("ada") as page:
        page.route(f"**/campaigns/{campaign}", with_tiles)
        page.route("**/tiles/**", tile)
        page.goto(f"/campaigns/{campaign}")
        page.get_by_text("Made here").wait_for()
        page.wait_for_selector(".leaflet-tile-loaded", state="attached")
        assert page.locator(".map-land").count() == 0
        station = page.evaluate("JSON.parse(document.getElementById('map-data').textContent).stations[0]")
    zoom = int(wanted[0].split("/")[0])
    across = int((station["longitude_deg"] + 180) / 360 * 2**zoom)
    down = int((180 - mercator(station["latitude_deg"])) / 360 * 2**zoom)
    assert f"{zoom}/{across}/{down}.png" in wanted


def test_the_table_sorts_filters_and_copies(portal: Portal) -> None:
    path = f"/campaigns/{portal.world.note['campaigns']['past']}/chords"
    with portal.context("responsible") as (context, _):
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto(path)
        first = page.evaluate(NAMES)
        for size in (PHONE, DESKTOP):
            page.set_viewport_size({"width": size["width"], "height": size["height"]})
            page.reload()
            assert page.evaluate(HIDDEN_WIDTH) <= 0, f"all of the table is seen at {size['width']}"
        told = {one["station"]: one for one in asked(portal, "responsible", f"{API}{path}")["items"]}
        assert first == list(told)
        page.get_by_role("button", name="Chord, km").click()
        lengths = [told[name]["length_km"] for name in page.evaluate(NAMES)]
        known = [one for one in lengths if one is not None]
        assert known == sorted(known)
        assert lengths == known + [None] * (len(lengths) - len(known)), "what has no length comes last"
        page.get_by_role("button", name="Chord, km").click()
        assert [told[name]["length_km"] for name in page.evaluate(NAMES)][: len(known)] == known[::-1]
        page.get_by_role("button", name="Chord, km").click()
        assert page.evaluate(NAMES) == first
        page.get_by_placeholder("Filter").fill("positive")
        left = page.evaluate(NAMES)
        assert left == [name for name in first if told[name]["state"] == "positive"]
        page.get_by_text("Columns", exact=True).click()
        page.get_by_label("Latitude, °").check()
        page.get_by_label("Observer").uncheck()
        page.get_by_role("button", name="Copy").click()
        page.get_by_text("Copied").wait_for()
        rows = [row.split("\t") for row in page.evaluate("navigator.clipboard.readText()").split("\n")]
        assert "Observer" not in rows[0]
        column = rows[0].index("Latitude, °")
        assert [row[0] for row in rows[1:]] == left
        assert [float(row[column]) for row in rows[1:]] == [
            told[name]["place"]["latitude_deg"] for name in left
        ]
        d = [row[rows[0].index("D, UTC")] for row in rows[1:]]
        assert d == [f"{told[name]['d']['utc']} ± {told[name]['d']['sigma_s']} s" for name in left]
        page.reload()
        assert page.locator("#chords thead th", has_text="Latitude").is_visible(), "columns are remembered"


@pytest.mark.parametrize("who", [None, "ada"])
def test_the_first_page_is_light(portal: Portal, who: str | None) -> None:
    sent: dict[str, int] = {}
    with portal.page(who) as page:
        page.on(
            "requestfinished",
            lambda request: sent.update({request.url: request.sizes()["responseBodySize"]}),
        )
        page.goto("/")
        page.wait_for_load_state("networkidle")
    assert 5_000 < sum(sent.values()) < FIRST_PAGE_BYTES, sent
