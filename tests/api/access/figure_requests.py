"""How the routes and pages of uploaded figures are asked."""

import io
from functools import cache

from PIL import Image
from sqlalchemy import func, select

from api.database.tables import new_id, now
from api.figures.tables import LimbFigure
from tests.api.access.asks import Ask, Builder
from tests.api.access.world import World

API = "/api/v1"
HERE = f"{API}/campaigns/{{campaign_id}}/limb-figures"
PAGE = "/campaigns/{campaign_id}/figures"


@cache
def png() -> bytes:
    """A little picture."""
    out = io.BytesIO()
    Image.new("RGB", (8, 6), (10, 20, 30)).save(out, "PNG")
    return out.getvalue()


def figure_of(world: World, campaign: str) -> LimbFigure:
    """A figure whose image the store has lost."""
    with world.database.reading() as session:
        last = session.scalar(select(func.max(LimbFigure.version)).where(LimbFigure.campaign == campaign))
    row = LimbFigure(
        id=new_id(), campaign=campaign, version=(last or 0) + 1, person=world.people["staff"].id,
        name="a.png", caption="The limb.", media="image/png", sha256="1" * 64, size=1, crc32=1, width=8,
        height=6, created=now(),
    )  # fmt: skip
    world.add(row)
    return row


def _campaign(world: World, caller: str) -> Ask:
    return Ask({"campaign_id": world.things_for(caller)["campaign"]}, {})


def _upload(world: World, caller: str) -> Ask:
    options = {"params": {"caption": "The limb."}, "content": png(), "headers": {"Content-Type": "image/png"}}
    return Ask(_campaign(world, caller).path, options)


def _sent(world: World, caller: str) -> Ask:
    """No picture: that is told on the page."""
    options = {"data": {"caption": "The limb."}, "files": {"file": ("a.png", b"GIF89a")}}
    return Ask(_campaign(world, caller).path, options)


def _figure(**options: object) -> Builder:
    def build(world: World, caller: str) -> Ask:
        row = figure_of(world, world.things_for(caller)["campaign"])
        return Ask({"campaign_id": row.campaign, "version": str(row.version)}, dict(options))

    return build


FIGURE_BUILDERS: dict[tuple[str, str], Builder] = {
    ("POST", HERE): _upload,
    ("GET", HERE): _campaign,
    ("GET", f"{HERE}/{{version}}"): _figure(),
    ("GET", f"{HERE}/{{version}}/image"): _figure(),
    ("DELETE", f"{HERE}/{{version}}"): _figure(),
}
FIGURE_PAGES: dict[tuple[str, str], Builder] = {
    ("GET", PAGE): _campaign,
    ("POST", PAGE): _sent,
    ("POST", f"{PAGE}/{{version}}/remove"): _figure(data={}),
}
"""(method, path) -> how it is asked."""
