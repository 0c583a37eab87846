"""Screenshots of every page: ``python -m tests.api.web.shots OUT``; a sheet of four for each page.

``--world DIR`` is one that `tests.api.web.world` made; ``--only NAME ...`` takes those alone, ``--views
phone-light ...`` in these views alone.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.api.uploads.served import LEAN, Served
from tests.api.web.browser import DESKTOP, PHONE, SLOW_MS, Portal, Watch, chromium
from tests.api.web.table import SIGHTS, Sight
from tests.api.web.world import FREE, World, copied, make, opened

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

SIZES = {"desktop": DESKTOP, "phone": PHONE}
SCHEMES = ("light", "dark")
VIEWS = tuple(f"{size}-{scheme}" for size in SIZES for scheme in SCHEMES)
TALLEST = 2400
"""Pixels of a page that its sheet shows."""

WIDER = """() => [...document.querySelectorAll('body *')]
    .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .slice(0, 4).map(one => one.outerHTML.slice(0, 120))"""
"""What makes a page wider than its window."""


def taken(portal: Portal, sight: Sight, out: Path, size: str, scheme: Any) -> list[str]:
    """One screenshot; what is wrong with the page."""
    context = portal.browser.new_context(
        viewport={"width": SIZES[size]["width"], "height": SIZES[size]["height"]},
        color_scheme=scheme, base_url=portal.url, locale="en-GB", has_touch=size == "phone",
    )  # fmt: skip
    watch = Watch()
    try:
        faults = _look(portal, sight, context, watch, out / f"{sight.name}-{size}-{scheme}.png")
    finally:
        context.close()
    return [f"{sight.name} {size} {scheme}: {fault}" for fault in (*faults, *watch.faults)]


def _look(portal: Portal, sight: Sight, context: "BrowserContext", watch: Watch, path: Path) -> list[str]:
    if sight.who is not None:
        name, value = portal.cookie(sight.who)
        context.add_cookies([{"name": name, "value": value, "url": portal.url, "httpOnly": True}])
    page = context.new_page()
    page.set_default_timeout(SLOW_MS)
    watch.over(page)
    page.goto(sight.path(portal.world), wait_until="load")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path, full_page=True)
    wide, seen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    if wide <= seen:
        return []
    return [f"is {wide} px wide in a window of {seen}: {page.evaluate(WIDER)}"]


def sheet(sight: Sight, out: Path, views: Sequence[str] = VIEWS) -> None:
    """The screenshots of a page beside each other."""
    from PIL import Image

    pictures = [Image.open(out / f"{sight.name}-{view}.png").convert("RGB") for view in views]
    tall = min(TALLEST, max(one.height for one in pictures))
    whole = Image.new("RGB", (sum(one.width + 10 for one in pictures), tall), "#888888")
    left = 0
    for one in pictures:
        whole.paste(one.crop((0, 0, one.width, min(one.height, tall))), (left, 0))
        left += one.width + 10
    whole.resize((whole.width // 2, whole.height // 2)).save(out / f"sheet-{sight.name}.png")


@contextmanager
def looking(folder: Path | None) -> Iterator[Portal]:
    """A service on a copy of a world, and a browser at it."""
    with tempfile.TemporaryDirectory() as scratch:
        first = opened(folder) if folder is not None else make(Path(scratch, "made"))
        world: World = copied(first, Path(scratch, "world"))
        settings = {f"UMBRA_{name.upper()}": str(value) for name, value in FREE.items()}
        served = Served(world.home, LEAN, settings=settings)
        served.start()
        try:
            with chromium() as browser:
                yield Portal(served, world, browser)
        finally:
            served.kill()


def main() -> None:
    """Take them, and tell what is wrong."""
    parser = argparse.ArgumentParser(description="Screenshots of every page of the portal.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--world", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--views", nargs="*", choices=VIEWS, default=VIEWS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with looking(options.world and options.world.absolute()) as portal:
        for sight in SIGHTS:
            if options.only and sight.name not in options.only:
                continue
            for view in options.views:
                for fault in taken(portal, sight, options.out, *view.split("-")):
                    sys.stdout.write(fault + "\n")
            sheet(sight, options.out, options.views)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
