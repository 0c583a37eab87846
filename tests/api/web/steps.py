"""Steps of people at the portal, in a browser."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from api.database.transactions import Database
from api.mail.tables import Message
from tests.api.client import API
from tests.api.web.browser import Portal
from tests.api.web.cast import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

LINK = re.compile(r"https?://[^/\s]+(/\S+)")
SEEN = """async image => {
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const drawn = canvas.getContext('2d');
    drawn.drawImage(image, 0, 0);
    const { data } = drawn.getImageData(0, 0, canvas.width, canvas.height);
    const middle = [], around = [];
    for (let k = 0; k < canvas.width * canvas.height; k += 1) {
        const [x, y] = [k % canvas.width, Math.floor(k / canvas.width)];
        const far = Math.hypot(x / canvas.width - 0.5, y / canvas.height - 0.5);
        if (far < 0.06) middle.push(data[4 * k]);
        if (far > 0.3) around.push(data[4 * k]);
    }
    const mean = all => all.reduce((a, b) => a + b, 0) / all.length;
    const level = mean(around);
    return (mean(middle) - level) / Math.sqrt(mean(around.map(one => (one - level) ** 2)) + 1);
}"""
"""How far the middle of a picture stands out of its surroundings, in their scatter."""


def link_of(portal: Portal, email: str, kind: str) -> str:
    """Path of the first page that the last e-mail of a kind leads to."""
    database = Database(portal.served.database)
    try:
        with database.reading() as session:
            rows = session.query(Message).filter_by(recipient=email, kind=kind).order_by(Message.place)
            text = rows.all()[-1].text
    finally:
        database.close()
    found = LINK.search(text)
    assert found is not None, text
    return found[1]


def fill(page: "Page", form: str, **fields: Any) -> None:
    """Type into fields of a form by their names, or choose; `form` is where it is sent."""
    where = (
        page.locator(f'form[action^="{form}"]').filter(has=page.locator("[name]:not([type=hidden])")).first
    )
    for name, value in fields.items():
        one = where.locator(f'[name="{name.replace("__", ".")}"]:not([type=hidden])')
        kind = one.evaluate("one => one.tagName + (one.type || '')")
        if kind.startswith("SELECT"):
            one.select_option(value)
        elif "checkbox" in kind:
            one.set_checked(value)
        else:
            one.fill(str(value))


def press(page: "Page", label: str) -> None:
    page.get_by_role("button", name=label, exact=True).first.click()


def register(portal: Portal, page: "Page", email: str, name: str) -> None:
    """An account, by the form and the link of the e-mail."""
    page.goto("/register")
    fill(page, "/register", name=name, email=email, password=PASSWORD, affiliation="Garden observatory")
    press(page, "Register")
    page.get_by_text(email).first.wait_for()
    page.goto(link_of(portal, email, "activation"))
    fill(page, "/activate", password=PASSWORD)
    press(page, "Finish")
    page.get_by_text(name).first.wait_for()


def add_equipment(page: "Page", kind: str, **fields: Any) -> None:
    page.goto(f"/equipment?add={kind}#add")
    fill(page, "/equipment", **fields)
    press(page, f"Add the {'time recorder' if kind == 'recorder' else kind}")
    page.get_by_role("link", name=str(fields["name"]), exact=True).wait_for()


def add_site(page: "Page", **fields: Any) -> None:
    page.goto("/sites")
    fill(page, "/sites", **fields)
    page.locator("button.main").filter(has_text="Add the site").click()
    page.get_by_role("link", name=str(fields["name"]), exact=True).wait_for()


def join(page: "Page", campaign: str, station: str) -> str:
    """Id of the observation."""
    page.goto(f"/campaigns/{campaign}")
    fill(page, f"/campaigns/{campaign}/join", station=station, consent=True)
    press(page, "Take part")
    page.wait_for_url("**/observations/*")
    return page.url.partition("?")[0].rpartition("/")[2].partition("#")[0]


def choose_file(page: "Page", observation: str, path: Path) -> None:
    page.goto(f"/observations/{observation}/upload")
    page.locator("#upload input[type=file]").set_input_files(path)


def standing_out(page: "Page", role: str = "target") -> float:
    """How much of a star is to be seen in its cut-out."""
    found: float = page.locator(f".cutouts img[data-role={role}]").evaluate(SEEN)
    return found


def import_prediction(page: "Page", xml: Path, name: str) -> None:
    """From a file to the page of the prediction."""
    page.goto("/staff/predictions/import")
    page.locator("input[type=file]").set_input_files(xml)
    press(page, "Import")
    page.wait_for_load_state("networkidle")
    found = page.request.get(f"{API}/predictions?object_name={quote(name)}").json()["items"]
    (one,) = [one for one in found if one["campaign"] is None]
    page.goto(f"/staff/predictions/{one['id']}")


def open_campaign(page: "Page", **fields: Any) -> str:
    """Id of the campaign of the prediction that is looked at."""
    fill(page, page.url.removeprefix(page.url.partition("/staff")[0]) + "/campaign", **fields)
    press(page, "Open the campaign")
    page.wait_for_url(re.compile(r"/campaigns/[0-9a-f]{32}"))
    found = re.search(r"/campaigns/([0-9a-f]{32})", page.url)
    assert found is not None
    return found[1]
