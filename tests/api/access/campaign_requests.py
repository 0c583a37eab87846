"""How routes of predictions, campaigns, equipment and sites are asked."""

from typing import Any

from api.campaigns.tables import Prediction
from api.database.tables import new_id, now
from api.equipment.tables import Equipment, Site
from tests.api.access.asks import Ask, Builder
from tests.api.access.world import World
from tests.reduction.geometry.predictions import event, event_text

API = "/api/v1"
TELESCOPE = {"kind": "telescope", "name": "C11", "aperture_mm": 280}


def _fresh(**more: Any) -> dict[str, Any]:
    return {"occ_id": new_id(), "object_name": "Ixion", "at": "2020-08-08T20:44:27Z", **more}


def _new_prediction(_world: World, _caller: str) -> Ask:
    return Ask({}, {"json": _fresh()})


def _bulk(_world: World, _caller: str) -> Ask:
    return Ask({}, {"json": [_fresh(), _fresh()]})


def _occelmnt(_world: World, _caller: str) -> Ask:
    return Ask({}, {"content": event_text(ID_0=new_id()), "headers": {"Content-Type": "application/xml"}})


def prediction(world: World) -> Prediction:
    """A prediction that is no campaign's."""
    one = event()
    row = Prediction(
        id=new_id(), occ_id=new_id(), source="", object_name="2000 LB11", object_number="81879",
        object_key="818792000lb11", at=now(), elements=one.model_dump(mode="json"), created=now(),
        changed=now(),
    )  # fmt: skip
    world.add(row)
    return row


def a_prediction(**options: Any) -> Builder:
    def build(world: World, _caller: str) -> Ask:
        sent = {key: value() if callable(value) else value for key, value in options.items()}
        return Ask({"prediction_id": prediction(world).id}, sent)

    return build


def _equipment(**options: Any) -> Builder:
    def build(world: World, caller: str) -> Ask:
        row = Equipment(
            id=new_id(), person=world.owner_for(caller).id, kind="telescope", name="C11",
            details={"aperture_mm": 280.0}, created=now(),
        )  # fmt: skip
        world.add(row)
        return Ask({"equipment_id": row.id}, options)

    return build


def _site(**options: Any) -> Builder:
    def build(world: World, caller: str) -> Ask:
        row = Site(
            id=new_id(), person=world.owner_for(caller).id, name="home", latitude_deg=36.8,
            longitude_deg=30.3, height_m=2500.0, created=now(),
        )  # fmt: skip
        world.add(row)
        return Ask({"site_id": row.id}, options)

    return build


def _plain(**options: Any) -> Builder:
    return lambda _world, _caller: Ask({}, options)


PLACE = {"name": "home", "latitude_deg": 36.8, "longitude_deg": 30.3, "height_m": 2500}
CAMPAIGN_BUILDERS: dict[tuple[str, str], Builder] = {
    ("GET", "/api/predictions"): _plain(),
    ("GET", f"{API}/predictions"): _plain(),
    ("POST", f"{API}/predictions"): _new_prediction,
    ("POST", f"{API}/predictions/bulk"): _bulk,
    ("POST", f"{API}/predictions/occelmnt"): _occelmnt,
    ("GET", f"{API}/predictions/{{prediction_id}}"): a_prediction(),
    ("PUT", f"{API}/predictions/{{prediction_id}}"): a_prediction(json=_fresh),
    ("DELETE", f"{API}/predictions/{{prediction_id}}"): a_prediction(),
    ("GET", f"{API}/equipment"): _plain(),
    ("POST", f"{API}/equipment"): _plain(json={"equipment": TELESCOPE}),
    ("GET", f"{API}/equipment/{{equipment_id}}"): _equipment(),
    ("PUT", f"{API}/equipment/{{equipment_id}}"): _equipment(json={"equipment": TELESCOPE}),
    ("DELETE", f"{API}/equipment/{{equipment_id}}"): _equipment(),
    ("GET", f"{API}/sites"): _plain(),
    ("POST", f"{API}/sites"): _plain(json=PLACE),
    ("GET", f"{API}/sites/{{site_id}}"): _site(),
    ("PUT", f"{API}/sites/{{site_id}}"): _site(json=PLACE),
    ("DELETE", f"{API}/sites/{{site_id}}"): _site(),
    ("GET", f"{API}/observatories/{{code}}"): lambda _world, _caller: Ask({"code": "A84"}, {}),
}
"""(method, path) -> how it is asked."""
