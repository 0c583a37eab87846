"""Every page by a browser: no fault in its console, none of accessibility, nothing wider than the window."""

from typing import TYPE_CHECKING

import pytest

from tests.requirements import require

require("server")

from api.web.pages import PageRoute  # noqa: E402 - after the check for the extra
from tests.api.access.test_routes import ROUTES  # noqa: E402
from tests.api.web.browser import DESKTOP, PHONE, Portal, axe  # noqa: E402
from tests.api.web.shots import WIDER  # noqa: E402
from tests.api.web.table import BESIDES, HELP, SIGHTS, Sight  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

WITH_TABLES = frozenset({"=curves", "=photometry"})
PAGES = {path for (method, path), route in ROUTES.items() if method == "GET" and isinstance(route, PageRoute)}


REFUSED_UNSEEN = """
[...document.querySelectorAll("details:not([open]) :is(input, select, textarea):invalid")]
    .filter(one => !one.closest("details:not([open])").contains(one.form))
    .map(one => one.name)
"""
"""Fields for which a browser does not send a form and that it cannot show, in a part that is folded away."""


def test_no_page_is_forgotten() -> None:
    assert {sight.route for sight in SIGHTS} | BESIDES >= PAGES
    assert len({sight.name for sight in SIGHTS}) == len(SIGHTS)


@pytest.mark.parametrize(
    "sight", [one for one in SIGHTS if one not in HELP], ids=lambda sight: str(sight.name)
)
def test_page(portal: Portal, sight: Sight) -> None:
    if sight.route not in PAGES:
        pytest.skip("no such page yet")
    with portal.context(sight.who) as (context, watch):
        if sight.name == "not-there":
            watch.forgiven.append("404")
        page = context.new_page()
        answer = page.goto(sight.path(portal.world))
        assert answer is not None
        assert answer.status == (404 if sight.name == "not-there" else 200), page.content()[:2000]
        page.wait_for_load_state("networkidle")
        assert page.locator("h1").count() == 1
        assert page.locator("main").count() == 1
        hidden = page.evaluate(REFUSED_UNSEEN)
        assert not hidden, hidden
        axe(page)
        _fits(page)


def test_topics_of_the_help(portal: Portal) -> None:
    with portal.context(None) as (context, _):
        page = context.new_page()
        for sight in HELP:
            page.goto(sight.path(portal.world))
            assert page.locator("h1").count() == 1
            if sight.ids["topic"] in WITH_TABLES:
                axe(page)
            _fits(page)


def _fits(page: "Page") -> None:
    """Nothing is wider than the window."""
    for size in (DESKTOP, PHONE):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], (page.url, page.evaluate(WIDER))
