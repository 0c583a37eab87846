"""How the light-curve page and the help are asked."""

from tests.api.access.account_builders import bare
from tests.api.access.asks import Ask, Builder
from tests.api.access.reduction_builders import result
from tests.api.access.world import World


def _latest(world: World, caller: str) -> Ask:
    result()(world, caller)
    return Ask({"observation_id": world.things_for(caller)["observation"]}, {})


def _topic(_world: World, _caller: str) -> Ask:
    return Ask({"topic": "curves"}, {})


CURVE_PAGES: dict[tuple[str, str], Builder] = {
    ("GET", "/results/{result_id}"): result(),
    ("GET", "/observations/{observation_id}/results"): _latest,
    ("GET", "/help"): bare,
    ("GET", "/help/{topic}"): _topic,
}
