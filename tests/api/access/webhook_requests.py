"""How the routes of webhooks are asked."""

import json
from typing import Any

from sqlalchemy import select

from api.database.tables import new_id, now
from api.webhooks.tables import Delivery, Webhook
from tests.api.access.asks import Ask, Builder
from tests.api.access.world import World

API = "/api/v1"
PUBLIC = "https://93.184.215.14/umbra"
"""By its number: no name has to be looked up."""


NOWHERE = "https://127.0.0.1/umbra"
"""Nothing is ever sent there: it is no public address."""


def webhook_of(world: World, person: str, event: str = "fit.ended") -> Webhook:
    row = Webhook(id=new_id(), person=person, url=NOWHERE, events=[event], secret=new_id(), created=now())
    world.add(row)
    return row


def told_to(world: World, hook: Webhook) -> list[dict[str, Any]]:
    """Data of the events that are sent, or to be sent, to a webhook."""
    with world.database.reading() as session:
        rows = select(Delivery.content).where(Delivery.webhook == hook.id).order_by(Delivery.place)
        return [json.loads(content)["data"] for content in session.scalars(rows)]


def _webhook(world: World, caller: str) -> Ask:
    return Ask({"webhook_id": webhook_of(world, world.owner_for(caller).id).id}, {})


WEBHOOK_BUILDERS: dict[tuple[str, str], Builder] = {
    ("POST", f"{API}/webhooks"): lambda _world, _caller: Ask(
        {}, {"json": {"url": PUBLIC, "events": ["fit.ended"]}}
    ),
    ("GET", f"{API}/webhooks"): lambda _world, _caller: Ask({}, {}),
    ("DELETE", f"{API}/webhooks/{{webhook_id}}"): _webhook,
    ("POST", f"{API}/webhooks/{{webhook_id}}/test"): _webhook,
    ("GET", f"{API}/webhooks/{{webhook_id}}/deliveries"): _webhook,
}
"""(method, path) -> how it is asked."""
