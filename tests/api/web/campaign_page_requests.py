"""How the pages of campaigns are asked."""

from typing import Any

from api.campaigns.tables import Responsible
from api.database.tables import new_id, now
from api.equipment.tables import Site
from tests.api.access.asks import Ask, Builder
from tests.api.access.fit_requests import fit_of
from tests.api.access.world import World, person

HERE = "/campaigns/{campaign_id}"


def _bare(_world: World, _caller: str) -> Ask:
    return Ask({}, {})


def _sent(**fields: str) -> Builder:
    return lambda world, caller: Ask({"campaign_id": world.things_for(caller)["campaign"]}, {"data": fields})


def _seen(**params: str) -> Builder:
    return lambda world, caller: Ask(
        {"campaign_id": world.things_for(caller)["campaign"]}, {"params": params} if params else {}
    )


def _join(world: World, caller: str) -> Ask:
    somebody = world.people[caller if caller in world.people else "owner"]
    site = Site(
        id=new_id(), person=somebody.id, name="home", latitude_deg=36.8, longitude_deg=30.3, height_m=2500.0,
        created=now(),
    )  # fmt: skip
    world.add(site)
    fields = {"site": site.id, "station": new_id()}
    return Ask({"campaign_id": world.things_for(caller)["campaign"]}, {"data": fields})


def _appoint(world: World, caller: str) -> Ask:
    somebody = person("somebody")
    world.add(somebody)
    return Ask({"campaign_id": world.things_for(caller)["campaign"]}, {"data": {"email": somebody.email}})


def _withdraw(world: World, caller: str) -> Ask:
    somebody, campaign = person("somebody"), world.things_for(caller)["campaign"]
    world.add(somebody)
    world.add(Responsible(campaign=campaign, person=somebody.id, appointed=now()))
    return Ask({"campaign_id": campaign, "person_id": somebody.id}, {"data": {}})


def _chord(**options: Any) -> Builder:
    def build(world: World, caller: str) -> Ask:
        things = world.things_for(caller)
        path = {"campaign_id": things["campaign"], "observation_id": things["observation"]}
        return Ask(path, dict(options))

    return build


def _fit(world: World, caller: str) -> Ask:
    row = fit_of(world, world.things_for(caller)["campaign"])
    return Ask({"campaign_id": row.campaign, "version": str(row.version)}, {})


CAMPAIGN_PAGES: dict[tuple[str, str], Builder] = {
    ("GET", "/"): _bare,
    ("GET", "/announcements"): _bare,
    ("GET", "/calendar"): _bare,
    ("POST", "/calendar"): lambda _world, _caller: Ask({}, {"data": {}}),
    ("GET", "/campaigns"): _bare,
    ("GET", HERE): _seen(),
    ("POST", f"{HERE}/join"): _join,
    ("POST", f"{HERE}/change"): _sent(name="Ixion"),
    ("POST", f"{HERE}/responsibles"): _appoint,
    ("POST", f"{HERE}/responsibles/{{person_id}}/withdraw"): _withdraw,
    ("GET", f"{HERE}/chords"): _seen(),
    ("GET", f"{HERE}/chords/{{observation_id}}"): _chord(),
    ("POST", f"{HERE}/chords/{{observation_id}}"): _chord(
        data={"excluded": "true", "reason": "clouds at the time"}
    ),
    ("GET", f"{HERE}/curves"): _seen(),
    ("GET", f"{HERE}/fit"): _seen(),
    ("POST", f"{HERE}/fit"): _sent(model="circle"),
    ("GET", f"{HERE}/fit/{{version}}"): _fit,
    ("GET", f"{HERE}/data"): _seen(),
    ("POST", f"{HERE}/data"): _sent(missing="list"),
}
"""(method, path) -> how it is asked."""
