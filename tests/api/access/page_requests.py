"""How each page of the portal is asked. An area adds a file of its own, and a line at the end."""

from tests.api.access.asks import Builder
from tests.api.access.figure_requests import FIGURE_PAGES
from tests.api.web.account_requests import ACCOUNT_PAGES
from tests.api.web.campaign_page_requests import CAMPAIGN_PAGES
from tests.api.web.curve_requests import CURVE_PAGES
from tests.api.web.observe_requests import OBSERVE_PAGES
from tests.api.web.staff_requests import STAFF_PAGES
from tests.api.web.viewer_requests import VIEWER_PAGES

PAGES: dict[tuple[str, str], Builder] = {
    **ACCOUNT_PAGES,
    **CURVE_PAGES,
    **VIEWER_PAGES,
    **CAMPAIGN_PAGES,
    **FIGURE_PAGES,
    **OBSERVE_PAGES,
    **STAFF_PAGES,
}
"""(method, path) -> how it is asked."""
