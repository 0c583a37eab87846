"""How the routes of the Virtual Observatory are asked."""

from tests.api.access.account_builders import bare
from tests.api.access.asks import Ask, Builder
from tests.api.access.reduction_builders import result
from tests.api.access.world import World

API = "/api/v1"


def _cone(_world: World, _caller: str) -> Ask:
    return Ask({}, {"params": {"POS": "CIRCLE 277.5 -23.25 1", "MAXREC": "5"}})


def _links(where: str) -> Builder:
    def build(world: World, caller: str) -> Ask:
        made = result()(world, caller).path["result_id"]
        return Ask({}, {where: {"ID": f"ivo://localhost/umbra?result/{made}"}})

    return build


STANDARD_BUILDERS: dict[tuple[str, str], Builder] = {
    ("GET", f"{API}/obscore"): _cone,
    ("GET", f"{API}/obscore/capabilities"): bare,
    ("GET", f"{API}/obscore/availability"): bare,
    ("GET", f"{API}/datalink"): _links("params"),
    ("POST", f"{API}/datalink"): _links("data"),
    ("GET", f"{API}/results/{{result_id}}/links"): result(),
    ("GET", f"{API}/results/{{result_id}}/prov.json"): result(),
}
