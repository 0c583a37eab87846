"""The frame viewer in a browser: stars marked by mouse and keys, radii, frames, zoom and stretch."""

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest

from tests.requirements import require

require("server")

from tests.api.client import API  # noqa: E402 - after the check for the extra
from tests.api.web.browser import PHONE, Portal, axe  # noqa: E402
from tests.api.web.cast import ADA  # noqa: E402
from tests.api.web.scenery import FRAMES, WIDE, scene_of, target_of  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

HEIGHT, WIDTH = WIDE
SHEET = "[data-sheet]"
GROUND = 5
"""Level of what is beside the frame."""
PLACED = """() => {
    const box = document.querySelector('[data-sheet]').getBoundingClientRect();
    return [box.left, box.top, box.width, box.height];
}"""
GREYS = """() => {
    const { width, height } = document.querySelector('[data-sheet] canvas');
    const pen = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    pen.drawImage(document.querySelector('[data-sheet] canvas'), 0, 0);
    const { data } = pen.getImageData(0, 0, width, height);
    let sum = 0;
    for (let k = 0; k < data.length; k += 4) sum += data[k];
    return sum / (data.length / 4);
}"""
"""Mean grey of what is seen."""


class Viewer:
    """The page of Ada's recording."""

    def __init__(self, page: "Page", portal: Portal, **asked: Any) -> None:
        self.page, self.file = page, portal.world.note["files"]["ada"]
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        page.goto(f"/files/{self.file}/view?{query}")
        page.locator(f"{SHEET}[data-frame]").wait_for()

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the frame is on the page, while all of the frame is seen."""
        left, top, wide, high = self.page.evaluate(PLACED)
        scale = min(wide / WIDTH, high / HEIGHT)
        return (
            left + wide / 2 + (x - (WIDTH - 1) / 2) * scale,
            top + high / 2 + (y - (HEIGHT - 1) / 2) * scale,
        )

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.place(x, y))

    def until(self, what: str, check: Callable[[], bool]) -> None:
        """Wait until the page is so."""
        for _ in range(600):
            if check():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{what}; marks: {self.marks()}, at {self.page.url}")

    def marks(self) -> dict[str, tuple[float, float]]:
        """Marked stars, as the panel lists them."""
        told = self.page.locator("#panel .marks a.mark").all_inner_texts()
        return {text.split()[0]: (float(text.split()[1].strip(",")), float(text.split()[2])) for text in told}

    def asked(self) -> dict[str, list[str]]:
        """The page's address."""
        return parse_qs(urlsplit(self.page.url).query)

    def frame(self) -> int:
        return int(self.page.locator(SHEET).get_attribute("data-frame") or -1)

    def under(self, x: float, y: float) -> tuple[int, int, int]:
        """Pixel and level that are told of a place of the page."""
        self.page.mouse.move(x, y)
        told = self.page.locator("[data-readout]").inner_text()
        found = re.match(r"x\s*(\d+)\s+y\s*(\d+)\s+(\d+) ADU", told)
        assert found is not None, told
        return int(found[1]), int(found[2]), int(found[3])


def stars() -> list[tuple[float, float]]:
    """Where stars are on the first frame: the target, then others from the brightest on."""
    scene, target = scene_of(ADA), target_of(ADA)
    others = [star for k, star in enumerate(scene.stars) if k != scene.target]
    others.sort(key=lambda star: -star.flux_e)
    return [(target["x"], target["y"]), *((star.x, star.y) for star in others)]


def near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return math.dist(one, other) < 1.5


