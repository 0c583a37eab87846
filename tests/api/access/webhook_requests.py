"""How the routes of webhooks are asked."""

from api.database.tables import new_id, now
from api.webhooks.tables import Webhook
from tests.api.access.asks import Ask, Builder
from tests.api.access.world import World

API = "/api/v1"
PUBLIC = "https://93.184.215.14/umbra"
"""By its number: no name has to be looked up."""


def webhook_of(world: World, person: str) -> Webhook:
    row = Webhook(
        id=new_id(), person=person, url=PUBLIC, events=["fit.ended"], secret=new_id(), created=now()
    )
    world.add(row)
    return row


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
