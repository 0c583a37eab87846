"""Uploads in Chromium: a line that breaks, a browser that is closed, a pause; nothing is said too early."""

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.requirements import require

require("server")
require("browser")

from tests.api.client import API  # noqa: E402 - after the check for the extra
from tests.api.nodes.running import NODE, serving_node  # noqa: E402
from tests.api.web.browser import Portal  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Request, Route

SIZE = 9 << 20
PATIENCE_MS = 90_000
WHO = "ben"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that nobody has sent before."""
    path = tmp_path / f"Σ {tmp_path.name}.bin"
    path.write_bytes(random.Random(str(tmp_path)).randbytes(SIZE))
    return path


@dataclass
class Line:
    """A line to the service that lets some pieces of files through, and then none.

    Attributes
    ----------
    pieces : int
        How many still pass.
    breaks : bool
        The others fail, and so does every other request about uploads; else they are on their way for ever.
    """

    pieces: int = 1000
    breaks: bool = True
    offsets: list[int] = field(default_factory=list)

    def handle(self, route: "Route") -> None:
        piece = route.request.method == "PATCH"
        if piece:
            self.pieces -= 1
            self.offsets.append(int(route.request.headers["upload-offset"]))
        if self.pieces >= 0 or not (piece or self.breaks):
            route.continue_()
        elif self.breaks:
            route.abort("internetdisconnected")


@contextmanager
def looking(portal: Portal, line: Line) -> Iterator["Page"]:
    """The observation's page, by that line."""
    with portal.context(WHO) as (context, watch):
        watch.forgiven += ["ERR_INTERNET_DISCONNECTED"]
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.route(f"**{API}/uploads**", line.handle)
        page.route(f"**{API}/uploads/*", line.handle)
        page.goto(f"/observations/{observation(portal)}")
        page.get_by_label("Additional files").check()
        yield page


def observation(portal: Portal) -> str:
    found: str = portal.world.note["stations"][WHO]
    return found


def row(page: "Page", path: Path) -> "Locator":
    return page.locator("#upload-list > li").filter(has_text=path.name)


def kind(page: "Page", path: Path, word: str) -> "Locator":
    """The row of a file, once it is of a kind."""
    one = row(page, path).and_(page.locator(f"[data-kind={word}]"))
    one.wait_for()
    return one


def half_way(page: "Page", path: Path) -> None:
    """Wait until two pieces have arrived."""
    row(page, path).get_by_text("have arrived").wait_for()
    page.wait_for_function(
        "bar => bar.value > 1 << 20", arg=row(page, path).locator("progress").element_handle()
    )


def stored(portal: Portal, path: Path) -> list[dict[str, Any]]:
    """The files of that name, as the service has them."""
    name, value = portal.cookie(WHO)
    url = f"{portal.url}{API}/observations/{observation(portal)}/files?limit=200"
    answer = httpx.get(url, headers={"Cookie": f"{name}={value}"})
    assert answer.status_code == 200, answer.text
    return [one for one in json.loads(answer.text)["items"] if one["name"] == path.name]


def is_stored(page: "Page", portal: Portal, path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"its SHA-256 is that of your file: {digest}" in kind(page, path, "good").inner_text()
    assert [(one["sha256"], one["size"], one["role"]) for one in stored(portal, path)] == [
        (digest, SIZE, "additional")
    ]
    page.locator("#files-part").get_by_role("heading", name=path.name).wait_for()


def test_the_line_breaks_half_way(portal: Portal, path: Path) -> None:
    line = Line(2)
    with looking(portal, line) as page:
        page.locator("#f-file").set_input_files(path)
        assert "What has arrived is kept" in kind(page, path, "trouble").inner_text()
        assert stored(portal, path) == []
        line.pieces = 1000
        page.evaluate("window.dispatchEvent(new Event('online'))")
        is_stored(page, portal, path)
        assert line.offsets.count(0) == 1, "what had arrived was not sent again"


def test_the_browser_is_closed_and_the_file_chosen_again(portal: Portal, path: Path) -> None:
    with looking(portal, Line(2, breaks=False)) as page:
        page.locator("#f-file").set_input_files(path)
        half_way(page, path)
    line = Line()
    with looking(portal, line) as page:
        assert "Choose the same file again" in row(page, path).inner_text()
        held = int(row(page, path).locator("progress").get_attribute("value") or 0)
        assert 0 < held < SIZE
        page.locator("#f-file").set_input_files(path)
        is_stored(page, portal, path)
        assert line.offsets[0] == held


def test_pause_go_on_and_delete(portal: Portal, path: Path) -> None:
    line = Line(2, breaks=False)
    with looking(portal, line) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        page.locator("#f-file").set_input_files(path)
        half_way(page, path)
        row(page, path).get_by_role("button", name="Pause").click()
        kind(page, path, "paused").get_by_role("button", name="Go on").click()
        kind(page, path, "sending")
        row(page, path).get_by_role("button", name="Delete").click()
        row(page, path).wait_for(state="detached")
        page.reload()
        assert row(page, path).count() == 0
        assert stored(portal, path) == []


def test_by_a_node(portal: Portal, path: Path, tmp_path: Path) -> None:
    """Its bytes go to another origin, by a ticket; the service has them in the end, and the page says so."""
    sent: list[dict[str, str]] = []

    def note(request: "Request") -> None:
        if request.method == "PATCH":
            sent.append({"url": request.url, **request.headers})

    with serving_node(tmp_path / "node", portal.url), looking(portal, Line()) as page:
        page.on("request", note)
        page.get_by_label("Send by").select_option("chile")
        page.locator("#f-file").set_input_files(path)
        is_stored(page, portal, path)
    assert len(sent) > 1
    for one in sent:
        assert one["url"].startswith(NODE)
        assert one["upload-ticket"]
        assert not {"cookie", "x-csrf-token"} & set(one)
