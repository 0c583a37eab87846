"""Chromium at the portal: pages of people who are logged in, whose faults are noted, and axe."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.api.client import API
from tests.api.uploads.served import Served
from tests.api.web.world import World
from tests.requirements import PROGRAMS, found, missing, require

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

AXE = Path(__file__).parent / "js" / "node_modules" / "axe-core" / "axe.min.js"
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
GRAVE = {"serious", "critical"}
SLOW_MS = 30_000
"""How long a page may take on a busy machine."""


@dataclass
class Watch:
    """What went wrong on the pages of a context.

    Attributes
    ----------
    forgiven : list of str
        Parts of faults that a test brings about on purpose.
    """

    faults: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)

    def over(self, page: "Page") -> None:
        """Note errors of a page's console and scripts, what its CSP refused, and requests that failed."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _said(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: "Request") -> None:
        if request.failure != "net::ERR_ABORTED":  # left for another page, or became a download
            self.faults.append(f"request: {request.method} {request.url}: {request.failure}")

    def _answered(self, response: "Response") -> None:
        if response.status >= 400:
            self.faults.append(f"answer: {response.status} {response.request.method} {response.url}")

    @property
    def unforgiven(self) -> list[str]:
        return [fault for fault in self.faults if not any(part in fault for part in self.forgiven)]


@dataclass
class Portal:
    """A service on a socket with a world in it, and a browser."""

    served: Served
    world: World
    browser: "Browser"
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.served.url

    @contextmanager
    def context(self, who: str | None = None, **options: Any) -> Iterator["tuple[BrowserContext, Watch]"]:
        """Somebody's browser; None is a visitor. At its end no fault may have been noted.

        Parameters
        ----------
        who : str
            ``ada``, ``staff``, ``responsible``, ``superuser``, ... of the world.
        **options
            Of Playwright's `new_context`: ``viewport``, ``color_scheme``, ``java_script_enabled``.
        """
        settings: dict[str, Any] = {"viewport": DESKTOP, "base_url": self.url, "locale": "en-GB"} | options
        context = self.browser.new_context(**settings)
        context.set_default_timeout(SLOW_MS)
        watch = Watch()
        context.on("page", watch.over)
        try:
            if who is not None:
                name, value = self.cookie(who)
                context.add_cookies([{"name": name, "value": value, "url": self.url, "httpOnly": True}])
            yield context, watch
            assert not watch.unforgiven, "\n".join(watch.unforgiven)
        finally:
            context.close()

    @contextmanager
    def page(self, who: str | None = None, **options: Any) -> Iterator["Page"]:
        """One page of `context`."""
        with self.context(who, **options) as (context, _):
            yield context.new_page()

    def cookie(self, who: str) -> tuple[str, str]:
        """Name and value of somebody's session; everyone logs in once."""
        if who not in self.cookies:
            person = self.world.note["people"][who]
            body = {"email": person["email"], "password": person["password"]}
            answer = httpx.post(f"{self.url}{API}/sessions", json=body)
            assert answer.status_code == 201, answer.text
            self.cookies[who] = json.dumps(dict(answer.cookies))
        ((name, value),) = json.loads(self.cookies[who]).items()
        return name, value


def executable() -> str:
    """Chromium of the system; skips, or fails where `UMBRA_REQUIRE` names ``browser``."""
    require("server")
    require("browser")
    return next(str(shutil.which(name)) for name in PROGRAMS["browser"] if found(name))


@contextmanager
def chromium() -> Iterator["Browser"]:
    """One browser; while it is open, this thread has a running event loop, so `asyncio.run` fails in it."""
    path = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@cache
def _axe_source() -> str:
    if not AXE.is_file():
        missing("axe", "needs npm ci --ignore-scripts in tests/api/web/js")
    return AXE.read_text(encoding="utf-8")


def axe(page: "Page", *besides: str) -> None:
    """See that axe finds no serious and no critical fault of accessibility on a page.

    Parameters
    ----------
    page : Page
    *besides : str
        Rules that are left out.
    """
    page.evaluate(_axe_source())
    options = {"resultTypes": ["violations"], "rules": {rule: {"enabled": False} for rule in besides}}
    found_: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    told = [
        f"{fault['impact']} {fault['id']}: {fault['help']}: "
        + "; ".join(node["html"][:160] for node in fault["nodes"][:4])
        for fault in found_["violations"]
        if fault["impact"] in GRAVE
    ]
    assert not told, f"{page.url}\n" + "\n".join(told)