def test_stars_are_marked_by_mouse_and_by_keys(portal: Portal) -> None:
    target, reference, guide = stars()[:3]
    with portal.page("staff") as page:
        viewer = Viewer(page, portal)
        page.get_by_role("link", name="Target", exact=True).click()
        viewer.click(target[0] + 1.5, target[1] - 1.0)
        viewer.until("the target is marked", lambda: "T" in viewer.marks())
        assert near(viewer.marks()["T"], target), "the star is located, not the click"
        page.get_by_role("heading", name="T: target").wait_for()
        for chart in ("Radial profile about", "Growth curve: "):
            page.locator(f"#panel svg[aria-label^='{chart}']").wait_for()
        page.keyboard.press("r")
        viewer.click(*reference)
        viewer.until("a reference is marked", lambda: "R1" in viewer.marks())
        assert near(viewer.marks()["R1"], reference)

        page.locator("[data-tool=guide]").focus()
        page.keyboard.press("Enter")
        assert page.locator(f"{SHEET}:focus").count() == 1, "the keys are the picture's now"
        _walk(page, reference, guide)
        page.keyboard.press("Enter")
        viewer.until("a guide is marked", lambda: "G1" in viewer.marks())
        assert near(viewer.marks()["G1"], guide)

        tried(viewer)
        page.get_by_role("link", name="Remove G1").click()
        viewer.until("the guide is removed", lambda: set(viewer.marks()) == {"T", "R1"})
        page.keyboard.press("Escape")
        axe(page)
        page.get_by_role("link", name="Reduce with these stars").click()
        page.wait_for_url("**/reduce?*")
        for name, wanted in (("plan.target", target), ("plan.references", reference)):
            x, y = page.locator(f"[name='{name}']").input_value().split(",")
            assert near((float(x), float(y)), wanted)
        assert page.locator("[name='plan.aperture_px']").input_value() == "5.5"


def _walk(page: "Page", cross: tuple[float, float], goal: tuple[float, float]) -> None:
    """Move the cross with the arrow keys, by ten with Shift."""
    for there, here, less, more in (
        (goal[0], cross[0], "ArrowLeft", "ArrowRight"), (goal[1], cross[1], "ArrowUp", "ArrowDown"),
    ):  # fmt: skip
        tens, ones = divmod(abs(round(there - here)), 10)
        key = more if there > here else less
        for _ in range(tens):
            page.keyboard.press(f"Shift+{key}")
        for _ in range(ones):
            page.keyboard.press(key)


def tried(viewer: Viewer) -> None:
    """Other radii: what is measured follows while they are typed, or with the keys."""
    page = viewer.page
    page.locator("#panel .marks a.mark-target").click()
    page.get_by_role("heading", name="T: target").wait_for()
    page.get_by_text("Aperture and sky", exact=True).click()
    flux = {}
    for radius in ("2", "5"):
        page.get_by_label("Aperture", exact=True).fill(radius)
        told = page.locator(f"#panel .facts > div:has(dt:text-is('Flux in {radius} px')) dd")
        told.wait_for()
        flux[radius] = float(told.inner_text().split("±")[0])
        page.locator(f"#panel svg[aria-label$=' ADU within {radius} px.']").wait_for()
        assert page.locator("input[name=a]:focus").input_value() == radius, "who types goes on where they are"
    assert flux["5"] > 1.15 * flux["2"] > 0, "the growth of the light"
    page.locator(SHEET).focus()
    page.keyboard.press("]")
    page.locator("#panel dt:text-is('Flux in 5.5 px')").wait_for()


def raw(portal: Portal, file: str, frame: int) -> "np.ndarray[Any, np.dtype[np.uint16]]":
    """Pixels of a frame, from the API."""
    name, value = portal.cookie("staff")
    path = f"{portal.url}{API}/files/{file}/frames/{frame}/pixels.raw"
    answer = httpx.get(path, cookies={name: value}, timeout=60)
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, "<u2").reshape(WIDE)


def test_frames_are_stepped_through_and_looked_into(portal: Portal) -> None:
    with portal.page("staff") as page:
        viewer = Viewer(page, portal)
        x, y = round(stars()[1][0]), round(stars()[1][1])
        seen = {}
        for key, frame in (("", 0), ("ArrowRight", 1), ("Shift+ArrowRight", 11), (",", 10)):
            if key:
                page.keyboard.press(key)
            page.locator(f"{SHEET}[data-frame='{frame}']").wait_for()
            seen[frame] = viewer.under(*viewer.place(x, y))
        assert seen == {frame: (x, y, raw(portal, viewer.file, frame)[y, x]) for frame in seen}
        timeline = page.locator("[data-timeline]").inner_text()
        assert re.fullmatch(r"frame 10 · 2026-03-11 \d\d:\d\d:\d\d\.\d{3} UTC ± 0\.050 s", timeline), timeline
        page.get_by_role("heading", name="Frame 10", exact=True).wait_for()
        told = page.locator("#panel [data-mid]").inner_text()
        assert told in timeline, "the panel tells the same time"
        viewer.until("the address is that frame's", lambda: viewer.asked().get("frame") == ["10"])

        page.get_by_role("button", name="Play").click()
        viewer.until("it plays", lambda: viewer.frame() > 12)
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("link", name="Last frame").click()
        viewer.until("the last frame", lambda: viewer.frame() == FRAMES - 1)
        page.get_by_label("UTC").fill("20:19:20")
        page.get_by_label("UTC").press("Enter")
        viewer.until("the frame of that time", lambda: 0 < viewer.frame() < FRAMES - 1)
        assert abs(float(page.locator("#panel [data-mid]").inner_text().split(":")[-1][:6]) - 20) < 0.06
        page.get_by_role("link", name="Best seeing").click()
        page.get_by_text("has the narrowest stars").wait_for()


def grey(pixels: "np.ndarray[Any, np.dtype[np.uint16]]", stretch: str, black: float, white: float) -> float:
    """Mean of the pixels as grey."""
    unit = np.clip((pixels - black) / (white - black), 0.0, 1.0)
    if stretch == "asinh":
        unit = np.arcsinh(unit / 0.05) / np.arcsinh(1 / 0.05)
    return float((255 * unit).mean())


def test_zoom_and_stretch(portal: Portal) -> None:
    with portal.page("staff") as page:
        viewer = Viewer(page, portal)
        left, top, wide, high = page.evaluate(PLACED)
        middle = left + wide / 2, top + high / 2
        at = viewer.under(*middle)
        page.get_by_role("link", name="8 to 1").click()
        page.wait_for_timeout(50)
        assert viewer.under(*middle)[:2] == at[:2], "the middle stays"
        assert viewer.under(middle[0] + 80, middle[1])[0] == at[0] + 10
        page.mouse.down()
        page.mouse.move(middle[0] + 40, middle[1] + 24, steps=4)
        page.mouse.up()
        moved = viewer.under(*middle)
        assert (moved[0] - at[0], moved[1] - at[1]) == (5, -3), "dragged 40 to the left, 24 down"
        assert "T" not in viewer.marks(), "a drag marks nothing"
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(50)
        assert viewer.under(*middle)[:2] == moved[:2], "the wheel zooms about the pointer"
        assert viewer.under(middle[0] + 80, middle[1])[0] < moved[0] + 8
        page.keyboard.press("0")
        page.locator("[data-zoom='0'][aria-current]").wait_for()

        pixels = raw(portal, viewer.file, 0)
        for stretch in ("asinh", "minmax"):
            page.locator("#panel select[name=stretch]").select_option(stretch)
            page.wait_for_url(re.compile(f"stretch={stretch}&black=.*&white="))
            wanted = grey(pixels, stretch, *(float(viewer.asked()[name][0]) for name in ("black", "white")))
            share = min(wide / high, WIDTH / HEIGHT) / max(wide / high, WIDTH / HEIGHT)
            assert page.evaluate(GREYS) == pytest.approx(share * wanted + (1 - share) * GROUND, abs=1.5)
        page.get_by_text("These levels hold on all frames").wait_for()
        page.get_by_role("textbox", name="black").fill("0")
        page.get_by_role("textbox", name="white").fill("60000")
        viewer.until("dark", lambda: page.evaluate(GREYS) < 40)
        page.get_by_role("button", name="Stretch", exact=True).click()
        viewer.until("kept", lambda: viewer.asked().get("white") == ["60000"])
        assert viewer.asked()["black"] == ["0"]


def test_on_a_phone_a_finger_marks(portal: Portal) -> None:
    with portal.page("staff", viewport=PHONE, has_touch=True) as page:
        viewer = Viewer(page, portal, tool="target")
        page.locator(SHEET).scroll_into_view_if_needed()
        page.touchscreen.tap(*viewer.place(*stars()[0]))
        viewer.until("marked", lambda: "T" in viewer.marks())
        assert near(viewer.marks()["T"], target := stars()[0]), target
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
